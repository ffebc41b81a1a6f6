import assert from "node:assert/strict";
import test from "node:test";

import { dueAfter, following, isDue, startingCine, stopCine } from "../../viewer/modules/cine.js";

function walk(count, steps, cine, at = 0) {
  const seen = [at];
  for (let direction = 1; seen.length <= steps;) {
    const next = following(seen.at(-1), count, { ...cine, direction });
    direction = next.direction;
    seen.push(next.at);
  }
  return seen;
}

test("slices play around, from the last to the first", () => {
  assert.deepEqual(walk(4, 6, { sweep: false }), [0, 1, 2, 3, 0, 1, 2]);
});

test("or there and back, and the ends are shown once", () => {
  assert.deepEqual(walk(4, 8, { sweep: true }), [0, 1, 2, 3, 2, 1, 0, 1, 2]);
  assert.deepEqual(walk(1, 2, { sweep: true }), [0, 0, 0]);
});

test("frames come at the rate, and one that is late is not made up for", () => {
  const cine = { last: 1000, rate: 10 };
  assert.equal(isDue(cine, 1090), false);
  assert.equal(isDue(cine, 1099), true);
  assert.equal(dueAfter(1000, 1104, 10), 1100, "a small delay is not added up");
  assert.equal(dueAfter(1000, 5000, 10), 5000, "a long one brings no burst");
});

test("what ends it is told once", () => {
  globalThis.cancelAnimationFrame = () => {};
  const told = [];
  const view = { cine: { ...startingCine(), playing: true, ended: () => told.push(view.cine.playing) } };
  stopCine(view);
  stopCine(view);
  assert.deepEqual(told, [false]);
});
