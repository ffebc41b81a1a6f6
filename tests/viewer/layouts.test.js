import assert from "node:assert/strict";
import test from "node:test";

import { keepLayout, lookOf, offeredLayouts, openLayout } from "../../viewer/modules/layouts.js";
import { offeredKinds } from "../../viewer/modules/panels.js";
import { startingLook } from "../../viewer/modules/state.js";

const layout = (name, more = {}) => ({
  ...{ name, panels: [], columns: 0, planes: false, slab: null, window: null, overlay: true },
  ...more,
});

const viewOf = (header, scan = null) => ({
  ...startingLook(),
  content: { header: { findings: [], windows: [[100, 200]], ...header }, scan },
  layout: { three: false, now: null },
});

const FINDING = { changes: 0, truth: null };

test("what there is nothing for is not offered", () => {
  assert.deepEqual(offeredKinds(viewOf({})), ["scan"]);
  assert.deepEqual(offeredKinds(viewOf({ findings: [{ changes: null, truth: null }] })), ["scan", "evidence"]);
  assert.deepEqual(offeredKinds(viewOf({ prior: {}, findings: [FINDING] })), [
    ...["prior", "scan", "evidence", "without", "difference"],
  ]);
  const waiting = { blank: { counterfactuals: true, truth: true } };
  assert.equal(offeredKinds(viewOf(waiting)).at(-1), "true-difference", "panels stand there before the answer comes");
  const layouts = [layout("All"), layout("Evidence", { panels: ["evidence"] }), layout("Scan", { panels: ["scan"] })];
  assert.deepEqual(
    offeredLayouts(viewOf({ layouts })).map(({ name }) => name),
    ["All", "Scan"],
  );
});

test("a scan opens by the first, and by what was chosen for such scans before", () => {
  const layouts = [layout("A"), layout("B", { planes: true, window: [40, 80], slab: ["mean", 6] })];
  const first = viewOf({ layouts, layouts_for: "CT head volume" }, {});
  openLayout(first);
  assert.equal(first.layout.now.name, "A");
  first.layout.now = layouts[1];
  first.layout.three = false; // one plane again, by its key
  keepLayout(first);
  const next = viewOf({ layouts, layouts_for: "CT head volume" }, {});
  openLayout(next);
  assert.deepEqual([next.layout.now.name, next.layout.three, next.slab], ["B", false, { mode: "mean", mm: 6 }]);
  assert.deepEqual([next.levels.shift, next.levels.stretch], [-0.3, 0.4], "window 40, 80 from 100, 200");
  const other = viewOf({ layouts, layouts_for: "CT chest volume" }, {});
  openLayout(other);
  assert.equal(other.layout.now.name, "A", "another kind of scan is another choice");
});

test("a view without protocols stays as it is", () => {
  const view = viewOf({}, {});
  view.layout.three = true;
  openLayout(view);
  lookOf(view);
  assert.deepEqual([view.layout.three, view.layout.now, view.levels.stretch], [true, null, 1]);
});
