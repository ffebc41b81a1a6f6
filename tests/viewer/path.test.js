import assert from "node:assert/strict";
import test from "node:test";

import { addChange, along, flipOf, largest, startAmount } from "../../viewer/modules/path.js";

const steps = [0, 0.5, 1, 1.5];

test("the flip lies where the line between two steps meets the operating point", () => {
  assert.equal(flipOf({ steps, probabilities: [0.9, 0.7, 0.3, 0.1], threshold: 0.5 }), 0.75);
  assert.equal(
    flipOf({ steps, probabilities: [0.9, 0.5, 0.3, 0.1], threshold: 0.5 }),
    0.5,
    "at its operating point it is a no",
  );
});

test("a call that is no from the start, or stays yes, does not flip", () => {
  assert.equal(flipOf({ steps, probabilities: [0.5, 0.4, 0.3, 0.2], threshold: 0.5 }), null);
  assert.equal(flipOf({ steps, probabilities: [0.9, 0.8, 0.7, 0.6], threshold: 0.5 }), null);
});

test("the first of several flips is the one that counts", () => {
  const flip = flipOf({ steps, probabilities: [0.6, 0.4, 0.8, 0.2], threshold: 0.5 });
  assert.ok(Math.abs(flip - 0.25) < 1e-12);
});

test("a probability between two steps is mixed from both, and beyond the ends it is the end's", () => {
  const values = [0.8, 0.6, 0.2, 0.1];
  assert.equal(along(steps, values, 0), 0.8);
  assert.ok(Math.abs(along(steps, values, 0.75) - 0.4) < 1e-12);
  assert.equal(along(steps, values, 1.5), 0.1);
  assert.equal(along(steps, values, 9), 0.1);
});

test("one frame of change grows with the amount; several are mixed from the two nearest", () => {
  const sum = Float32Array.of(1, 1);
  addChange(sum, { data: Int16Array.of(10, -20), scale: 0.1, frames: 0 }, steps, 0.5);
  assert.deepEqual([...sum], [1.5, 0]);
  const frames = { data: Int16Array.of(0, 0, 10, 0, 20, 40, 20, 80), scale: 0.5, frames: 4 };
  const at = (a) => {
    const added = new Float32Array(2);
    addChange(added, frames, steps, a);
    return [...added];
  };
  assert.deepEqual(at(0), [0, 0]);
  assert.deepEqual(at(0.5), [5, 0]);
  assert.deepEqual(at(0.75), [7.5, 10]);
  assert.deepEqual(at(1.5), [10, 40]);
});

test("a finding begins taken away once, or as far as its path goes", () => {
  assert.deepEqual([largest({ steps }), startAmount({ steps })], [1.5, 1]);
  assert.deepEqual([largest({ steps: [0, 0.8] }), startAmount({ steps: [0, 0.8] })], [0.8, 0.8]);
  assert.equal(startAmount({}), 1);
});
