import assert from "node:assert/strict";
import test from "node:test";

import { joined, stroke, tidied, without } from "../../viewer/modules/runs.js";
import {
  contains,
  distanceTo,
  handlesOf,
  isWhole,
  markAt,
  movedBy,
  newId,
  newMark,
  normal,
  simplified,
  spansOf,
  withHandle,
} from "../../viewer/modules/shapes.js";

const FRAME = [40, 60];
const box = (...points) => newMark("box", normal(points));
const count = (spans) => spans.reduce((sum, [, from, end]) => sum + end - from, 0);
const pixels = (runs) =>
  new Set(runs.flatMap(([row, column, n]) => Array.from({ length: n }, (_, k) => `${row} ${column + k}`)));

test("a new mark has an id of 32 hexadecimal digits", () => {
  assert.match(newId(), /^[0-9a-f]{32}$/);
  assert.notEqual(newId(), newId());
});

test("a box is the same whichever corner it was begun from, and keeps the opposite corner when one is moved", () => {
  const mark = box([12, 23], [2, 3]);
  assert.deepEqual(mark.points, [
    [2, 3],
    [12, 23],
  ]);
  assert.deepEqual(withHandle(mark, 0, [5, 6]).points, [
    [5, 6],
    [12, 23],
  ]);
  assert.deepEqual(withHandle(mark, 1, [30, 1]).points, [
    [12, 1],
    [30, 3],
  ]);
  assert.equal(handlesOf(mark).length, 4);
});

test("a mark moves as far as the picture goes", () => {
  assert.deepEqual(movedBy(box([2, 3], [12, 23]), [-5, 100], FRAME).points, [
    [0, 40],
    [10, 60],
  ]);
  const brush = newMark("brush", [], { runs: [[3, 4, 5]] });
  assert.deepEqual(movedBy(brush, [1.4, -9], FRAME).runs, [[4, 0, 5]]);
});

test("what has no length and no area was not meant", () => {
  assert.ok(!isWhole(box([1, 1], [1, 9])) && isWhole(box([1, 1], [2, 2])));
  assert.ok(
    !isWhole(
      newMark("length", [
        [1, 1],
        [1, 1],
      ]),
    ) &&
      !isWhole(
        newMark("polygon", [
          [1, 1],
          [2, 2],
        ]),
      ),
  );
  assert.ok(!isWhole(newMark("brush", [])));
});

test("the spans of a region are the pixels whose middle lies inside", () => {
  assert.deepEqual(spansOf(box([0.4, 0.6], [2.4, 3.5]), FRAME), [
    [0, 1, 3],
    [1, 1, 3],
  ]);
  assert.equal(
    count(
      spansOf(
        newMark("polygon", [
          [10, 10],
          [10, 20],
          [20, 20],
          [20, 10],
        ]),
        FRAME,
      ),
    ),
    100,
  );
  const ring = newMark("polygon", [
    [0, 0],
    [10, 0],
    [10, 30],
    [0, 30],
    [0, 20],
    [8, 20],
    [8, 10],
    [0, 10],
  ]);
  assert.equal(count(spansOf(ring, FRAME)), 10 * 20 + 2 * 10);
  assert.ok(
    Math.abs(
      count(
        spansOf(
          newMark("area", [
            [0, 0],
            [20, 40],
          ]),
          FRAME,
        ),
      ) -
        Math.PI * 200,
    ) < 12,
  );
  assert.deepEqual(
    spansOf(
      newMark("length", [
        [0, 0],
        [9, 9],
      ]),
      FRAME,
    ),
    [],
  );
});

test("a mark is found by its lines first, and else by the smallest region around the point", () => {
  const large = box([0, 0], [40, 60]);
  const small = box([10, 10], [20, 20]);
  const line = newMark("length", [
    [14, 0],
    [14, 59],
  ]);
  assert.equal(markAt([large, small, line], [14.4, 15], 1), line);
  assert.equal(markAt([large, small, line], [17, 15], 1), small);
  assert.equal(markAt([large, small, line], [30, 40], 1), large);
  assert.equal(markAt([small], [30, 40], 1), null);
  assert.ok(contains(small, [15, 15]) && !contains(small, [15, 21]));
  assert.equal(
    distanceTo(
      newMark("angle", [
        [0, 0],
        [0, 10],
        [10, 10],
      ]),
      [5, 0],
    ),
    5,
  );
});

test("an outline keeps what matters of what was drawn", () => {
  const drawn = Array.from({ length: 101 }, (_, k) => [k % 2 ? 0.01 : 0, k]);
  assert.deepEqual(simplified(drawn, 0.1), [
    [0, 0],
    [0, 100],
  ]);
  assert.equal(
    simplified(
      [
        [0, 0],
        [5, 5],
        [0, 10],
      ],
      1,
    ).length,
    3,
  );
});

test("runs are sorted, and none touches another", () => {
  assert.deepEqual(
    tidied([
      [3, 9, 2],
      [3, 4, 5],
      [1, 0, 1],
      [3, 20, 0],
    ]),
    [
      [1, 0, 1],
      [3, 4, 7],
    ],
  );
  assert.deepEqual(
    without(
      [[3, 4, 10]],
      [
        [3, 6, 2],
        [3, 12, 9],
        [4, 0, 50],
      ],
    ),
    [
      [3, 4, 2],
      [3, 8, 4],
    ],
  );
  assert.deepEqual(without([[3, 4, 2]], [[3, 0, 9]]), []);
});

test("what is brushed and taken away again leaves what was there", () => {
  const first = stroke(
    [
      [10, 10],
      [20, 30],
    ],
    [3, 3],
    FRAME,
  );
  const second = stroke(
    [
      [20, 10],
      [10, 30],
    ],
    [3, 3],
    FRAME,
  );
  const both = joined(first, second);
  assert.deepEqual(pixels(both), new Set([...pixels(first), ...pixels(second)]));
  const left = without(both, second);
  assert.deepEqual(pixels(left), new Set([...pixels(first)].filter((one) => !pixels(second).has(one))));
});

test("a brush covers a disc, has no gaps along its way, and stays within the picture", () => {
  assert.ok(Math.abs(pixels(stroke([[20, 30]], [8, 8], FRAME)).size - Math.PI * 64) < 8);
  const line = stroke(
    [
      [20, 5],
      [20, 55],
    ],
    [2, 2],
    FRAME,
  );
  assert.ok(line.every(([, , n]) => n >= 50) && line.length === 4);
  for (const [row, column, n] of stroke(
    [
      [-3, -3],
      [50, 70],
    ],
    [9, 4],
    FRAME,
  ))
    assert.ok(row >= 0 && row < 40 && column >= 0 && column + n <= 60);
  assert.deepEqual(stroke([[4.2, 7.9]], [0.1, 0.1], FRAME), [[4, 7, 1]]);
});
