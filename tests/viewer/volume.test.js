import assert from "node:assert/strict";
import test from "node:test";

import { planesOf } from "../../viewer/modules/planes.js";
import {
  addPlane,
  arrivedAt,
  complete,
  cutPlane,
  missingIn,
  shapeOf,
  takeSlice,
  volumeOf,
  voxelAt,
} from "../../viewer/modules/volume.js";

const [S, H, W] = [4, 3, 5];
const value = (k, r, c) => 100 * k + 10 * r + c;

function filled(skip = [], shape = [S, H, W], dtype = "u2") {
  const volume = volumeOf({ dtype, shape, scale: 1, zero: -7, token: "t" });
  const stored = { u2: Uint16Array, f4: Float32Array }[dtype];
  for (let k = 0; k < S; k++)
    if (!skip.includes(k))
      takeSlice(volume, k, stored.from({ length: H * W }, (_, i) => value(k, Math.floor(i / W), i % W)).buffer);
  return volume;
}

const everyWay = () => {
  const planes = [];
  for (const sign of [1, -1])
    for (const [slice, row, column] of [
      [2, 1, 0],
      [0, 2, 1],
      [1, 2, 0],
    ]) {
      const affine = [0, 1, 2].map((i) => [slice, row, column].map((to) => (to === i ? sign : 0)).concat(0));
      planes.push(...planesOf({ shape: [S, H, W], spacing_mm: [1, 1, 1], affine: [...affine, [0, 0, 0, 1]] }, 1));
    }
  return planes;
};

test("every plane, turned every way, shows the voxels that it cuts", () => {
  const volume = filled();
  const lengths = [S, H, W];
  for (const plane of everyWay()) {
    const [rows, columns] = shapeOf(volume, plane);
    for (let index = 0; index < lengths[plane.axis]; index++) {
      const out = new Float32Array(rows * columns);
      cutPlane(out, volume, plane, index);
      for (let y = 0; y < rows; y++)
        for (let x = 0; x < columns; x++) {
          const at = [];
          at[plane.axis] = index;
          at[plane.down] = plane.flipDown ? rows - 1 - y : y;
          at[plane.across] = plane.flipAcross ? columns - 1 - x : x;
          assert.equal(out[y * columns + x], value(...at) - 7);
          assert.equal(voxelAt(volume, at), value(...at) - 7);
        }
    }
  }
});

test("a map between two of its planes is mixed from both, and its ends stay its ends", () => {
  const map = filled([], [S, H, W], "f4");
  const [own, rows] = planesOf({ shape: [40, 30, 50], spacing_mm: null, affine: null }, 1);
  const cut = (plane, at) => {
    const out = new Float32Array(shapeOf(map, plane).reduce((a, b) => a * b));
    addPlane(out, map, plane, at, 2);
    return out[0];
  };
  assert.equal(cut(own, 0.5), 2 * 150, "halfway between slices 1 and 2 of 4");
  assert.equal(cut(own, 0), 0);
  assert.equal(cut(own, 1), 2 * 300);
  assert.ok(Math.abs(cut(rows, 0.5) - 2 * 10) < 1e-4, "the middle one of 3 rows");
});

test("one frame of a change is taken by itself", () => {
  const volume = volumeOf({ dtype: "i2", shape: [3, 1, 2, 2], scale: 0.5, zero: 0, token: "t" });
  takeSlice(volume, 0, Int16Array.from({ length: 12 }, (_, i) => i).buffer);
  const [own] = planesOf({ shape: [1, 2, 2], spacing_mm: null, affine: null }, 1);
  const out = new Float32Array(4);
  addPlane(out, volume, own, 0.5, 1, 2);
  assert.deepEqual([...out], [4, 4.5, 5, 5.5]);
});

test("what has not arrived is known by its place in every plane", () => {
  const volume = filled([0, 1, 3]);
  const head = [
    [0, 0, 1, 0],
    [0, 1, 0, 0],
    [1, 0, 0, 0],
    [0, 0, 0, 1],
  ];
  const planes = planesOf({ shape: [S, H, W], spacing_mm: [1, 1, 1], affine: head }, 1);
  assert.equal(missingIn(volume, planes[0], 1), true);
  assert.deepEqual(missingIn(volume, planes[0], 2), []);
  assert.deepEqual(missingIn(volume, planes[1], 0), [
    [0, 1],
    [2, 4],
  ]);
  assert.equal(voxelAt(volume, [0, 0, 0]), null);
  assert.equal(complete(volume), false);
  assert.equal(arrivedAt(volume, planes[0], 0.625), true, "the middle of the third of four");
  assert.equal(arrivedAt(volume, planes[0], 0.5), false);
  assert.equal(arrivedAt(volume, planes[1], 0.5), false);
});

test("the strongest evidence is known for every slice, row and column, with its sign", () => {
  const map = volumeOf({ dtype: "f4", shape: [2, 2, 3], scale: 1, zero: 0, token: "t" });
  takeSlice(map, 1, Float32Array.from([0.1, -0.5, 0, 0, 0.2, 0]).buffer);
  const [slices, rows, columns] = map.strongest.map((one) => [...one].map((x) => Math.round(x * 10) / 10));
  assert.deepEqual(
    [slices, rows, columns],
    [
      [NaN, -0.5],
      [-0.5, 0.2],
      [0.1, -0.5, 0],
    ],
  );
});
