import assert from "node:assert/strict";
import test from "node:test";

import { greyOf, overlayTable, rampGradient } from "../../viewer/modules/colours.js";
import { paintDim, paintGrey, paintMap } from "../../viewer/modules/paint.js";

const red = (colour) => colour & 255;
const blue = (colour) => (colour >> 16) & 255;
const all = { opacity: 1, threshold: 0, sequential: false, opaque: true };
const row = { left: 0, right: 5, top: 0, bottom: 1, stride: 5 };

test("above zero is orange, below is blue, and the middle of the bar is dark", () => {
  const { tint } = overlayTable(all);
  assert.ok(red(tint.at(-1)) > 200 && blue(tint.at(-1)) < 100);
  assert.ok(blue(tint[0]) > 200 && red(tint[0]) < 130);
  const middle = tint[tint.length / 2];
  assert.ok(red(middle) < 30 && blue(middle) < 30);
});

test("each side only grows lighter from the middle to the end of the bar", () => {
  const { tint } = overlayTable(all);
  const light = Array.from(tint, (c) => red(c) + ((c >> 8) & 255) + blue(c));
  const middle = light.length / 2;
  for (let i = middle + 1; i < light.length; i++) assert.ok(light[i] >= light[i - 1] - 1, `step ${i}`);
  for (let i = middle - 1; i > 0; i--) assert.ok(light[i - 1] >= light[i] - 1, `step ${i}`);
});

test("below the threshold nothing is drawn, and a map without a sign draws nothing below zero", () => {
  const { tint, rest } = overlayTable({ ...all, opaque: false, threshold: 0.5 });
  const n = tint.length;
  const at = (value) => Math.floor((n / 2) * (1 + value));
  for (const value of [-0.4, 0.1, 0.4]) assert.deepEqual([tint[at(value)], rest[at(value)]], [0, 256]);
  for (const value of [-0.6, 0.6]) assert.ok(tint[at(value)] > 0 && rest[at(value)] < 256);
  const unsigned = overlayTable({ ...all, sequential: true });
  assert.ok(unsigned.tint.slice(0, n / 2).every((c) => c === 0) && unsigned.rest[0] === 256);
});

test("the colour bar begins and ends with the colours of the map", () => {
  const hex = (colour) => [red(colour), (colour >> 8) & 255, blue(colour)];
  const ends = (gradient) => [...gradient.matchAll(/rgb\((\d+) (\d+) (\d+)\)/g)].map((m) => m.slice(1).map(Number));
  const { tint } = overlayTable(all);
  const near = (a, b) => a.every((x, i) => Math.abs(x - b[i]) <= 2);
  const signed = ends(rampGradient(false));
  assert.ok(near(signed[0], hex(tint[0])) && near(signed.at(-1), hex(tint.at(-1))));
  assert.ok(near(ends(rampGradient(true))[0], hex(tint[tint.length / 2])));
});

test("grey runs from 0 to 255 over the window, is cut off outside it, and is inverted exactly", () => {
  const base = Float32Array.of(-500, 0, 50, 100, 900);
  const shown = (invert) => {
    const out = new Uint32Array(5);
    paintGrey(out, row, base, null, greyOf([50, 100], invert), 0, 5);
    return Array.from(out, red);
  };
  assert.deepEqual(shown(false), [0, 0, 127, 255, 255]);
  assert.deepEqual(shown(true), [255, 255, 127, 0, 0]);
});

test("a change is added to the scan before the window, and painted only between the columns asked for", () => {
  const out = new Uint32Array(5);
  paintGrey(out, row, new Float32Array(5), Float32Array.of(0, 100, 100, 100, 100), greyOf([50, 100], false), 2, 4);
  assert.deepEqual(Array.from(out, red), [0, 0, 255, 255, 0]);
});

test("a dimmed scan is as bright as it is said to be", () => {
  const out = new Uint32Array(5);
  paintDim(out, row, Float32Array.of(0, 25, 50, 100, 200), greyOf([50, 100], false), 0.2, 0, 5);
  assert.deepEqual(Array.from(out, red), [0, 12, 25, 51, 51]);
});

test("a map beyond its limit takes the colour of the end of the bar", () => {
  const out = new Uint32Array(5);
  const { tint } = overlayTable(all);
  paintMap(out, row, null, Float32Array.of(-9, -1, 0, 1, 9), 1, overlayTable(all), null, 1, 0, 5);
  const colours = Array.from(out, (c) => c & 0xffffff);
  assert.deepEqual([colours[0], colours[1], colours[3], colours[4]], [tint[0], tint[0], tint.at(-1), tint.at(-1)]);
});
