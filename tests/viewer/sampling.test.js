import assert from "node:assert/strict";
import test from "node:test";

import { fittingLevel, pixelAt, pyramid, sampleGrid, valueAt, visibleRegion } from "../../viewer/modules/sampling.js";

const gridOf = (width, height, value) => ({
  width,
  height,
  factor: 1,
  data: Float32Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width))),
});

test("a grid at its own resolution is sampled as it is", () => {
  const grid = gridOf(6, 4, (x, y) => 10 * y + x);
  const size = { width: 6, height: 4, ratio: 1 };
  const region = visibleRegion({ scale: 1, centreX: 3, centreY: 2, aspect: 1 }, size, [4, 6]);
  const out = new Float32Array(24);
  sampleGrid(out, grid, region);
  assert.ok(out.every((value, i) => Math.abs(value - grid.data[i]) < 1e-5));
});

test("a small grid covers the same frame as a large one", () => {
  const ramp = (width) => gridOf(width, width, (x) => (x + 0.5) / width);
  for (const u of [0.3, 0.5, 0.61]) assert.ok(Math.abs(valueAt(ramp(8), u, 0.5) - valueAt(ramp(64), u, 0.5)) < 1e-6);
});

test("output beyond the frame is left out", () => {
  const region = visibleRegion(
    { scale: 1, centreX: 5, centreY: 5, aspect: 1 },
    { width: 30, height: 20, ratio: 1 },
    [10, 10],
  );
  assert.deepEqual([region.left, region.right, region.top, region.bottom], [10, 20, 5, 15]);
});

test("each level of a pyramid keeps the mean, and the fitting one is never finer than needed", () => {
  const levels = pyramid(gridOf(512, 512, (x, y) => (x * 7 + y * 3) % 11));
  const mean = ({ data }) => data.reduce((sum, value) => sum + value, 0) / data.length;
  assert.deepEqual(
    levels.map((level) => level.width),
    [512, 256, 128],
  );
  for (const level of levels) assert.ok(Math.abs(mean(level) - mean(levels[0])) < 1e-3);
  assert.deepEqual(
    [0.5, 1, 2, 4, 64].map((perPixel) => levels.indexOf(fittingLevel(levels, { ax: perPixel / 512 }))),
    [0, 0, 1, 2, 2],
  );
});

test("a readout names the stored pixel, not a mixture", () => {
  const grid = gridOf(4, 4, (x, y) => 100 * y + x);
  assert.equal(pixelAt(grid, 0.3, 0.8), 301);
  assert.equal(pixelAt(grid, 1, 1), 303);
});
