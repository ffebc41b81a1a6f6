import assert from "node:assert/strict";
import test from "node:test";

import {
  asShown,
  backOnto,
  mirroredOnce,
  movedOnto,
  ownSize,
  quarterMore,
  transformOf,
  turnWords,
} from "../../viewer/modules/turning.js";

const TURNS = [0, 1, 2, 3].flatMap((quarters) => [false, true].map((mirrored) => ({ quarters, mirrored })));
const [WIDE, HIGH] = [70, 40];

/** Where the CSS transform puts a place of the film. */
function shown(turn, { x, y }) {
  const [width, height] = ownSize(turn, WIDE, HIGH);
  const [a, b, c, d, e, f] = transformOf(turn, width, height)
    .match(/-?[\d.]+/g)
    .map(Number);
  return { x: a * x + c * y + e, y: b * x + d * y + f };
}

test("a turned film takes up the same room, and a hand is brought back to the very place", () => {
  for (const turn of TURNS) {
    const [width, height] = ownSize(turn, WIDE, HIGH);
    for (const place of [
      { x: 0, y: 0 },
      { x: width, y: 0 },
      { x: 0, y: height },
      { x: 7, y: 11 },
    ]) {
      const at = shown(turn, place);
      assert.ok(at.x >= 0 && at.x <= WIDE && at.y >= 0 && at.y <= HIGH, JSON.stringify([turn, place, at]));
      assert.deepEqual(backOnto(turn, at, width, height), place);
      const share = asShown(turn, { u: place.x / width, v: place.y / height });
      assert.ok(Math.abs(share.u * WIDE - at.x) < 1e-9 && Math.abs(share.v * HIGH - at.y) < 1e-9);
    }
  }
});

test("a movement of the hand is the same movement on the film", () => {
  for (const turn of TURNS) {
    const [from, to] = [
      { x: 3, y: 5 },
      { x: 9, y: 6 },
    ].map((place) => shown(turn, place));
    assert.deepEqual(
      movedOnto(turn, to.x - from.x, to.y - from.y).map((part) => part + 0),
      [6, 1],
    );
  }
});

test("four quarters, and two mirrors, are none, whatever came before", () => {
  for (const turn of TURNS) {
    assert.deepEqual([1, 2, 3, 4].reduce(quarterMore, turn), turn);
    assert.deepEqual(mirroredOnce(mirroredOnce(turn)), turn);
  }
});

test("what is shown is turned and mirrored as the reader sees it, not as it is stored", () => {
  for (const turn of TURNS) {
    const [before] = [asShown(turn, { u: 0.2, v: 0.3 })];
    const after = asShown(mirroredOnce(turn), { u: 0.2, v: 0.3 });
    assert.ok(Math.abs(after.u - (1 - before.u)) < 1e-9 && Math.abs(after.v - before.v) < 1e-9);
    const quarter = asShown(quarterMore(turn), { u: 0.2, v: 0.3 });
    assert.ok(Math.abs(quarter.u - (1 - before.v)) < 1e-9 && Math.abs(quarter.v - before.u) < 1e-9);
  }
});

test("a turned view says so", () => {
  assert.equal(turnWords({ quarters: 0, mirrored: false }), "");
  assert.equal(turnWords({ quarters: 3, mirrored: true }), "mirrored, turned by 270\u00b0");
});
