import assert from "node:assert/strict";
import test from "node:test";

import { profileOf, rememberSlice, strongestOf } from "../../viewer/modules/scrubber.js";

test("a strip shows the strongest slice of each of its parts, and nothing where nothing is known", () => {
  const strongest = Float32Array.from([0, 0.25, -0.5, NaN]);
  assert.deepEqual([...profileOf(strongest, 4, 2)], [0.25, -0.5]);
  assert.deepEqual([...profileOf(strongest, 4, 4)], [0, 0.25, -0.5, NaN]);
  assert.deepEqual([...profileOf(strongest, 4, 8)], [0, 0, 0.25, 0.25, -0.5, -0.5, NaN, NaN]);
});

test("of a model that reads single slices, those that it was asked about are remembered", () => {
  const finding = (values) => ({ name: "Mass", evidence: { grid: { data: Float32Array.from(values) } } });
  const content = { scan: { depth: 3 }, seen: new Map(), byName: new Map() };
  const view = { content, selection: { finding: "Mass" } };
  for (const [index, values] of [
    [2, [0.1, -0.5]],
    [0, [0.25, 0]],
  ]) {
    const findings = [finding(values)];
    Object.assign(content, { header: { volume: { findings_of_slice: true, index }, blank: null }, findings });
    content.byName.set("Mass", findings[0]);
    rememberSlice(view);
  }
  assert.deepEqual([...strongestOf(view, 0)], [0.25, NaN, -0.5]);
  assert.equal(strongestOf(view, 1), null);
});
