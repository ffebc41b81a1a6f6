// The magnifier: the scan under the pointer, sampled anew at three times the size, with the window that the panel has.

import { greyOf } from "./colours.js";
import { scanOf } from "./cuts.js";
import { make } from "./dom.js";
import { currentWindow } from "./levels.js";
import { paintGrey } from "./paint.js";
import { fittingLevel, sampleGrid, visibleRegion } from "./sampling.js";
import { placeInFrame } from "./zoom.js";

const WIDE = 220; // CSS pixels
const TIMES = 3;
const lenses = new WeakMap(); // view to its glass

function lensOf(view, side) {
  let lens = lenses.get(view);
  if (lens?.side === side) return lens;
  lens?.canvas.remove();
  const canvas = make("canvas", "lens", { "aria-hidden": "true", width: side, height: side });
  const image = new ImageData(side, side);
  lens = { side, canvas, context: canvas.getContext("2d", { alpha: false }), values: new Float32Array(side * side) };
  Object.assign(lens, { image, dots: new Uint32Array(image.data.buffer) });
  lenses.set(view, lens);
  return lens;
}

export function hideLens(view) {
  lenses.get(view)?.canvas.remove();
}

/** Lays the glass over a panel, around `at` {panel, x, y} in CSS pixels of its film. */
export function showLens(view, { panel, x, y }) {
  const { plane } = panel;
  const source = scanOf(view, panel);
  if (!source || !panel.shown) return hideLens(view);
  const { ratio } = view.drawing.size;
  const side = Math.round(WIDE * ratio);
  const { canvas, context, values, image, dots } = lensOf(view, side);
  const middle = placeInFrame(plane.zoom, view.drawing.size, { x, y });
  const zoom = { ...plane.zoom, scale: plane.zoom.scale * TIMES, centreX: middle.x, centreY: middle.y };
  const size = { cssWidth: WIDE, cssHeight: WIDE, width: side, height: side, ratio };
  const region = visibleRegion(zoom, size, plane.frame);
  dots.fill(0xff000000);
  const grid = source.levels ? fittingLevel(source.levels, region) : source.grid;
  sampleGrid(values, grid, region, source.grid);
  const grey = greyOf(currentWindow(panel.window, view.levels), view.levels.invert);
  paintGrey(dots, region, values, null, grey, 0, side);
  context.putImageData(image, 0, 0);
  if (canvas.parentNode !== panel.film) panel.film.append(canvas);
  canvas.style.transform = `translate(${x - WIDE / 2}px, ${y - WIDE / 2}px)`;
}
