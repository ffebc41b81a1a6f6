import assert from "node:assert/strict";
import test from "node:test";

import { planesOf } from "../../viewer/modules/planes.js";
import { project, projectMap, projectMapSlab, projectSlab, slabAround } from "../../viewer/modules/projection.js";
import { takeSlice, volumeOf } from "../../viewer/modules/volume.js";

test("a slab is as thick as was chosen, around its slice, and stays inside the volume", () => {
  assert.deepEqual(slabAround(50, 100, 10, 2), [48, 52]);
  assert.deepEqual(slabAround(50, 100, 0, 2), [50, 50]);
  assert.deepEqual(slabAround(0, 100, 10, 2), [0, 4]);
  assert.deepEqual(slabAround(99, 100, 10, 2), [95, 99]);
  assert.deepEqual(slabAround(3, 4, 60, 2), [0, 3]);
});

const planes = [
  [1, -4],
  [3, 2],
  [2, -1],
].map((values) => Float32Array.from(values));

const projected = (take, mode) => {
  const out = new Float32Array(2);
  planes.forEach((plane, i) => take(out, plane, mode, i));
  return [...out].map((value) => Math.round(value * 1000) / 1000);
};

test("maximum, minimum and mean are what their names say", () => {
  assert.deepEqual(projected(project, "maximum"), [3, 2]);
  assert.deepEqual(projected(project, "minimum"), [1, -4]);
  assert.deepEqual(projected(project, "mean"), [2, -1]);
});

test("a map keeps what is strongest in the slab with its sign, and its mean in a mean", () => {
  assert.deepEqual(projected(projectMap, "maximum"), [3, -4]);
  assert.deepEqual(projected(projectMap, "minimum"), [3, -4]);
  assert.deepEqual(projected(projectMap, "mean"), [2, -1]);
});

const [own] = planesOf({ shape: [3, 2, 2], spacing_mm: null, affine: null }, 1);

test("slices that have not arrived are left out of a slab, and it says how many it holds", () => {
  const volume = volumeOf({ dtype: "u2", shape: [3, 2, 2], scale: 1, zero: 0, token: "t" });
  takeSlice(volume, 0, Uint16Array.from([5, 1, 1, 1]).buffer);
  takeSlice(volume, 2, Uint16Array.from([2, 9, 1, 1]).buffer);
  const out = new Float32Array(4);
  assert.equal(projectSlab(out, new Float32Array(4), volume, own, [0, 2], "maximum"), 2);
  assert.deepEqual([...out], [5, 9, 1, 1]);
  const doubled = (plane, index) => index === 2 && plane.forEach((value, i) => (plane[i] = 2 * value));
  projectSlab(out, new Float32Array(4), volume, own, [0, 2], "maximum", doubled);
  assert.deepEqual([...out], [5, 18, 2, 2], "every voxel changes before the slab is projected");
});

test("a map whose slices lie further apart than the scan's takes part in a slab", () => {
  const map = volumeOf({ dtype: "f4", shape: [2, 2, 2], scale: 1, zero: 0, token: "t" });
  for (const k of [0, 1]) takeSlice(map, k, Float32Array.from([k ? -3 : 1, 0, 0, 0]).buffer);
  const out = new Float32Array(4);
  projectMapSlab(out, new Float32Array(4), map, own, [0, 9], 10, "maximum");
  assert.ok(out[0] < -1.5, "the stronger one, as near as its planes are looked at");
  projectMapSlab(out, new Float32Array(4), map, own, [0, 0], 10, "maximum");
  assert.equal(out[0], 1);
});
