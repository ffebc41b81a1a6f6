import assert from "node:assert/strict";
import test from "node:test";

import { currentWindow, dragLevels, setLevels } from "../../viewer/modules/levels.js";

const start = [40, 400];
const untouched = () => ({ shift: 0, stretch: 1 });
const near = (a, b) => a.forEach((x, i) => assert.ok(Math.abs(x - b[i]) < 1e-9, `${a} is not ${b}`));

test("untouched levels show a panel's own window", () => {
  assert.deepEqual(currentWindow(start, untouched()), start);
});

test("to the right the window is wider, and down its level is higher", () => {
  const levels = untouched();
  dragLevels(levels, 240, 0);
  near(currentWindow(start, levels), [40, 400 * Math.E]);
  const lower = untouched();
  dragLevels(lower, 0, 320);
  near(currentWindow(start, lower), [440, 400]);
});

test("a drag there and back is undone", () => {
  const levels = untouched();
  dragLevels(levels, 73, 0);
  dragLevels(levels, 0, 21);
  dragLevels(levels, 0, -21);
  dragLevels(levels, -73, 0);
  near(currentWindow(start, levels), start);
});

test("a width stays positive, however far the drag", () => {
  const levels = untouched();
  dragLevels(levels, -1e6, 1e6);
  assert.ok(currentWindow(start, levels)[1] > 0 && Number.isFinite(currentWindow(start, levels)[0]));
});

test("a preset is met exactly, and moves the other panels' windows along", () => {
  const levels = untouched();
  setLevels(levels, start, -600, 1500);
  near(currentWindow(start, levels), [-600, 1500]);
  near(currentWindow([0, 4], levels), [-6.4, 15]);
});
