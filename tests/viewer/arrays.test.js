import assert from "node:assert/strict";
import test from "node:test";

import { fetchGrids, gridOf, nameOf } from "../../viewer/modules/arrays.js";

const bytes = (array) => array.buffer.slice(array.byteOffset, array.byteOffset + array.byteLength);

test("a picture in 16 bits comes back in its own units", () => {
  const grid = gridOf(
    { dtype: "u2", shape: [2, 3], scale: 0.5, zero: -1000 },
    bytes(Uint16Array.of(0, 1, 2, 3, 4, 65535)),
  );
  assert.deepEqual([...grid.data], [-1000, -999.5, -999, -998.5, -998, 31767.5]);
  assert.deepEqual([grid.width, grid.height, grid.frames, grid.scale, grid.whole], [3, 2, 0, 1, false]);
});

test("whole numbers are known as such, so that a readout names them without decimals", () => {
  const pixels = bytes(Uint16Array.of(0, 5, 9, 4095));
  assert.equal(gridOf({ dtype: "u2", shape: [2, 2], scale: 1, zero: -1024 }, pixels).whole, true);
  assert.equal(gridOf({ dtype: "u2", shape: [2, 2], scale: 1, zero: 0.5 }, pixels).whole, false);
});

test("a map in 32 bits comes back as it was sent", () => {
  const sent = Float32Array.of(-0.25, 0, 1e-7, 3);
  assert.deepEqual(gridOf({ dtype: "f4", shape: [2, 2], scale: 1, zero: 0 }, bytes(sent)).data, sent);
});

test("changes stay in 16 bits beside their scale, frame after frame, and zero stays zero", () => {
  const grid = gridOf(
    { dtype: "i2", shape: [3, 1, 2], scale: 0.01, zero: 0 },
    bytes(Int16Array.of(0, 0, 100, -100, 32767, -32767)),
  );
  assert.deepEqual([grid.frames, grid.height, grid.width, grid.scale], [3, 1, 2, 0.01]);
  assert.deepEqual([...grid.data], [0, 0, 100, -100, 32767, -32767]);
});

test("an array that is shorter than its entry says is refused", () => {
  assert.throws(
    () => gridOf({ dtype: "u2", shape: [4, 4], scale: 1, zero: 0 }, bytes(Uint16Array.of(1, 2, 3))),
    RangeError,
  );
});

test("only arrays that a view does not have are fetched, and each once", async (context) => {
  const entry = (digest, token) => ({ digest, token, dtype: "f4", shape: [1, 2], scale: 1, zero: 0 });
  const asked = [];
  globalThis.document = { baseURI: "http://127.0.0.1/app/models" };
  context.mock.method(globalThis, "fetch", async (address) => {
    asked.push(address);
    return {
      ok: !address.endsWith("ended"),
      text: async () => "ended",
      arrayBuffer: async () => bytes(Float32Array.of(1, 2)),
    };
  });
  const kept = new Map([[nameOf(entry("a")), "kept"]]);
  const grids = await fetchGrids([entry("a", "1"), entry("b", "2"), entry("b", "3")], kept);
  assert.deepEqual(asked, ["/app/pixels/2"]);
  assert.equal(grids.get(nameOf(entry("a"))), "kept");
  assert.deepEqual([...grids.get(nameOf(entry("b"))).data], [1, 2]);
  assert.equal(grids.size, 2);
  await assert.rejects(fetchGrids([entry("c", "ended")], kept), /ended/);
});
