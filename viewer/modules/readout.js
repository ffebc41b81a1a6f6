// The words and numbers on the panels: titles, window, the value under the crosshair, colour bars, the scale bar.

import { rampGradient } from "./colours.js";
import { blankWords, contentOf, mapOf } from "./content.js";
import { ownTitle, probabilityNow, takenBriefly, titled, titledInFull, together, truthNow } from "./counterfactual.js";
import { setText } from "./dom.js";
import { currentWindow } from "./levels.js";
import { digitsFor, lower, percent, signed } from "./numbers.js";
import { pixelAt, valueAt } from "./sampling.js";
import { placeInPanel } from "./zoom.js";

function quadrant(u, v) {
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
  return (grid.peak = { value: grid.data[at], where: quadrant(u, v) });
}

const truthTitle = (view) => `The truth without ${takenBriefly(view)}`;

/** Title, subtitle, the lower right lines, and what a screen reader hears, for one panel as it stands. */
function wordsOf(view, panel) {
  const content = contentOf(view, panel);
  const [centre, width] = currentWindow(panel.window, view.levels);
  const spanDigits = digitsFor(width);
  const windowWords = `W ${width.toFixed(spanDigits)}  L ${centre.toFixed(spanDigits)}`;
  const cross = view.crosshair.at;
  const grid = panel.base?.grid;
  const place =
    cross &&
    `x ${Math.floor(cross.u * view.content.header.frame[1])}  y ${Math.floor(cross.v * view.content.header.frame[0])}`;
  const scanValue = cross && grid && pixelAt(grid, cross.u, cross.v);
  const scanDigits = grid && (grid.whole ? 0 : spanDigits);
  const scanWords = cross && grid ? `${place}: ${scanValue.toFixed(scanDigits)}` : "";
  if (content === "scan") {
    const why = view.compare.plain && panel.kind !== "scan" ? "plain" : panel.kind === "without" ? "blinking" : "";
    return { title: "Scan", subtitle: why, low: [windowWords, scanWords], label: `The scan as it is. ${windowWords}` };
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
    return { title, subtitle: "", low: ["", ""], veil: words, label: `${title}: ${words}.` };
  }
  if (content === "without") {
    const value = cross
      ? `${place}: ${(scanValue + valueAt(view.content.change.grid, cross.u, cross.v)).toFixed(scanDigits)}`
      : "";
    const p = probabilityNow(view);
    const title = titled(view);
    return {
      title,
      subtitle: `${together(view) ? "" : `a = ${view.selection.amounts.get(view.selection.finding).toFixed(2)}`}${view.compare.swipe ? "  scan to the left" : ""}`,
      low: [p, value],
      label: `The scan ${lower(titledInFull(view))}. ${p}`,
    };
  }
  if (content === "truth") {
    const value = cross
      ? `${place}: ${(scanValue + valueAt(truthNow(view).grid, cross.u, cross.v)).toFixed(scanDigits)}`
      : "";
    const title = truthTitle(view);
    return { title, subtitle: "as drawn", low: ["", value], label: `${title}, drawn from the same patient.` };
  }
  const { map, limit, unit, percent: perUnit = 0 } = mapOf(view, panel);
  const digits = digitsFor(limit);
  const under = cross && map ? valueAt(map.grid, cross.u, cross.v) : 0;
  const mapWords =
    !cross || !map ? "" : perUnit ? `${signed(under * perUnit, 1)} %` : `${signed(under, digits)} ${unit}`;
  if (content === "difference") {
    const name = ownTitle(view) ? "counterfactual" : "without";
    return {
      title: "Difference",
      subtitle: `${name} \u2212 scan`,
      low: [`changed ${percent(view.content.changedShare)} of the ${view.content.header.noun}`, mapWords],
      label: `Difference, ${name} minus scan: ${percent(view.content.changedShare)} of the ${view.content.header.noun} changed.`,
    };
  }
  if (content === "true-difference")
    return {
      title: "True difference",
      subtitle: "truth \u2212 scan",
      low: ["", mapWords],
      label: `True difference, the truth without ${takenBriefly(view)} minus scan.`,
    };
  if (content === "evidence") {
    const peak = peakOf(map.grid);
    const subtitle =
      view.content.header.method +
      (view.overlay.on ? "" : ", overlay off") +
      (view.compare.swipe ? ", scan to the left" : "");
    const title =
      view.content.byName.get(view.selection.finding).title || `Evidence for ${lower(view.selection.finding)}`;
    return {
      title,
      subtitle,
      low: [view.overlay.on ? `one scale for all ${view.content.header.noun}s` : "", mapWords],
      label: `${title}, ${view.content.header.method}. Strongest ${signed(peak.value, digits)} ${unit}, ${peak.where}.`,
    };
  }
  const { title, subtitle, alt } = panel.spec;
  return {
    title,
    subtitle,
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
    const { title, subtitle, low, label, veil = "" } = wordsOf(view, panel);
    setText(panel.veil, veil);
    setText(panel.title, title);
    setText(panel.subtitle, subtitle);
    low.forEach((line, i) => setText(panel.low[i], line));
    if (panel.canvas.getAttribute("aria-label") !== label) panel.canvas.setAttribute("aria-label", label);
    writeBar(view, panel);
    if (panel.divider) placeDivider(view, panel);
    if (panel.scale) placeScale(view, panel);
  }
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
  setText(bar.unit, unit);
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

/** A bar of a round number of millimetres, 60 to 150 CSS pixels long. */
function placeScale(view, panel) {
  const perPixel = view.content.header.spacing_mm[1] / view.zoom.scale;
  const long = [1, 2, 5, 10, 20, 50, 100, 200].findLast((mm) => mm / perPixel <= 150) ?? 1;
  panel.scale.style.width = `${long / perPixel}px`;
  setText(panel.scale.firstChild, `${long} mm${view.content.header.scale_note ?? ""}`);
}

/** Puts the crosshair at the same place of every panel. */
function placeCross(view) {
  const { at, on } = view.crosshair;
  const { size } = view.drawing;
  const [height, width] = view.content.header.frame;
  const { x, y } = at ? placeInPanel(view.zoom, size, { x: at.u * width, y: at.v * height }) : { x: -1, y: -1 };
  const visible = on && at && x >= 0 && y >= 0 && x <= size.cssWidth && y <= size.cssHeight;
  for (const panel of view.content.panels) {
    panel.downLine.hidden = panel.acrossLine.hidden = !visible;
    if (!visible) continue;
    panel.downLine.style.transform = `translateX(${x}px)`;
    panel.acrossLine.style.transform = `translateY(${y}px)`;
  }
}
