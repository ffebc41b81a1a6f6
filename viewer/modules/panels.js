// The panels as elements of the page: built from the header, and laid out at one size.

import { scaled } from "./arrays.js";
import { make } from "./dom.js";
import { viewMoved } from "./frames.js";
import { picturePlane, planesOf, sideBySide } from "./planes.js";
import { pyramid, sourceOf } from "./sampling.js";
import { layFilms, ownSize } from "./turning.js";
import { fitView } from "./viewport.js";

const STRIPS = 40; // CSS pixels above and below a film for what is written about it, so that nothing is written on it

/** Builds the panels of a view anew; `view.content.header` and `view.content.grids` are in place. */
export function buildPanels(view) {
  const { header, grids } = view.content;
  view.dom.stage.replaceChildren();
  view.drawing.maximised = null;
  view.drawing.besideTruth &&= header.kind === "explain";
  view.pointer.panel = null;
  view.content.change = false;
  const bases = new Map();
  const baseOf = (index) => {
    if (index === null) return null;
    if (!bases.has(index)) bases.set(index, sourceOf(grids[index], pyramid(grids[index])));
    return bases.get(index);
  };
  if (header.kind === "explain") {
    const scan = view.content.scan ? null : baseOf(header.scan);
    view.content.change = Boolean(header.findings[0] && header.findings[0].changes !== null);
    view.content.panels = shownKinds(view).map(([kind, plane]) => {
      const [base, window] =
        kind === "prior" ? [baseOf(header.prior.pixels), header.prior.window] : [scan, header.windows[0]];
      return { kind, plane, base, window, map: null };
    });
  } else {
    view.content.panels = header.panels.map((spec, i) => ({
      kind: "free",
      plane: view.planes[0],
      spec,
      base: baseOf(spec.base),
      window: header.windows[i],
      map: spec.map === null ? null : sourceOf(grids[spec.map]),
    }));
  }
  view.content.panels.forEach((panel, index) => buildPanel(view, panel, index));
  view.content.changeStamp++;
}

/** Gives the findings of a new header their maps, in place of their places among the arrays. */
export function takeMaps({ content: { findings, grids } }) {
  for (const finding of findings) {
    const evidence = grids[finding.evidence];
    finding.evidence = evidence.volume ? evidence : sourceOf(evidence);
    if (finding.truth === null) continue;
    const truth = grids[finding.truth];
    finding.truth = truth.volume ? truth : sourceOf(scaled(truth));
  }
}

/** The planes of a header's picture or volume, new for each picture. */
export function layPlanes(view) {
  const { spacing_mm: spacing, pixel_aspect: aspect, frame, volume } = view.content.header;
  const high = spacing ? spacing[0] / spacing[1] : (aspect ?? 1);
  view.planes = volume ? planesOf(volume, high) : [picturePlane(frame, high)];
}

/** The kinds of panel for which there is something to show. */
export function offeredKinds({ content: { header } }) {
  const { blank, prior } = header;
  const [offered] = header.findings;
  const answers = Boolean(offered || blank);
  const changes = blank ? blank.counterfactuals : Boolean(offered) && offered.changes !== null;
  const truth = changes && (blank ? blank.truth : offered.truth !== null);
  return [
    ...(prior ? ["prior"] : []),
    ...["scan", ...(answers ? ["evidence"] : []), ...(changes ? ["without", "difference"] : [])],
    ...(truth ? ["truth", "true-difference"] : []),
  ];
}

/** What the panels show, in their order: [kind, plane]; the layout's panels, or all that a model offers. */
function shownKinds(view) {
  const { header, scan } = view.content;
  const [own] = view.planes;
  const offered = offeredKinds(view);
  const has = (kind) => offered.includes(kind);
  const named = (view.layout.now?.panels ?? []).filter(has);
  if (view.layout.three && scan) {
    const planes = sideBySide(view.planes);
    const kinds = named.length ? named : ["evidence", "without"].filter(has);
    if (!kinds.length || (kinds.length === 1 && kinds[0] === "scan")) return planes.map((plane) => ["scan", plane]);
    if (!header.volume.findings_of_slice) return kinds.flatMap((kind) => planes.map((plane) => [kind, plane]));
    return [...kinds.map((kind) => [kind, own]), ...planes.filter((plane) => plane !== own).map((p) => ["scan", p])];
  }
  const all = has("truth")
    ? ["scan", "without", "truth", "evidence", "difference", "true-difference"]
    : ["scan", "evidence", "without", "difference"].filter(has);
  return (named.length ? named : all).map((kind) => [kind, own]);
}

function buildPanel(view, panel, index) {
  panel.canvas = make("canvas", "", { role: "img" });
  panel.context = panel.canvas.getContext("2d", { alpha: false });
  panel.title = make("b");
  panel.subtitle = make("span", "notes");
  panel.low = [make("div"), make("div")];
  panel.acrossLine = make("div", "cross across");
  panel.downLine = make("div", "cross down");
  panel.veil = make("div", "veil");
  panel.film = make("div", "film", {}, panel.canvas, panel.acrossLine, panel.downLine, panel.veil);
  for (const [side, letter] of Object.entries(panel.plane.letters ?? {}))
    panel.film.append(make("div", `letter ${side}`, { "aria-hidden": "true" }, letter));
  panel.under = make("div", "under", { "aria-hidden": "true" });
  panel.element = make(
    "div",
    "panel",
    { "data-kind": panel.kind, "data-index": index, "data-plane": panel.plane.name.toLowerCase() },
    make("div", "name", {}, panel.title, panel.subtitle, panel.low[0]),
    panel.film,
    panel.under,
  );
  if (["evidence", "difference", "true-difference"].includes(panel.kind) || panel.map) {
    panel.bar = { top: make("span"), bottom: make("span"), unit: make("span", "unit"), ramp: make("div", "ramp") };
    const { top, bottom, unit, ramp } = panel.bar;
    panel.bar.element = make("div", "bar", {}, bottom, ramp, top, unit);
    panel.under.append(panel.bar.element);
  }
  if (panel.kind === "evidence" || panel.kind === "without") {
    panel.divider = make("div", "divider", {
      role: "slider",
      tabindex: "0",
      "aria-label": "Swipe between scan and panel",
      "aria-valuemin": "0",
      "aria-valuemax": "100",
      hidden: "",
    });
    panel.film.append(panel.divider);
  }
  const measured = view.layout.three ? ["scan", "without"] : ["scan"]; // where a colour bar is not in the way
  const first = index === 0 && !view.content.panels.some(({ kind }) => measured.includes(kind));
  if ((measured.includes(panel.kind) || first) && view.content.header.spacing_mm) {
    panel.scale = make("div", "scale", {}, make("span"));
    panel.under.append(panel.scale);
  }
  panel.under.append(panel.low[1]);
  view.dom.stage.append(panel.element);
}

const BESIDE_TRUTH = ["without", "truth"];

/** Those that stand on the stage: all, one alone, or the model's counterfactual and the true one. */
function shownPanels({ content: { panels }, drawing: { maximised, besideTruth } }) {
  if (maximised !== null) return [panels[maximised]];
  const pair = panels.filter((panel) => BESIDE_TRUTH.includes(panel.kind));
  return besideTruth && pair.some((panel) => panel.kind === "truth") ? pair : panels;
}

/** Fits panels into the stage; all that are shown share one size. */
export function layoutPanels(view) {
  const shown = shownPanels(view);
  const width = view.dom.stage.clientWidth;
  const height = view.dom.stage.clientHeight;
  const gap = 6;
  const strips = STRIPS;
  if (!shown.length || width < 40 || height < 40) return;
  const extents = [...new Set(shown.map(({ plane }) => plane))].map(({ frame, mm }) =>
    ownSize(view.turn, frame[0] * mm[0], frame[1] * mm[1]),
  );
  let best = { scale: -1 };
  let whole = null; // whole: two rows, of panels that belong together
  const fixed = Math.min(view.layout.now?.columns || 0, shown.length); // of the layout; 0 are as many as fit best
  for (let columns = fixed || 1; columns <= (fixed || shown.length); columns++) {
    const rows = Math.ceil(shown.length / columns);
    const w = Math.floor((width - gap * (columns - 1)) / columns);
    const h = Math.floor((height - gap * (rows - 1)) / rows) - strips;
    const scale = Math.min(...extents.map(([high, wide]) => Math.min(w / wide, h / high)));
    if (scale > best.scale) best = { scale, w, h, columns };
    if (shown.length % 2 === 0 && columns === shown.length / 2 && shown.length >= 4) whole = { scale, w, h, columns };
  }
  if (whole && (shown.length === 4 || whole.scale >= 0.75 * best.scale)) best = whole; // unless it makes them much smaller
  view.dom.stage.style.gridTemplateColumns = `repeat(${best.columns}, ${best.w}px)`;
  view.dom.stage.style.gridAutoRows = `${best.h + strips}px`;
  const dots = window.devicePixelRatio || 1;
  const ratio = view.drawing.coarse ? dots * 0.6 : dots;
  const [cssWidth, cssHeight] = ownSize(view.turn, best.w, best.h);
  const [dotsAcross, dotsDown] = [Math.round(cssWidth * ratio), Math.round(cssHeight * ratio)];
  view.drawing.size = { cssWidth, cssHeight, width: dotsAcross, height: dotsDown, ratio };
  layFilms(view, best.w, best.h);
  for (const panel of view.content.panels) {
    panel.shown = shown.includes(panel);
    panel.element.hidden = !panel.shown;
    if (
      !panel.shown ||
      (panel.image &&
        panel.canvas.width === view.drawing.size.width &&
        panel.canvas.height === view.drawing.size.height)
    )
      continue;
    panel.canvas.width = view.drawing.size.width;
    panel.canvas.height = view.drawing.size.height;
    panel.image = panel.context.createImageData(view.drawing.size.width, view.drawing.size.height);
    panel.dots = new Uint32Array(panel.image.data.buffer);
  }
  if (view.planes[0].zoom.fitted) fitView(view);
  viewMoved(view);
}

export function showBesideTruth(view, on) {
  view.drawing.besideTruth = on;
  view.drawing.maximised = null;
  layoutPanels(view);
}

export function maximise(view, panel) {
  view.drawing.maximised = view.drawing.maximised === null && panel ? view.content.panels.indexOf(panel) : null;
  layoutPanels(view);
}
