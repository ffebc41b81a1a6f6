import assert from "node:assert/strict";
import test from "node:test";

import { rolled, sliceAt } from "../../viewer/modules/slices.js";

test("slices are walked in order and end at the first and the last", () => {
  assert.deepEqual(
    [-1, 0, 1].map((by) => sliceAt(5, by, 10)),
    [4, 5, 6],
  );
  assert.deepEqual([sliceAt(5, -10, 10), sliceAt(5, 10, 10), sliceAt(0, 1, 1)], [0, 9, 0]);
});

test("a notch of the wheel is one slice, in the direction of the turn", () => {
  const slices = { rolled: 0 };
  assert.deepEqual(
    [120, 120, -120, 53].map((delta) => rolled(slices, delta)),
    [1, 1, -1, 1],
  );
});

test("the small steps of a touchpad add up to a slice", () => {
  const slices = { rolled: 0 };
  assert.deepEqual(
    [20, 20, 20, 20, 20].map((delta) => rolled(slices, delta)),
    [0, 0, 1, 0, 0],
  );
  assert.deepEqual(
    [-30, -30, -30].map((delta) => rolled(slices, delta)),
    [0, -0, -1],
  );
});
