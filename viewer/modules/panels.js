// The panels as elements of the page: built from the header, and laid out at one size.

import { scaled } from "./arrays.js";
import { make } from "./dom.js";
import { viewMoved } from "./frames.js";
import { pyramid, sourceOf } from "./sampling.js";
import { fitView } from "./viewport.js";

const STRIPS = 40; // CSS pixels above and below a film for what is written about it, so that nothing is written on it

/** Builds the panels of a view anew; `view.content.header` and `view.content.grids` are in place. */
export function buildPanels(view) {
  const { header, grids } = view.content;
  view.dom.stage.replaceChildren();
  view.drawing.maximised = null;
  view.pointer.panel = null;
  view.content.change = null;
  const bases = new Map();
  const baseOf = (index) => {
    if (index === null) return null;
    if (!bases.has(index)) bases.set(index, sourceOf(grids[index], pyramid(grids[index])));
    return bases.get(index);
  };
  if (header.kind === "explain") {
    const scan = baseOf(header.scan);
    const offered = header.findings[0];
    const blank = header.blank;
    const changes = blank ? blank.counterfactuals : offered && offered.changes !== null;
    const truth = blank ? blank.truth : offered && offered.truth !== null;
    const kinds =
      !offered && !blank
        ? ["scan"]
        : changes && truth
          ? ["scan", "without", "truth", "evidence", "difference", "true-difference"]
          : changes
            ? ["scan", "evidence", "without", "difference"]
            : ["scan", "evidence"];
    view.content.panels = kinds.map((kind) => ({ kind, base: scan, window: header.windows[0], map: null }));
    for (const finding of view.content.findings) {
      finding.evidence = sourceOf(grids[finding.evidence]);
      if (finding.truth !== null) finding.truth = sourceOf(scaled(grids[finding.truth]));
    }
    if (offered && offered.changes !== null) {
      const { width, height } = grids[view.content.findings[0].changes];
      view.content.change = sourceOf({ data: new Float32Array(width * height), width, height, factor: 1, version: 0 });
    }
  } else {
    view.content.panels = header.panels.map((spec, i) => ({
      kind: "free",
      spec,
      base: baseOf(spec.base),
      window: header.windows[i],
      map: spec.map === null ? null : sourceOf(grids[spec.map]),
    }));
  }
  view.content.panels.forEach((panel, index) => buildPanel(view, panel, index));
  view.content.changeStale = Boolean(view.content.change);
}

function buildPanel(view, panel, index) {
  panel.canvas = make("canvas", "", { role: "img" });
  panel.context = panel.canvas.getContext("2d", { alpha: false });
  panel.title = make("b");
  panel.subtitle = make("span");
  panel.low = [make("div"), make("div")];
  panel.acrossLine = make("div", "cross across");
  panel.downLine = make("div", "cross down");
  panel.veil = make("div", "veil");
  panel.film = make("div", "film", {}, panel.canvas, panel.acrossLine, panel.downLine, panel.veil);
  panel.under = make("div", "under", { "aria-hidden": "true" });
  panel.element = make(
    "div",
    "panel",
    { "data-kind": panel.kind, "data-index": index },
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
  if (panel.kind === "scan" && view.content.header.spacing_mm) {
    panel.scale = make("div", "scale", {}, make("span"));
    panel.under.append(panel.scale);
  }
  panel.under.append(panel.low[1]);
  view.dom.stage.append(panel.element);
}

/** Fits panels into the stage; all that are shown share one size. */
export function layoutPanels(view) {
  const shown = view.content.panels.filter(
    (panel) => view.drawing.maximised === null || view.content.panels[view.drawing.maximised] === panel,
  );
  const width = view.dom.stage.clientWidth;
  const height = view.dom.stage.clientHeight;
  const gap = 6;
  const strips = STRIPS;
  if (!shown.length || width < 40 || height < 40) return;
  const [frameHeight, frameWidth] = view.content.header.frame;
  let best = { scale: -1 };
  let whole = null; // whole: two rows, of panels that belong together
  for (let columns = 1; columns <= shown.length; columns++) {
    const rows = Math.ceil(shown.length / columns);
    const w = Math.floor((width - gap * (columns - 1)) / columns);
    const h = Math.floor((height - gap * (rows - 1)) / rows) - strips;
    const scale = Math.min(w / frameWidth, h / (frameHeight * view.zoom.aspect));
    if (scale > best.scale) best = { scale, w, h, columns };
    if (shown.length % 2 === 0 && columns === shown.length / 2 && shown.length >= 4) whole = { scale, w, h, columns };
  }
  if (whole && (shown.length === 4 || whole.scale >= 0.75 * best.scale)) best = whole; // unless it makes them much smaller
  view.dom.stage.style.gridTemplateColumns = `repeat(${best.columns}, ${best.w}px)`;
  view.dom.stage.style.gridAutoRows = `${best.h + strips}px`;
  const dots = window.devicePixelRatio || 1;
  const ratio = view.drawing.coarse ? dots * 0.6 : dots;
  view.drawing.size = {
    cssWidth: best.w,
    cssHeight: best.h,
    width: Math.round(best.w * ratio),
    height: Math.round(best.h * ratio),
    ratio,
  };
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
  if (view.zoom.fitted) fitView(view);
  viewMoved(view);
}

export function maximise(view, panel) {
  view.drawing.maximised = view.drawing.maximised === null && panel ? view.content.panels.indexOf(panel) : null;
  layoutPanels(view);
}
