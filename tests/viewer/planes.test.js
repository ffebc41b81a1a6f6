import assert from "node:assert/strict";
import test from "node:test";

import {
  fromPlane,
  inPlane,
  letterOf,
  linkZoom,
  picturePlane,
  planesOf,
  sideBySide,
} from "../../viewer/modules/planes.js";
import { placeInFrame, placeInPanel, zoomAround } from "../../viewer/modules/zoom.js";

const affineOf = (slice, row, column, origin = [0, 0, 0]) => [
  ...[0, 1, 2].map((i) => [slice[i], row[i], column[i], origin[i]]),
  [0, 0, 0, 1],
];
const shape = [30, 40, 50];
const axial = { shape, spacing_mm: [2, 0.7, 0.8], affine: affineOf([0, 0, 2], [0, 0.7, 0], [0.8, 0, 0]) };

const letters = (plane) => ["left", "right", "top", "bottom"].map((side) => plane.letters[side]).join(" ");

test("an axial series is shown as radiologists look at it, whichever way its slices run", () => {
  for (const up of [2, -2]) {
    const planes = planesOf({ ...axial, affine: affineOf([0, 0, up], [0, 0.7, 0], [0.8, 0, 0]) }, 1);
    assert.deepEqual(
      planes.map((plane) => plane.name),
      ["Axial", "Coronal", "Sagittal"],
    );
    assert.deepEqual(planes.map(letters), ["R L A P", "R L S I", "A P S I"]);
    assert.equal(planes[1].flipDown, up > 0, "the head is above");
  }
});

test("a plane's pixels keep the millimetres of their own axes", () => {
  const [first, second, third] = planesOf(axial, 1);
  assert.deepEqual(
    [first.mm, second.mm, third.mm],
    [
      [0.7, 0.8],
      [2, 0.8],
      [2, 0.7],
    ],
  );
  assert.deepEqual(
    [first.frame, second.frame, third.frame],
    [
      [40, 50],
      [30, 50],
      [30, 40],
    ],
  );
  assert.deepEqual(
    [first, second, third].map((plane) => plane.zoom.aspect.toFixed(4)),
    [(0.7 / 0.8).toFixed(4), (2 / 0.8).toFixed(4), (2 / 0.7).toFixed(4)],
  );
});

test("series that were made sagittally and coronally have the same three planes, side by side in one order", () => {
  const sagittal = { shape, spacing_mm: [3, 1, 1], affine: affineOf([3, 0, 0], [0, 0, -1], [0, 1, 0]) };
  const coronal = { shape, spacing_mm: [3, 1, 1], affine: affineOf([0, 3, 0], [0, 0, -1], [1, 0, 0]) };
  for (const [volume, own] of [
    [sagittal, "Sagittal"],
    [coronal, "Coronal"],
  ]) {
    const planes = planesOf(volume, 1);
    assert.equal(planes[0].name, own);
    assert.deepEqual(
      sideBySide(planes).map((plane) => [plane.name, letters(plane)]),
      [
        ["Axial", "R L A P"],
        ["Coronal", "R L S I"],
        ["Sagittal", "A P S I"],
      ],
    );
  }
});

test("slices are shown as they are stored: a patient lying on the front has the back above, and the letters say so", () => {
  const prone = planesOf({ ...axial, affine: affineOf([0, 0, 2], [0, -0.7, 0], [-0.8, 0, 0]) }, 1);
  assert.equal(letters(prone[0]), "L R P A");
  assert.equal(letters(prone[1]), "R L S I");
});

test("an oblique direction has two letters, a slightly tilted one has one", () => {
  const turned = (degrees) => [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180), 0];
  assert.deepEqual(
    [0, 10, 30, 60, 180].map((degrees) => letterOf(turned(degrees))),
    ["L", "L", "LP", "PL", "R"],
  );
});

test("without an affine there are planes, but no letters and no names of directions", () => {
  const planes = planesOf({ shape, spacing_mm: null, affine: null }, 1.5);
  assert.deepEqual(
    planes.map((plane) => [plane.letters, plane.mm]),
    [
      [null, [1.5, 1]],
      [null, [1, 1]],
      [null, [1, 1.5]],
    ],
  );
  assert.ok(planes.every((plane) => !/axial|coronal|sagittal/i.test(plane.name)));
  assert.equal(sideBySide(planes).length, 3);
});

test("a place comes back from every plane that shows it", () => {
  for (const affine of [axial.affine, affineOf([3, 0, 0], [0, 0, -1], [0, 1, 0]), null])
    for (const plane of planesOf({ ...axial, affine }, 1)) {
      const place = [0.2, 0.35, 0.9];
      const back = fromPlane(plane, inPlane(plane, place), [0.2, 0.35, 0.9]);
      assert.ok(back.every((share, axis) => Math.abs(share - place[axis]) < 1e-12));
    }
});

test("zooming into one plane zooms all: the same millimetres a pixel, and the same middle", () => {
  const planes = planesOf(axial, 1);
  const size = { cssWidth: 200, cssHeight: 150 };
  planes.forEach(({ zoom, frame, mm }) =>
    Object.assign(zoom, { scale: 2 * mm[1], centreX: frame[1] / 2, centreY: frame[0] / 2 }),
  );
  zoomAround(planes[1].zoom, size, planes[1].frame, { x: 150, y: 40 }, 3);
  linkZoom(planes, planes[1]);
  for (const { zoom, mm } of planes) {
    assert.ok(Math.abs(zoom.scale / mm[1] - 6) < 1e-9);
    assert.equal(zoom.fitted, false);
  }
  const middle = planes.map((plane) => {
    const { x, y } = placeInFrame(plane.zoom, size, { x: 100, y: 75 });
    return fromPlane(plane, { u: x / plane.frame[1], v: y / plane.frame[0] }, [null, null, null]);
  });
  assert.ok(Math.abs(middle[0][2] - middle[1][2]) < 1e-9, "columns");
  assert.ok(Math.abs(middle[1][0] - middle[2][0]) < 1e-9, "slices");
});

test("one voxel lies under the crosshair of every plane, also far from the middle", () => {
  const planes = planesOf(axial, 1);
  const place = [0.31, 0.72, 0.14];
  const size = { cssWidth: 300, cssHeight: 300 };
  for (const plane of planes) {
    Object.assign(plane.zoom, { scale: 3 * plane.mm[1], centreX: 10, centreY: 20 });
    const { u, v } = inPlane(plane, place);
    const at = placeInPanel(plane.zoom, size, { x: u * plane.frame[1], y: v * plane.frame[0] });
    const back = placeInFrame(plane.zoom, size, at);
    const found = fromPlane(plane, { u: back.x / plane.frame[1], v: back.y / plane.frame[0] }, place);
    assert.deepEqual(
      found.map((share, axis) => Math.floor(share * shape[axis])),
      place.map((share, axis) => Math.floor(share * shape[axis])),
    );
  }
});

test("a picture has the one plane of its rows and columns", () => {
  const plane = picturePlane([20, 30], 2);
  assert.deepEqual([plane.frame, plane.zoom.aspect, plane.letters], [[20, 30], 2, null]);
  assert.deepEqual(inPlane(plane, [0.5, 0.2, 0.6]), { u: 0.6, v: 0.2 });
});
