// The words and numbers on the panels: titles, window, the value under the crosshair, colour bars, the scale bar.

import { rampGradient } from "./colours.js";
import { blankWords, contentOf, mapOf } from "./content.js";
import { ownTitle, probabilityNow, takenBriefly, titled, titledInFull, together } from "./counterfactual.js";
import { make, setText } from "./dom.js";
import { currentWindow } from "./levels.js";
import { changeOf, scanOf, slabOf, truthOf } from "./cuts.js";
import { digitsFor, lower, percent, signed } from "./numbers.js";
import { pixelAt, valueAt } from "./sampling.js";
import { inPlane } from "./planes.js";
import { lengthOf } from "./volume.js";
import { asShown } from "./turning.js";
import { placeInPanel } from "./zoom.js";

const NARROW = 400; // CSS pixels: narrower panels have a short scale bar
const WIDE = 560; // and wider ones have room for a unit beside its value

function quadrant({ u, v }) {
  const across = u < 0.38 ? "left" : u > 0.62 ? "right" : "middle";
  const down = v < 0.38 ? "upper" : v > 0.62 ? "lower" : "central";
  return `${down} ${across} of the picture as it is shown`;
}

function peakOf(grid) {
  if (grid.peak) return grid.peak;
  let at = 0;
  for (let i = 1; i < grid.data.length; i++) if (Math.abs(grid.data[i]) > Math.abs(grid.data[at])) at = i;
  const u = ((at % grid.width) + 0.5) / grid.width;
  const v = (Math.floor(at / grid.width) + 0.5) / grid.height;
  return (grid.peak = { value: grid.data[at], u, v });
}

const truthTitle = (view) => `The truth without ${takenBriefly(view)}`;

/** "x 12  y 30", of a volume with its slice: the voxel under the crosshair. */
function placeWords(view, at) {
  const { scan } = view.content;
  const [height, width] = view.content.header.frame;
  const [x, y] = [Math.floor(at[2] * width), Math.floor(at[1] * height)];
  return `x ${x}  y ${y}${scan && view.layout.three ? `  slice ${Math.floor(at[0] * lengthOf(scan, 0)) + 1}` : ""}`;
}

/** "75 of 148", or "maximum of 74 to 78 of 148 (10 mm)": the slice or slab that a plane shows. */
function sliceWords(view, plane) {
  const count = lengthOf(view.content.scan, plane.axis);
  if (!view.slab.mode) return view.layout.three ? `${view.slices.at[plane.axis] + 1} of ${count}` : "";
  const [first, last] = slabOf(view, plane);
  return `${view.slab.mode} of ${first + 1} to ${last + 1} of ${count}`;
}

/** What stands on a panel, `wordsOf` it, with the plane and the slice that a panel of a volume shows. */
function captionOf(view, panel) {
  const words = wordsOf(view, panel);
  if (!view.content.scan) return words;
  const { plane } = panel;
  const slice = sliceWords(view, plane);
  const scan = scanOf(view, panel);
  const waiting = scan.missing === true ? `slice ${view.slices.at[plane.axis] + 1} is on its way` : "";
  const part = scan.taken[0] < scan.taken[1] && scan.taken[0] ? `${scan.taken[0]} of ${scan.taken[1]} slices here` : "";
  const own = view.layout.three ? [plane.name, lower(words.title)] : [words.title];
  return {
    ...words,
    title: own[0],
    notes: [...own.slice(1), slice, part, ...words.notes],
    veil: waiting || words.veil,
    label: [view.layout.three ? `${plane.name}.` : "", words.label, slice].filter(Boolean).join(" "),
  };
}

/** Title, notes, the lower right lines, and what a screen reader hears, for one panel as it stands. */
function wordsOf(view, panel) {
  const content = contentOf(view, panel);
  const [centre, width] = currentWindow(panel.window, view.levels);
  const spanDigits = digitsFor(width);
  const windowWords = `W ${width.toFixed(spanDigits)}  L ${centre.toFixed(spanDigits)}`;
  const { plane } = panel;
  const cross = view.crosshair.at && inPlane(plane, view.crosshair.at);
  const grid = scanOf(view, panel)?.grid;
  const place = cross && placeWords(view, view.crosshair.at);
  const scanValue = cross && grid && pixelAt(grid, cross.u, cross.v);
  const scanDigits = grid && (grid.whole ? 0 : spanDigits);
  const scanWords = cross && grid ? `${place}: ${scanValue.toFixed(scanDigits)}` : "";
  if (content === "scan") {
    const why = view.compare.plain && panel.kind !== "scan" ? "plain" : panel.kind === "without" ? "blinking" : "";
    return { title: "Scan", notes: [why], low: [windowWords, scanWords], label: `The scan as it is. ${windowWords}` };
  }
  if (content === "prior") {
    const { title, note } = view.content.header.prior;
    return { title, notes: [note], low: [windowWords, scanWords], label: `${title}, ${note}. ${windowWords}` };
  }
  if (content === "blank") {
    const words = blankWords(view, panel);
    const title = {
      evidence: "Evidence",
      without: "Without the finding",
      difference: "Difference",
      truth: together(view) ? truthTitle(view) : "The truth",
      "true-difference": "True difference",
    }[panel.kind];
    return { title, notes: [], low: ["", ""], veil: words, label: `${title}: ${words}.` };
  }
  if (content === "without") {
    const value = cross
      ? `${place}: ${(scanValue + valueAt(changeOf(view, plane).grid, cross.u, cross.v)).toFixed(scanDigits)}`
      : "";
    const p = probabilityNow(view);
    const title = titled(view);
    return {
      title,
      notes: [
        together(view) ? "" : `a = ${view.selection.amounts.get(view.selection.finding).toFixed(2)}`,
        view.compare.swipe ? "scan to the left" : "",
      ],
      low: [p, value],
      label: `The scan ${lower(titledInFull(view))}. ${p}`,
    };
  }
  if (content === "truth") {
    const value = cross
      ? `${place}: ${(scanValue + valueAt(truthOf(view, panel.plane).grid, cross.u, cross.v)).toFixed(scanDigits)}`
      : "";
    const title = truthTitle(view);
    return { title, notes: ["as drawn"], low: ["", value], label: `${title}, drawn from the same patient.` };
  }
  const { map, limit, unit, percent: perUnit = 0 } = mapOf(view, panel);
  const digits = digitsFor(limit);
  const under = cross && map ? valueAt(map.grid, cross.u, cross.v) : 0;
  const mapWords =
    !cross || !map ? "" : perUnit ? `${signed(under * perUnit, 1)} %` : `${signed(under, digits)} ${unit}`;
  if (content === "difference") {
    const name = ownTitle(view) ? "counterfactual" : "without";
    const changed = percent(changeOf(view, plane).share);
    return {
      title: "Difference",
      notes: [`${name} \u2212 scan`],
      low: [`changed ${changed} of the ${view.content.header.noun}`, mapWords],
      label: `Difference, ${name} minus scan: ${changed} of the ${view.content.header.noun} changed.`,
    };
  }
  if (content === "true-difference")
    return {
      title: "True difference",
      notes: ["truth \u2212 scan"],
      low: ["", mapWords],
      label: `True difference, the truth without ${takenBriefly(view)} minus scan.`,
    };
  if (content === "evidence") {
    const peak = peakOf(map.grid);
    const notes = [
      view.overlay.on ? "" : "overlay off",
      view.compare.swipe ? "scan to the left" : "",
      view.content.header.method,
      view.overlay.on ? `one scale for all ${view.content.header.noun}s` : "",
    ];
    const title =
      view.content.byName.get(view.selection.finding).title || `Evidence for ${lower(view.selection.finding)}`;
    return {
      title,
      notes,
      low: ["", mapWords],
      label: `${title}, ${view.content.header.method}. Strongest ${signed(peak.value, digits)} ${unit}, ${quadrant(asShown(view.turn, peak))}.`,
    };
  }
  const { title, subtitle, alt } = panel.spec;
  return {
    title,
    notes: [subtitle],
    low: [mapWords, scanWords || (cross ? place : "")],
    label: [alt, subtitle].filter(Boolean).join(", "),
  };
}

/** Writes what stands on the panels, and places the crosshair. */
export function write(view) {
  if (!view.drawing.size || view.life.closed) return;
  placeCross(view);

  for (const panel of view.content.panels) {
    if (!panel.shown) continue;
    const { title, notes, low, label, veil = "" } = captionOf(view, panel);
    setText(panel.veil, veil);
    setText(panel.title, title);
    writeNotes(panel, notes.filter(Boolean));
    low.forEach((line, i) => setText(panel.low[i], line));
    if (panel.canvas.getAttribute("aria-label") !== label) panel.canvas.setAttribute("aria-label", label);
    writeBar(view, panel);
    if (panel.divider) placeDivider(view, panel);
    if (panel.scale) placeScale(view, panel);
  }
}

/** The notes beside a title; each that does not fit whole is left out, and all of them show under the pointer. */
function writeNotes(panel, notes) {
  const all = notes.join(", ");
  if (panel.notes === all) return;
  panel.notes = all;
  const { children } = panel.subtitle;
  while (children.length > notes.length) panel.subtitle.lastChild.remove();
  while (children.length < notes.length) panel.subtitle.append(make("span"));
  notes.forEach((note, i) => setText(children[i], note));
  panel.subtitle.title = all;
}

function writeBar(view, panel) {
  const { bar } = panel;
  if (!bar) return;
  const content = contentOf(view, panel);
  bar.element.hidden = content === "scan" || content === "blank" || (content === "evidence" && !view.overlay.on);
  if (bar.element.hidden) return;
  const { limit, unit, sequential, percent: perUnit = 0 } = mapOf(view, panel);
  const end = perUnit ? `${Number((limit * perUnit).toPrecision(3))} %` : Number(limit.toPrecision(3));
  setText(bar.top, `+${end}`);
  setText(bar.bottom, sequential ? "0" : `\u2212${end}`);
  const told = view.drawing.size.cssWidth < WIDE && panel.low[1].textContent.includes(unit);
  setText(bar.unit, told ? "" : unit); // beside the value under the crosshair there is no room for it twice
  if (bar.sequential !== sequential) {
    bar.sequential = sequential;
    bar.ramp.style.background = rampGradient(sequential);
  }
  const marked = content !== "difference" && (view.overlay.contour || view.overlay.thresholdOn);
  bar.element.classList.toggle("marked", marked);
  const share = sequential ? view.overlay.threshold : 0.5 + view.overlay.threshold / 2;
  bar.ramp.style.setProperty("--above", `${100 * share}%`);
  bar.ramp.style.setProperty("--below", sequential ? "200%" : `${100 * (1 - share)}%`);
}

function placeDivider(view, panel) {
  panel.divider.hidden = !view.compare.swipe || ["scan", "blank"].includes(contentOf(view, panel));
  panel.divider.style.left = `${(view.compare.swipeAt * 100).toFixed(2)}%`;
  panel.divider.setAttribute("aria-valuenow", Math.round(view.compare.swipeAt * 100));
  panel.divider.setAttribute("aria-valuetext", `scan on the left ${Math.round(view.compare.swipeAt * 100)} %`);
}

/** A bar of a round number of millimetres, up to 150 CSS pixels long, or 80 on a narrow panel, beside the readout. */
function placeScale(view, panel) {
  const most = view.drawing.size.cssWidth < NARROW ? 80 : 150;
  const perPixel = view.content.header.spacing_mm[1] / view.planes[0].zoom.scale;
  const long = [1, 2, 5, 10, 20, 50, 100, 200].findLast((mm) => mm / perPixel <= most) ?? 1;
  panel.scale.style.width = `${long / perPixel}px`;
  setText(panel.scale.firstChild, `${long} mm${view.content.header.scale_note ?? ""}`);
}

/** Puts the crosshair at the same place of every panel. */
function placeCross(view) {
  const { at, on } = view.crosshair;
  const { size } = view.drawing;
  for (const panel of view.content.panels) {
    const [height, width] = panel.plane.frame;
    const { u, v } = at ? inPlane(panel.plane, at) : { u: -1, v: -1 };
    const { x, y } = placeInPanel(panel.plane.zoom, size, { x: u * width, y: v * height });
    const visible = on && at && x >= 0 && y >= 0 && x <= size.cssWidth && y <= size.cssHeight;
    panel.downLine.hidden = panel.acrossLine.hidden = !visible;
    if (!visible) continue;
    panel.downLine.style.transform = `translateX(${x}px)`;
    panel.acrossLine.style.transform = `translateY(${y}px)`;
  }
}
