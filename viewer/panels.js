// The panels: what each shows, drawn at its own resolution, only when something in it changed.

const OTHER_DIM = 0.2, BLANK_DIM = 0.28;
const STRIPS = 40; // CSS pixels above and below a film for what is written about it, so that nothing is written on it

/** An element with a class, attributes and children; strings become text, never markup. */
function make(tag, className = "", attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const signed = (value, digits) => (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(digits);
const digitsFor = (span) => Math.max(0, Math.min(4, 2 - Math.floor(Math.log10(Math.max(span, 1e-9)))));
const sourceOf = (grid, levels = null) => ({ grid, levels, buffer: null, stamp: "" });

/** A grid of changes in the scan's units. */
const scaled = ({ data, scale, ...grid }) => ({ ...grid, data: Float32Array.from(data, (value) => value * scale), frames: 0, scale: 1 });

/** Builds the panels of a view anew; `v.header` and `v.grids` are in place. */
function buildPanels(v) {
  const { header, grids } = v;
  v.stage.replaceChildren();
  v.maximised = null;
  v.under = null;
  v.change = null;
  const bases = new Map();
  const baseOf = (index) => {
    if (index === null) return null;
    if (!bases.has(index)) bases.set(index, sourceOf(grids[index], pyramid(grids[index])));
    return bases.get(index);
  };
  if (header.kind === "explain") {
    const scan = baseOf(header.scan), offered = header.findings[0], blank = header.blank;
    const changes = blank ? blank.counterfactuals : offered && offered.changes !== null;
    const truth = blank ? blank.truth : offered && offered.truth !== null;
    const kinds = !offered && !blank ? ["scan"] : changes && truth ? ["scan", "without", "truth", "evidence", "difference", "true-difference"] : changes ? ["scan", "evidence", "without", "difference"] : ["scan", "evidence"];
    v.panels = kinds.map((kind) => ({ kind, base: scan, window: header.windows[0], map: null }));
    for (const finding of v.findings) {
      finding.evidence = sourceOf(grids[finding.evidence]);
      if (finding.truth !== null) finding.truth = sourceOf(scaled(grids[finding.truth]));
    }
    if (offered && offered.changes !== null) {
      const { width, height } = grids[v.findings[0].changes];
      v.change = sourceOf({ data: new Float32Array(width * height), width, height, factor: 1, version: 0 });
    }
  } else {
    v.panels = header.panels.map((spec, i) => ({
      kind: "free", spec, base: baseOf(spec.base), window: header.windows[i],
      map: spec.map === null ? null : sourceOf(grids[spec.map]),
    }));
  }
  v.panels.forEach((panel, index) => buildPanel(v, panel, index));
  v.changeStale = Boolean(v.change);
}

function buildPanel(v, panel, index) {
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
  panel.element = make("div", "panel", { "data-kind": panel.kind, "data-index": index },
    make("div", "name", {}, panel.title, panel.subtitle, panel.low[0]), panel.film, panel.under);
  if (["evidence", "difference", "true-difference"].includes(panel.kind) || panel.map) {
    panel.bar = { top: make("span"), bottom: make("span"), unit: make("span", "unit"), ramp: make("div", "ramp") };
    const { top, bottom, unit, ramp } = panel.bar;
    panel.bar.element = make("div", "bar", {}, bottom, ramp, top, unit);
    panel.under.append(panel.bar.element);
  }
  if (panel.kind === "evidence" || panel.kind === "without") {
    panel.divider = make("div", "divider", { role: "slider", tabindex: "0", "aria-label": "Swipe between scan and panel",
      "aria-valuemin": "0", "aria-valuemax": "100", hidden: "" });
    panel.film.append(panel.divider);
  }
  if (panel.kind === "scan" && v.header.spacing_mm) {
    panel.scale = make("div", "scale", {}, make("span"));
    panel.under.append(panel.scale);
  }
  panel.under.append(panel.low[1]);
  v.stage.append(panel.element);
}

/** Fits panels into the stage; all that are shown share one size. */
function layoutPanels(v) {
  const shown = v.panels.filter((panel) => v.maximised === null || v.panels[v.maximised] === panel);
  const width = v.stage.clientWidth, height = v.stage.clientHeight, gap = 6, strips = STRIPS;
  if (!shown.length || width < 40 || height < 40) return;
  const [frameHeight, frameWidth] = v.header.frame;
  let best = { scale: -1 }, whole = null; // whole: two rows, of panels that belong together
  for (let columns = 1; columns <= shown.length; columns++) {
    const rows = Math.ceil(shown.length / columns);
    const w = Math.floor((width - gap * (columns - 1)) / columns), h = Math.floor((height - gap * (rows - 1)) / rows) - strips;
    const scale = Math.min(w / frameWidth, h / (frameHeight * v.view.aspect));
    if (scale > best.scale) best = { scale, w, h, columns };
    if (shown.length % 2 === 0 && columns === shown.length / 2 && shown.length >= 4) whole = { scale, w, h, columns };
  }
  if (whole && (shown.length === 4 || whole.scale >= 0.75 * best.scale)) best = whole; // unless it makes them much smaller
  v.stage.style.gridTemplateColumns = `repeat(${best.columns}, ${best.w}px)`;
  v.stage.style.gridAutoRows = `${best.h + strips}px`;
  const dots = window.devicePixelRatio || 1, ratio = v.coarse ? dots * 0.6 : dots;
  v.size = { cssWidth: best.w, cssHeight: best.h, width: Math.round(best.w * ratio), height: Math.round(best.h * ratio), ratio };
  for (const panel of v.panels) {
    panel.shown = shown.includes(panel);
    panel.element.hidden = !panel.shown;
    if (!panel.shown || (panel.image && panel.canvas.width === v.size.width && panel.canvas.height === v.size.height)) continue;
    panel.canvas.width = v.size.width;
    panel.canvas.height = v.size.height;
    panel.image = panel.context.createImageData(v.size.width, v.size.height);
    panel.dots = new Uint32Array(panel.image.data.buffer);
  }
  if (v.view.fitted) fitView(v);
  viewMoved(v);
}

function fitView(v) {
  const [height, width] = v.header.frame;
  v.view.s = Math.min(v.size.cssWidth / width, v.size.cssHeight / (height * v.view.aspect));
  v.view.cx = width / 2;
  v.view.cy = height / 2;
  v.view.fitted = true;
  viewMoved(v);
}

/** Zoom or position changed: everything is sampled again. */
function viewMoved(v) {
  v.region = null;
  touch(v);
}

/** Marks panels (all, or those of the named kinds) for the next frame. */
function touch(v, ...kinds) {
  for (const panel of v.panels) if (!kinds.length || kinds.includes(panel.kind)) panel.dirty = true;
  if (!v.frame && !v.closed) v.frame = requestAnimationFrame(() => draw(v));
}

/** The amount of some finding changed. */
function changeMoved(v) {
  v.changeStale = Boolean(v.change);
  touch(v, "without", "difference");
}

function sampled(v, source) {
  const stamp = `${v.seen} ${source.grid.version}`;
  if (source.stamp === stamp) return source.buffer;
  const needed = v.size.width * v.size.height;
  if (source.buffer?.length !== needed) source.buffer = new Float32Array(needed);
  if (source.levels) sampleGrid(source.buffer, fittingLevel(source.levels, v.region), v.region, source.grid);
  else sampleGrid(source.buffer, source.grid, v.region);
  source.stamp = stamp;
  return source.buffer;
}

function draw(v) {
  v.frame = 0;
  if (!v.size || v.closed) return;
  const began = performance.now();
  if (!v.region) {
    v.region = visibleRegion(v.view, v.size, v.header.frame);
    v.seen++;
  }
  if (v.changeStale) sumChanges(v);
  let drawn = 0;
  for (const panel of v.panels) {
    if (!panel.dirty || !panel.shown) continue;
    panel.dirty = false;
    paintPanel(v, panel);
    drawn++;
  }
  const spent = performance.now() - began;
  if (drawn) {
    v.root.dataset.redrawMs = spent.toFixed(2);
    v.root.dataset.panelsDrawn = drawn;
    v.root.dataset.zoom = v.view.s.toFixed(4);
    v.root.dataset.frames = Number(v.root.dataset.frames ?? 0) + 1;
  }
  if (v.moving && !v.coarse && spent > 14 && v.size.width * v.size.height > 120000) {
    v.coarse = true; // sharp again as soon as the hand rests
    layoutPanels(v);
  }
  placeCross(v);
  writePanels(v);
}

function sumChanges(v) {
  const sum = v.change.grid;
  sum.data.fill(0);
  for (const name of takenAway(v)) {
    const finding = v.byName.get(name);
    addChange(sum.data, v.grids[finding.changes], finding.steps, v.amounts.get(name));
  }
  sum.version++;
  v.changeStale = false;
  let changed = 0;
  for (const value of sum.data) changed += Math.abs(value) > v.header.visible_change;
  v.changedShare = changed / sum.data.length;
}

/** What a panel shows right now: the blink and the plain scan replace its content. */
function contentOf(v, panel) {
  if (panel.kind === "free") return v.plain && panel.base ? "scan" : "free";
  if (v.plain || panel.kind === "scan") return "scan";
  if (blankWords(v)) return "blank";
  return panel.kind === "without" && v.blink && v.blinkPhase ? "scan" : panel.kind;
}

/** What stands on the panels where there is no result to show; "" where there is one. */
const blankWords = (v) => v.header.blank?.words ?? (v.byName?.get(v.finding)?.unsure ? "no result" : "");

const windowOf = (v, panel) => [panel.window[0] + v.shift * panel.window[1], panel.window[1] * v.stretch];

function paintPanel(v, panel) {
  const { dots, context, image } = panel, { region } = v, content = contentOf(v, panel);
  const grey = greyOf(windowOf(v, panel), v.invert), all = v.size.width;
  const base = panel.base && sampled(v, panel.base);
  dots.fill(0xff000000);
  const split = v.swipe && panel.divider && content !== "scan" && content !== "blank" ? Math.round(v.swipeAt * all) : 0;
  if (split) paintGrey(dots, region, base, null, grey, 0, split);
  if (content === "scan") {
    paintGrey(dots, region, base, null, grey, 0, all);
  } else if (content === "blank") {
    paintDim(dots, region, base, grey, BLANK_DIM, 0, all);
  } else if (content === "without") {
    paintGrey(dots, region, base, sampled(v, v.change), grey, split, all);
  } else if (content === "truth") {
    paintGrey(dots, region, base, sampled(v, v.byName.get(v.finding).truth), grey, 0, all);
  } else if (content === "difference" || content === "true-difference") {
    const table = overlayTable({ opacity: 1, threshold: 0, lift: 6 });
    paintMap(dots, region, base, sampled(v, mapOf(v, panel).map), v.header.difference_limit, table, grey, OTHER_DIM, 0, all);
  } else {
    const { map, limit, sequential } = mapOf(v, panel);
    if (map) {
      const table = overlayTable({ opacity: v.overlayOn ? v.opacity : 0, threshold: v.thresholdOn ? v.threshold : 0, sequential, opaque: !base });
      paintMap(dots, region, base, sampled(v, map), limit, table, grey, 1, split, all);
    } else paintGrey(dots, region, base, null, grey, 0, all);
  }
  context.putImageData(image, 0, 0);
  if (v.contour && ["evidence", "without", "free"].includes(content)) strokeContour(v, panel, split);
}

/** The map over a panel with its colour limit: evidence for the chosen finding, or the panel's own. */
function mapOf(v, panel) {
  if (panel.kind === "free") return { map: panel.map, limit: panel.spec.limit, unit: panel.spec.unit, sequential: panel.spec.sequential };
  if (["difference", "true-difference"].includes(panel.kind)) return { map: panel.kind === "difference" ? v.change : v.byName.get(v.finding).truth, limit: v.header.difference_limit, unit: "of the grey range", sequential: false, percent: 100 / v.header.grey_range };
  const finding = v.byName.get(v.finding);
  return { map: finding.evidence, limit: finding.limit, unit: finding.unit, sequential: finding.sequential };
}

function strokeContour(v, panel, split) {
  const { map, limit, sequential } = mapOf(v, panel), { region, size } = v, { context } = panel;
  if (!map) return;
  if (map.contourAt !== v.threshold) {
    map.contourAt = v.threshold;
    map.above = contourPath(map.grid, v.threshold * limit, false);
    map.below = sequential ? new Path2D() : contourPath(map.grid, -v.threshold * limit, true);
  }
  const place = new DOMMatrix([1 / region.ax, 0, 0, 1 / region.ay, 0.5 - region.bx / region.ax, 0.5 - region.by / region.ay]);
  context.save();
  context.beginPath();
  context.rect(split, 0, size.width - split, size.height);
  context.clip();
  for (const [source, colour] of [[map.above, "#ffc48a"], [map.below, "#a9ccff"]]) {
    const path = new Path2D();
    path.addPath(source, place);
    context.lineCap = "round";
    context.lineWidth = 3 * size.ratio;
    context.strokeStyle = "rgb(0 0 0 / 0.45)";
    context.stroke(path);
    context.lineWidth = 1.25 * size.ratio;
    context.strokeStyle = colour;
    context.stroke(path);
  }
  context.restore();
}
