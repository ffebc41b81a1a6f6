// The magnifier: the scan under the pointer, sampled anew at three times the size, with the window that the panel has.

import { greyOf } from "./colours.js";
import { scanOf } from "./cuts.js";
import { currentWindow } from "./levels.js";
import { paintGrey } from "./paint.js";
import { fittingLevel, sampleGrid, visibleRegion } from "./sampling.js";
import { placeInFrame } from "./zoom.js";

const WIDE = 220; // CSS pixels
const TIMES = 3;
const kept = { side: 0, values: null, image: null, tile: null };

/** Paints the glass onto a canvas over a panel, around `at` {x, y} in CSS pixels of the panel. */
export function paintLens(view, context, panel, plane, at) {
  const source = scanOf(view, panel);
  if (!source) return;
  const { ratio } = view.drawing.size;
  const side = Math.round(WIDE * ratio);
  if (kept.side !== side) {
    const tile = new OffscreenCanvas(side, side);
    Object.assign(kept, { side, values: new Float32Array(side * side), image: new ImageData(side, side), tile });
  }
  const middle = placeInFrame(plane.zoom, view.drawing.size, at);
  const zoom = { ...plane.zoom, scale: plane.zoom.scale * TIMES, centreX: middle.x, centreY: middle.y };
  const size = { cssWidth: WIDE, cssHeight: WIDE, width: side, height: side, ratio };
  const region = visibleRegion(zoom, size, plane.frame);
  const dots = new Uint32Array(kept.image.data.buffer);
  dots.fill(0xff000000);
  const grid = source.levels ? fittingLevel(source.levels, region) : source.grid;
  sampleGrid(kept.values, grid, region, source.grid);
  paintGrey(
    ...[dots, region, kept.values, null],
    ...[greyOf(currentWindow(panel.window, view.levels), view.levels.invert), 0, side],
  );
  kept.tile.getContext("2d").putImageData(kept.image, 0, 0);
  const [x, y] = [at.x * ratio, at.y * ratio];
  context.save();
  context.beginPath();
  context.arc(x, y, side / 2, 0, 2 * Math.PI);
  context.clip();
  context.drawImage(kept.tile, x - side / 2, y - side / 2);
  context.restore();
  context.lineWidth = 1.5 * ratio;
  context.strokeStyle = "#9cc3f7";
  context.beginPath();
  context.arc(x, y, side / 2, 0, 2 * Math.PI);
  context.stroke();
}
