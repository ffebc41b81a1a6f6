import assert from "node:assert/strict";
import test from "node:test";

import { unlessNewer } from "../../viewer/modules/mounted.js";

test("an older mount that goes after a newer one has come takes nothing down", () => {
  const [element, gone] = [{}, []];
  const first = unlessNewer(element, () => gone.push("first"));
  const second = unlessNewer(element, () => gone.push("second"));
  first();
  assert.deepEqual(gone, []);
  second();
  assert.deepEqual(gone, ["second"]);
});

test("mounts on different elements know nothing of each other", () => {
  const gone = [];
  const one = unlessNewer({}, () => gone.push("one"));
  unlessNewer({}, () => gone.push("other"));
  one();
  assert.deepEqual(gone, ["one"]);
});
