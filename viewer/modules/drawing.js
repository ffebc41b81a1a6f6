// The pictures of the panels, drawn at their own resolution, only when something in them changed.

import { greyOf, overlayTable } from "./colours.js";
import { contentOf, mapOf } from "./content.js";
import { contourPath } from "./contour.js";
import { takenAway, truthNow } from "./counterfactual.js";
import { currentWindow } from "./levels.js";
import { paintDim, paintGrey, paintMap } from "./paint.js";
import { layoutPanels } from "./panels.js";
import { addChange } from "./path.js";
import { write } from "./readout.js";
import { fittingLevel, sampleGrid, visibleRegion } from "./sampling.js";

const OTHER_DIM = 0.2;
const BLANK_DIM = 0.28;

function sampled(view, source) {
  const stamp = `${view.drawing.seen} ${source.grid.version}`;
  if (source.stamp === stamp) return source.buffer;
  const needed = view.drawing.size.width * view.drawing.size.height;
  if (source.buffer?.length !== needed) source.buffer = new Float32Array(needed);
  if (source.levels)
    sampleGrid(source.buffer, fittingLevel(source.levels, view.drawing.region), view.drawing.region, source.grid);
  else sampleGrid(source.buffer, source.grid, view.drawing.region);
  source.stamp = stamp;
  return source.buffer;
}

export function draw(view) {
  if (!view.drawing.size || view.life.closed) return;
  const began = performance.now();
  if (!view.drawing.region) {
    view.drawing.region = visibleRegion(view.zoom, view.drawing.size, view.content.header.frame);
    view.drawing.seen++;
  }
  if (view.content.changeStale) sumChanges(view);
  let drawn = 0;
  for (const panel of view.content.panels) {
    if (!panel.dirty || !panel.shown) continue;
    panel.dirty = false;
    paintPanel(view, panel);
    drawn++;
  }
  const spent = performance.now() - began;
  if (drawn) {
    view.dom.root.dataset.redrawMs = spent.toFixed(2);
    view.dom.root.dataset.panelsDrawn = drawn;
    view.dom.root.dataset.zoom = view.zoom.scale.toFixed(4);
    view.dom.root.dataset.frames = Number(view.dom.root.dataset.frames ?? 0) + 1;
  }
  if (
    view.pointer.moving &&
    !view.drawing.coarse &&
    spent > 14 &&
    view.drawing.size.width * view.drawing.size.height > 120000
  ) {
    view.drawing.coarse = true; // sharp again as soon as the hand rests
    layoutPanels(view);
  }
  write(view);
}

function sumChanges(view) {
  const sum = view.content.change.grid;
  sum.data.fill(0);
  for (const name of takenAway(view)) {
    const finding = view.content.byName.get(name);
    addChange(sum.data, view.content.grids[finding.changes], finding.steps, view.selection.amounts.get(name));
  }
  sum.version++;
  view.content.changeStale = false;
  let changed = 0;
  for (const value of sum.data) changed += Math.abs(value) > view.content.header.visible_change;
  view.content.changedShare = changed / sum.data.length;
}

function paintPanel(view, panel) {
  const { dots, context, image } = panel;
  const { region } = view.drawing;
  const content = contentOf(view, panel);
  const grey = greyOf(currentWindow(panel.window, view.levels), view.levels.invert);
  const all = view.drawing.size.width;
  const base = panel.base && sampled(view, panel.base);
  dots.fill(0xff000000);
  const split =
    view.compare.swipe && panel.divider && content !== "scan" && content !== "blank"
      ? Math.round(view.compare.swipeAt * all)
      : 0;
  if (split) paintGrey(dots, region, base, null, grey, 0, split);
  if (content === "scan") {
    paintGrey(dots, region, base, null, grey, 0, all);
  } else if (content === "blank") {
    paintDim(dots, region, base, grey, BLANK_DIM, 0, all);
  } else if (content === "without") {
    paintGrey(dots, region, base, sampled(view, view.content.change), grey, split, all);
  } else if (content === "truth") {
    paintGrey(dots, region, base, sampled(view, truthNow(view)), grey, 0, all);
  } else if (content === "difference" || content === "true-difference") {
    const table = overlayTable({ opacity: 1, threshold: 0, lift: 6 });
    paintMap(
      dots,
      region,
      base,
      sampled(view, mapOf(view, panel).map),
      view.content.header.difference_limit,
      table,
      grey,
      OTHER_DIM,
      0,
      all,
    );
  } else {
    const { map, limit, sequential } = mapOf(view, panel);
    if (map) {
      const table = overlayTable({
        opacity: view.overlay.on ? view.overlay.opacity : 0,
        threshold: view.overlay.thresholdOn ? view.overlay.threshold : 0,
        sequential,
        opaque: !base,
      });
      paintMap(dots, region, base, sampled(view, map), limit, table, grey, 1, split, all);
    } else paintGrey(dots, region, base, null, grey, 0, all);
  }
  context.putImageData(image, 0, 0);
  if (view.overlay.contour && ["evidence", "without", "free"].includes(content)) strokeContour(view, panel, split);
}

function strokeContour(view, panel, split) {
  const { map, limit, sequential } = mapOf(view, panel);
  const { region, size } = view.drawing;
  const { context } = panel;
  if (!map) return;
  if (map.contourAt !== view.overlay.threshold) {
    map.contourAt = view.overlay.threshold;
    map.above = contourPath(map.grid, view.overlay.threshold * limit, false);
    map.below = sequential ? new Path2D() : contourPath(map.grid, -view.overlay.threshold * limit, true);
  }
  const place = new DOMMatrix([
    1 / region.ax,
    0,
    0,
    1 / region.ay,
    0.5 - region.bx / region.ax,
    0.5 - region.by / region.ay,
  ]);
  context.save();
  context.beginPath();
  context.rect(split, 0, size.width - split, size.height);
  context.clip();
  for (const [source, colour] of [
    [map.above, "#ffc48a"],
    [map.below, "#a9ccff"],
  ]) {
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
