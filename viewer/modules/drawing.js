// The pictures of the panels, drawn at their own resolution, only when something in them changed.

import { greyOf, overlayTable } from "./colours.js";
import { contentOf, mapOf } from "./content.js";
import { contourPath } from "./contour.js";
import { changeOf, levelsOf, scanOf, truthOf } from "./cuts.js";
import { currentWindow } from "./levels.js";
import { paintDim, paintGrey, paintMap } from "./paint.js";
import { layoutPanels } from "./panels.js";
import { write } from "./readout.js";
import { fittingLevel, sampleGrid, visibleRegion } from "./sampling.js";

const OTHER_DIM = 0.2;
const BLANK_DIM = 0.28;

function sampled(view, source, plane) {
  const { region } = plane;
  const stamp = `${plane.seen} ${source.grid.version}`;
  if (source.stamp === stamp) return source.buffer;
  const needed = view.drawing.size.width * view.drawing.size.height;
  if (source.buffer?.length !== needed) source.buffer = new Float32Array(needed);
  if (source.levels) sampleGrid(source.buffer, fittingLevel(source.levels, region), region, source.grid);
  else sampleGrid(source.buffer, source.grid, region);
  source.stamp = stamp;
  return source.buffer;
}

export function draw(view) {
  if (!view.drawing.size || view.life.closed) return;
  const began = performance.now();
  for (const plane of view.planes) {
    if (plane.region) continue;
    plane.region = visibleRegion(plane.zoom, view.drawing.size, plane.frame);
    plane.seen++;
  }
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
    view.dom.root.dataset.zoom = view.planes[0].zoom.scale.toFixed(4);
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
  view.marks?.draw();
  write(view);
}

/** Whether a grid is shown so small that a level with fewer pixels is the better start. */
const shrinks = ({ grid }, region) => region.ax * grid.width > 1.5;

function paintPanel(view, panel) {
  const { dots, context, image, plane } = panel;
  const { region } = plane;
  const content = contentOf(view, panel);
  const grey = greyOf(currentWindow(panel.window, view.levels), view.levels.invert);
  const all = view.drawing.size.width;
  const scan = scanOf(view, panel);
  if (scan && view.content.scan && shrinks(scan, region)) levelsOf(scan);
  const base = scan && sampled(view, scan, plane);
  dots.fill(0xff000000);
  const split =
    view.compare.swipe && panel.divider && content !== "scan" && content !== "blank"
      ? Math.round(view.compare.swipeAt * all)
      : 0;
  if (split) paintGrey(dots, region, base, null, grey, 0, split);
  if (content === "scan" || content === "prior") {
    paintGrey(dots, region, base, null, grey, 0, all);
  } else if (content === "blank") {
    paintDim(dots, region, base, grey, BLANK_DIM, 0, all);
  } else if (content === "without") {
    paintGrey(dots, region, base, sampled(view, changeOf(view, plane), plane), grey, split, all);
  } else if (content === "truth") {
    paintGrey(dots, region, base, sampled(view, truthOf(view, plane), plane), grey, 0, all);
  } else if (content === "difference" || content === "true-difference") {
    const table = overlayTable({ opacity: 1, threshold: 0, lift: 6 });
    paintMap(
      dots,
      region,
      base,
      sampled(view, mapOf(view, panel).map, plane),
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
      paintMap(dots, region, base, sampled(view, map, plane), limit, table, grey, 1, split, all);
    } else paintGrey(dots, region, base, null, grey, 0, all);
  }
  context.putImageData(image, 0, 0);
  if (view.content.scan) paintMissing(view, panel, scan.missing);
  if (view.overlay.contour && ["evidence", "without", "free"].includes(content)) strokeContour(view, panel, split);
}

function strokeContour(view, panel, split) {
  const { map, limit, sequential } = mapOf(view, panel);
  const { size } = view.drawing;
  const { context } = panel;
  const { region } = panel.plane;
  if (!map) return;
  const contourAt = `${view.overlay.threshold} ${map.grid.version}`;
  if (map.contourAt !== contourAt) {
    map.contourAt = contourAt;
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

/** Hatches the parts of a plane whose slices have not arrived: nobody shall take them for air. */
function paintMissing(view, { plane, context }, missing) {
  const { region } = plane;
  const along = plane.down === 0 ? [region.ay, region.by] : [region.ax, region.bx];
  const count = plane.frame[plane.down === 0 ? 0 : 1];
  context.fillStyle = hatch(view, context);
  const [left, top, wide, high] = [region.left, region.top, region.right - region.left, region.bottom - region.top];
  if (missing === true) return context.fillRect(left, top, wide, high);
  for (const [first, end] of missing) {
    const [from, to] = [first, end].map((k) => Math.round((k / count - along[1]) / along[0] + 0.5));
    if (plane.down === 0) context.fillRect(left, from, wide, to - from);
    else context.fillRect(from, top, to - from, high);
  }
}

function hatch(view, context) {
  if (view.drawing.hatch) return view.drawing.hatch;
  const tile = new OffscreenCanvas(8, 8);
  const brush = tile.getContext("2d");
  brush.fillStyle = "#141b24";
  brush.fillRect(0, 0, 8, 8);
  brush.strokeStyle = "#2b3a4c";
  for (const shift of [-8, 0, 8]) {
    brush.moveTo(shift, 8);
    brush.lineTo(shift + 8, 0);
  }
  brush.stroke();
  return (view.drawing.hatch = context.createPattern(tile, "repeat"));
}
