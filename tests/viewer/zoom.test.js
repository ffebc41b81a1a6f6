import assert from "node:assert/strict";
import test from "node:test";

import { fit, fitScale, pan, placeInFrame, placeInPanel, zoomAround } from "../../viewer/modules/zoom.js";

const size = { cssWidth: 400, cssHeight: 300 };
const frame = [512, 512];
const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

function fitted(shape = frame, aspect = 1) {
  const zoom = { scale: 1, centreX: 0, centreY: 0, aspect, fitted: false };
  fit(zoom, size, shape);
  return zoom;
}

test("the whole picture fits, in the middle, whatever the shape of its pixels", () => {
  near(fitted().scale, 300 / 512);
  near(fitted(frame, 2).scale, 300 / 1024);
  near(fitScale({ aspect: 1 }, size, [100, 800]), 0.5);
  assert.deepEqual([fitted().centreX, fitted().centreY, fitted().fitted], [256, 256, true]);
});

test("a place in a panel and in the frame are each other's", () => {
  const zoom = { scale: 1.7, centreX: 100, centreY: 220, aspect: 1.3 };
  const place = placeInPanel(zoom, size, placeInFrame(zoom, size, { x: 31, y: 77 }));
  near(place.x, 31);
  near(place.y, 77);
});

test("what lies under the pointer stays there while zooming", () => {
  const zoom = fitted();
  const before = placeInFrame(zoom, size, { x: 220, y: 90 });
  zoomAround(zoom, size, frame, { x: 220, y: 90 }, 3);
  const after = placeInFrame(zoom, size, { x: 220, y: 90 });
  near(after.x, before.x);
  near(after.y, before.y);
  assert.equal(zoom.fitted, false);
});

test("zooming out ends at the whole picture, in the middle", () => {
  const zoom = fitted();
  zoomAround(zoom, size, frame, { x: 10, y: 10 }, 5);
  for (let k = 0; k < 40; k++) zoomAround(zoom, size, frame, { x: 390, y: 10 }, 0.8);
  assert.deepEqual(zoom, fitted());
});

test("the wheel never zooms below the whole picture, however small the picture is", () => {
  for (const shape of [
    [16, 16],
    [64, 64],
    [4000, 3000],
    [2, 900],
  ]) {
    const zoom = fitted(shape);
    const whole = zoom.scale;
    for (const factor of [0.5, 1.2, 0.9, 1.5, 0.1, 1.01]) {
      zoomAround(zoom, size, shape, { x: 300, y: 200 }, factor);
      assert.ok(zoom.scale >= whole - 1e-9, `${shape}: ${zoom.scale} is below ${whole}`);
    }
  }
});

test("a small picture at one screen pixel for each pixel stays so when the wheel turns outwards", () => {
  const zoom = { ...fitted([64, 64]), scale: 1, fitted: false };
  zoomAround(zoom, size, [64, 64], { x: 200, y: 150 }, 0.8);
  assert.equal(zoom.scale, 1);
  zoomAround(zoom, size, [64, 64], { x: 200, y: 150 }, 2);
  assert.equal(zoom.scale, 2);
});

test("a picture cannot be moved out of sight", () => {
  const zoom = fitted();
  pan(zoom, frame, 1e6, -1e6);
  assert.deepEqual([zoom.centreX, zoom.centreY], [0, 512]);
});
