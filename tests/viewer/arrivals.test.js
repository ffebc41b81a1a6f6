import assert from "node:assert/strict";
import test from "node:test";

import { nextSlice, runFrom } from "../../viewer/modules/arrivals.js";
import { takeSlice, volumeOf } from "../../viewer/modules/volume.js";

const empty = (depth, token = "t") => volumeOf({ dtype: "u2", shape: [depth, 2, 2], scale: 1, zero: 0, token });
const take = (volume, k) => takeSlice(volume, k, new Uint16Array(4).buffer);

function order(volume, at) {
  const came = [];
  for (let next; (next = nextSlice([{ volume, weight: 1 }], at(came), volume.depth)); came.push(next.k))
    take(volume, next.k);
  return came;
}

test("the slice on show comes first, then its neighbours on both sides", () => {
  const came = order(empty(7), () => 3);
  assert.deepEqual(came.slice(0, 1), [3]);
  assert.deepEqual(
    [came.slice(1, 3).sort(), came.slice(3, 5).sort(), came.slice(5).sort()],
    [
      [2, 4],
      [1, 5],
      [0, 6],
    ],
  );
});

test("whoever scrolls gets what is then on show next", () => {
  const came = order(empty(9), (so) => (so.length < 2 ? 4 : 8));
  assert.equal(came[2], 8);
});

test("a small map comes before the rest of a scan, and what is asked for is not asked for again", () => {
  const [scan, map] = [empty(100), empty(4)];
  take(scan, 50);
  const wanted = [
    { volume: scan, weight: 1 },
    { volume: map, weight: 0.2 },
  ];
  assert.equal(nextSlice(wanted, 50, 100).volume, map);
  map.asked = new Set([0, 1, 2, 3]);
  assert.equal(nextSlice(wanted, 50, 100).volume, scan);
});

test("a volume whose token has ended waits for another", () => {
  const volume = empty(3);
  volume.ended = "t";
  assert.equal(nextSlice([{ volume, weight: 1 }], 1, 3), null);
  volume.token = "another";
  assert.equal(nextSlice([{ volume, weight: 1 }], 1, 3).k, 1);
});

test("a message brings a run of slices away from what is on show, and none twice", () => {
  const volume = empty(20);
  assert.deepEqual(runFrom({ volume, k: 10, own: 10 }, 1), [10, 11]);
  assert.deepEqual(runFrom({ volume, k: 10, own: 10 }, 4), [10, 14]);
  assert.deepEqual(runFrom({ volume, k: 9, own: 10 }, 4), [6, 10]);
  take(volume, 12);
  volume.asked = new Set([7]);
  assert.deepEqual(runFrom({ volume, k: 10, own: 10 }, 4), [10, 12]);
  assert.deepEqual(runFrom({ volume, k: 9, own: 10 }, 4), [8, 10]);
  assert.deepEqual(runFrom({ volume, k: 19, own: 10 }, 4), [19, 20]);
});
