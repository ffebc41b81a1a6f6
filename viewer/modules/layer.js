// What is drawn, painted over the panels: one canvas for what stands, painted when it or the view moves, and one above it
// for what is under the hand, so that a hand that draws has nothing else repainted.

import { chosen, lockedBy, marksOn, onItsScan, shownAt, sliceOf, wordsOf } from "./annotating.js";
import { make } from "./dom.js";
import { hideLens, showLens } from "./lens.js";
import { REGIONS, boxAround, handlesOf, outlineOf } from "./shapes.js";
import { ownSize, transformOf } from "./turning.js";
import { placeInPanel } from "./zoom.js";

const LINE = "#7cc4ff";
const CHOSEN = "#ffd35c";
const FIXED = "#aab5c1"; // what is locked
const HALO = "rgb(0 0 0 / 0.55)";
const paths = new WeakMap(); // mark to its outline, by plane
const stains = new WeakMap(); // mark to the bitmap of a brush
const widths = new Map(); // words to how wide they are written

/** Two canvases over a panel's picture, at its resolution. */
function layersOf(view, panel) {
  panel.layers ??= ["marks", "hand"].map((name) => {
    const canvas = make("canvas", `layer ${name}`, { "aria-hidden": "true" });
    panel.canvas.after(canvas);
    return { canvas, context: canvas.getContext("2d"), stamp: "" };
  });
  const { width, height } = view.drawing.size;
  for (const layer of panel.layers) {
    if (layer.canvas.width === width && layer.canvas.height === height) continue;
    Object.assign(layer.canvas, { width, height });
    layer.stamp = "";
  }
  if (panel.layers[0].canvas.nextSibling !== panel.layers[1].canvas)
    panel.layers[0].canvas.after(panel.layers[1].canvas);
  return panel.layers;
}

/** From pixels of a plane's frame to pixels of the canvas. */
function placing(view, plane) {
  const { size } = view.drawing;
  const origin = placeInPanel(plane.zoom, size, { x: 0, y: 0 });
  const across = plane.zoom.scale * size.ratio;
  return { across, down: across * plane.zoom.aspect, left: origin.x * size.ratio, top: origin.y * size.ratio };
}

const onCanvas = ({ across, down, left, top }, { x, y }) => ({ x: x * across + left, y: y * down + top });

export function drawLayers(view, drawing) {
  if (!view.drawing.size || view.life.closed || !drawing.given) return;
  const began = performance.now();
  for (const panel of view.content.panels) {
    if (!panel.shown || panel.kind === "prior") continue;
    const { plane } = panel;
    const [standing, hand] = layersOf(view, panel);
    const place = placing(view, plane);
    const slice = sliceOf(view, plane);
    const selected = drawing.history.selected;
    const where = `${Object.values(place)} ${slice} ${plane.axis} ${view.content.loaded}`;
    const stamp = `${where} ${drawing.draft ? drawing.draft.stamp : drawing.version} ${selected} ${drawing.shutter}`;
    const marks = marksOn(view, drawing, plane);
    if (standing.stamp !== stamp) {
      standing.stamp = stamp;
      paintStanding(view, drawing, standing.context, plane, place, marks);
    }
    paintHand(view, drawing, hand, panel, plane, place);
  }
  if (drawing.lens.on && drawing.lens.at) showLens(view, drawing.lens.at);
  else hideLens(view);
  view.dom.root.dataset.layersMs = (performance.now() - began).toFixed(2);
}

function paintStanding(view, drawing, context, plane, place, marks) {
  const { size } = view.drawing;
  context.clearRect(0, 0, size.width, size.height);
  const selected = drawing.history.selected;
  const others = marks.filter((mark) => mark.id !== selected && inSight(mark, plane, place, size));
  for (const mark of others) if (mark.kind === "brush") paintStain(context, mark, plane, place, LINE);
  const all = new Path2D();
  for (const mark of others) if (mark.kind !== "brush") all.addPath(outline(mark, plane), matrix(place));
  strokeTwice(context, all, lockedBy(drawing) ? FIXED : LINE, size.ratio);
  for (const mark of others) writeBeside(view, drawing, context, mark, plane, place, LINE);
  if (drawing.shutter) paintShutter(context, drawing.shutter, plane, place, size);
}

function paintHand(view, drawing, layer, panel, plane, place) {
  const { context } = layer;
  const { size } = view.drawing;
  const mark = drawing.draft?.mark ?? chosen(drawing);
  const drawn = mark && onItsScan(view, drawing) && (mark.kind !== "brush" || mark.runs.length > 0);
  const onIt = drawn && mark.axis === plane.axis && mark.slice === sliceOf(view, plane);
  const trail = drawing.draft?.trail;
  if (layer.used) context.clearRect(0, 0, size.width, size.height);
  layer.used = Boolean(onIt || trail);
  if (trail && trail.axis === plane.axis) paintTrail(context, trail, drawing, plane, place, size);
  if (onIt) {
    if (mark.kind === "brush") paintStain(context, mark, plane, place, CHOSEN);
    else {
      const own = new Path2D();
      own.addPath(outline(mark, plane, Boolean(drawing.draft)), matrix(place));
      strokeTwice(context, own, CHOSEN, size.ratio);
    }
    if (!lockedBy(drawing)) paintHandles(context, mark, plane, place, size.ratio);
    writeBeside(view, drawing, context, mark, plane, place, CHOSEN, Boolean(drawing.draft));
  }
}

const matrix = ({ across, down, left, top }) => new DOMMatrix([across, 0, 0, down, left, top]);

function strokeTwice(context, path, colour, ratio) {
  context.lineJoin = "round";
  context.lineWidth = 3.2 * ratio;
  context.strokeStyle = HALO;
  context.stroke(path);
  context.lineWidth = 1.4 * ratio;
  context.strokeStyle = colour;
  context.stroke(path);
}

/** The outline in pixels of the frame; kept, but for one that is being drawn. */
function outline(mark, plane, fresh = false) {
  const key = `${plane.axis}${plane.flipDown}${plane.flipAcross}${plane.frame}`;
  const known = paths.get(mark);
  if (!fresh && known?.key === key) return known.path;
  const path = new Path2D();
  outlineOf(mark).forEach((point, i) => {
    const { x, y } = shownAt(plane, point);
    if (i) path.lineTo(x, y);
    else path.moveTo(x, y);
  });
  if (REGIONS.includes(mark.kind) && !mark.open) path.closePath();
  if (!fresh) paths.set(mark, { key, path });
  return path;
}

function inSight(mark, plane, place, { width, height }) {
  const [top, left, bottom, right] = boxAround(mark);
  const [a, b] = [shownAt(plane, [top, left]), shownAt(plane, [bottom, right])].map((at) => onCanvas(place, at));
  return Math.max(a.x, b.x) > 0 && Math.min(a.x, b.x) < width && Math.max(a.y, b.y) > 0 && Math.min(a.y, b.y) < height;
}

/** A brush as a bitmap of its own pixels, put where they are. */
function paintStain(context, mark, plane, place, colour) {
  const [top, left, bottom, right] = boxAround(mark);
  let stain = stains.get(mark);
  if (!stain || stain.colour !== colour) {
    const tile = new OffscreenCanvas(right - left, bottom - top);
    const brush = tile.getContext("2d");
    brush.fillStyle = colour;
    for (const [row, column, count] of mark.runs) brush.fillRect(column - left, row - top, count, 1);
    stains.set(mark, (stain = { colour, tile }));
  }
  const corner = shownAt(plane, [top, left]);
  const along = shownAt(plane, [top, left + 1]);
  const down = shownAt(plane, [top + 1, left]);
  context.save();
  context.globalAlpha = 0.4;
  context.imageSmoothingEnabled = false;
  context.setTransform(matrix(place));
  context.transform(
    ...[along.x - corner.x, along.y - corner.y, down.x - corner.x, down.y - corner.y, corner.x, corner.y],
  );
  context.drawImage(stain.tile, 0, 0);
  context.restore();
}

/** The way of a brush or an eraser before it is let go. */
function paintTrail(context, { points, erases }, { radius }, plane, place, { ratio }) {
  context.save();
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = 2 * radius * ratio;
  context.strokeStyle = erases ? "rgb(0 0 0 / 0.5)" : "rgb(255 211 92 / 0.4)";
  context.beginPath();
  points.forEach((point, i) => {
    const { x, y } = onCanvas(place, shownAt(plane, point));
    if (i) context.lineTo(x, y);
    else context.moveTo(x, y);
  });
  if (points.length === 1) context.lineTo(...Object.values(onCanvas(place, shownAt(plane, points[0]))));
  context.stroke();
  context.restore();
}

function paintHandles(context, mark, plane, place, ratio) {
  context.fillStyle = "#0b0f14";
  context.lineWidth = 1.5 * ratio;
  context.strokeStyle = CHOSEN;
  for (const point of handlesOf(mark)) {
    const { x, y } = onCanvas(place, shownAt(plane, point));
    context.beginPath();
    context.rect(x - 3.5 * ratio, y - 3.5 * ratio, 7 * ratio, 7 * ratio);
    context.fill();
    context.stroke();
  }
}

/** What stands beside a mark: all that is measured on the chosen one; of others the label, or the first number. */
function briefly(view, drawing, mark, all, quick) {
  if (!all && mark.label) return mark.label;
  const words = wordsOf(view, drawing, mark, { quick });
  return all ? [mark.label, words].filter(Boolean).join(" \u00b7 ") : words.split(/,| at /)[0];
}

/** Label and measurement, upright, at what is shown as the upper right of a mark. */
function writeBeside(view, drawing, context, mark, plane, place, colour, quick = false) {
  if (mark.open && mark.points.length < 3) return; // nothing to measure yet
  const { ratio, width, height } = view.drawing.size;
  const [top, left, bottom, right] = boxAround(mark);
  const turned = new DOMMatrix(transformOf(view.turn, width, height)); // from the film to what is shown
  const corners = [shownAt(plane, [top, left]), shownAt(plane, [bottom, right])].map((at) =>
    turned.transformPoint(onCanvas(place, at)),
  );
  const words = briefly(view, drawing, mark, colour === CHOSEN, quick);
  context.font = `${11.5 * ratio}px system-ui, sans-serif`;
  const key = `${ratio} ${words}`;
  if (!widths.has(key)) {
    if (widths.size > 2000) widths.clear();
    widths.set(key, context.measureText(words).width);
  }
  const wide = widths.get(key);
  const [most] = ownSize(view.turn, width, height);
  const x = Math.max(2 * ratio, Math.min(most - wide - 4 * ratio, Math.max(corners[0].x, corners[1].x) + 5 * ratio));
  const y = Math.max(13 * ratio, Math.min(corners[0].y, corners[1].y) + 4 * ratio);
  context.setTransform(turned.inverse());
  context.fillStyle = "rgb(7 9 12 / 0.72)";
  context.fillRect(x - 3 * ratio, y - 11 * ratio, wide + 6 * ratio, 15 * ratio);
  context.fillStyle = colour;
  context.fillText(words, x, y);
  context.resetTransform();
}

function paintShutter(context, points, plane, place, { width, height }) {
  const [a, b] = points.map((point) => onCanvas(place, shownAt(plane, point)));
  context.beginPath();
  context.rect(0, 0, width, height);
  context.rect(Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(a.x - b.x), Math.abs(a.y - b.y));
  context.fillStyle = "#000";
  context.fill("evenodd");
}
