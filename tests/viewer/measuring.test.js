import assert from "node:assert/strict";
import test from "node:test";

import { add, commit, redo, remove, replace, selectedOf, startHistory, undo } from "../../viewer/modules/history.js";
import { measure, measureWords } from "../../viewer/modules/measuring.js";
import { boxAround, newMark, normal } from "../../viewer/modules/shapes.js";

const FRAME = [40, 60];
const box = (...points) => newMark("box", normal(points));

test("lengths, angles and areas follow the spacing of both axes", () => {
  const known = { spacing: [0.5, 0.25], frame: FRAME };
  assert.equal(
    measure(
      newMark("length", [
        [10, 10],
        [16, 26],
      ]),
      known,
    ).length,
    5,
  );
  assert.equal(
    measure(
      newMark("angle", [
        [10, 20],
        [10, 10],
        [15, 20],
      ]),
      known,
    ).angle,
    45,
  );
  assert.equal(
    measure(
      newMark("angle", [
        [10, 20],
        [10, 10],
        [15, 20],
      ]),
      { spacing: null, aspect: 2, frame: FRAME },
    ).angle,
    45,
  );
  assert.equal(measure(box([2, 3], [12, 23]), known).area, 25);
  assert.equal(
    measure(
      newMark("polygon", [
        [0, 0],
        [0, 10],
        [10, 10],
      ]),
      { spacing: null, frame: FRAME },
    ).area,
    50,
  );
  assert.equal(
    measure(
      newMark("brush", [], {
        runs: [
          [3, 4, 5],
          [4, 4, 2],
        ],
      }),
      { spacing: null, frame: FRAME },
    ).area,
    7,
  );
});

test("mean and deviation are of the pixels inside", () => {
  const grid = { width: 60, height: 40, data: Float32Array.from({ length: 2400 }, (_, k) => k), scale: 1 };
  const { mean, deviation } = measure(box([0, 0], [1, 3]), { spacing: null, frame: FRAME, grid });
  assert.equal(mean, 1);
  assert.ok(Math.abs(deviation - Math.sqrt(2 / 3)) < 1e-9);
  assert.equal(measure(box([0.6, 0.6], [0.9, 0.9]), { spacing: null, frame: FRAME, grid }).mean, undefined);
});

test("of pixels that are not there nothing is said", () => {
  const grid = { width: 60, height: 40, data: new Float32Array(2400).fill(5), scale: 1 };
  const brush = (...runs) => measure(newMark("brush", [], { runs }), { spacing: null, frame: FRAME, grid });
  assert.deepEqual(brush([39, 50, 10]), { area: 10, mean: 5, deviation: 0 });
  for (const runs of [
    [[40, 0, 3]],
    [[3, 58, 4]],
    [
      [2, 2, 2],
      [900, 2, 2],
    ],
  ]) {
    const found = brush(...runs);
    assert.deepEqual(Object.keys(found), ["area"]);
    assert.doesNotMatch(measureWords(found, { spacing: null }), /NaN|mean/);
  }
  grid.data[0] = NaN;
  assert.deepEqual(measure(box([0, 0], [1, 3]), { spacing: null, frame: FRAME, grid }), { area: 3 });
});

test("what is measured says its unit, and that millimetres hold at the detector", () => {
  assert.equal(
    measureWords({ length: 12.345 }, { spacing: [1, 1], note: " at the detector" }),
    "12.3 mm at the detector",
  );
  assert.equal(measureWords({ length: 12.345 }, { spacing: null, note: " at the detector" }), "12.3 px");
  assert.equal(measureWords({ angle: 44.96 }, { spacing: null }), "45.0\u00b0");
  assert.equal(
    measureWords({ area: 1234.5, mean: 40.21, deviation: 12.4 }, { spacing: [1, 1], grey: "HU" }),
    "1235 mm\u00b2, mean 40 \u00b1 12 HU",
  );
});

test("every change can be taken back and made again, and a new one ends what could be made again", () => {
  const history = startHistory();
  const [one, two] = [box([0, 0], [1, 1]), box([0, 0], [2, 2])];
  add(history, one);
  add(history, two);
  assert.equal(selectedOf(history), two);
  replace(history, { ...one, label: "x" });
  remove(history, two.id);
  assert.deepEqual(
    history.list.map((mark) => mark.label),
    ["x"],
  );
  assert.equal(selectedOf(history), null);
  for (let k = 0; k < 4; k++) assert.ok(undo(history));
  assert.deepEqual(history.list, []);
  assert.ok(!undo(history));
  assert.ok(redo(history) && redo(history));
  assert.deepEqual(history.list, [one, two]);
  commit(history, []);
  assert.ok(!redo(history));
  assert.deepEqual(boxAround(two), [0, 0, 2, 2]);
});
