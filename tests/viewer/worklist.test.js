import assert from "node:assert/strict";
import test from "node:test";

import { groups, ordered, said, veiled, wanted } from "../../pages/components/worklist.js";

const ALL = { step: "all", finding: "all", who: "all", order: "opened", down: false, grouped: true, text: "" };
const entry = (id, more = {}) => ({
  id,
  title: `Scan ${id}`,
  kind: "radiograph",
  state: "explained",
  step: "explained",
  group: "Patient 1, study 1",
  series: 1,
  above: 0,
  findings: [],
  flip: null,
  unlike: null,
  disagreement: null,
  assigned: [],
  ...more,
});
const ENTRIES = [
  entry("a", { above: 1, findings: ["Effusion"], flip: 0.9, unlike: 0.2, assigned: ["Dr B"] }),
  entry("b", { state: "waiting", step: "new", above: null, group: "Drop 1, without a study", series: 0 }),
  entry("c", { above: 2, findings: ["Effusion", "Mass"], flip: 0.1, unlike: 1.4, step: "exported", series: 2 }),
  entry("d", { state: "refused", step: "new", above: null, group: "Drop 1, without a study", series: 0 }),
  entry("e", { disagreement: 0.8, step: "reviewed", kind: "CT", assigned: ["Dr A", "Dr B"] }),
];
const ids = (choice, me) =>
  ordered(ENTRIES, { ...ALL, ...choice }, me)
    .map(({ id }) => id)
    .join("");

test("a state, a finding, a reader and words narrow the list, and all of them together", () => {
  assert.equal(ids({}), "abcde");
  assert.equal(ids({ step: "new" }), "b");
  assert.equal(ids({ step: "refused" }), "d");
  assert.equal(ids({ step: "reviewed" }), "e");
  assert.equal(ids({ finding: "Effusion" }), "ac");
  assert.equal(ids({ finding: "Mass" }), "c");
  assert.equal(ids({ text: " ct " }), "e");
  assert.equal(ids({ finding: "Effusion", step: "exported" }), "c");
  assert.equal(ids({ finding: "Effusion", step: "new" }), "");
});

test("mine is what is assigned to me, and nothing where nobody gave a name", () => {
  assert.equal(ids({ who: "mine" }, "Dr B"), "ae");
  assert.equal(ids({ who: "mine" }, "Dr A"), "e");
  assert.equal(ids({ who: "mine" }, ""), "");
  assert.equal(ids({ who: "nobody" }), "bcd");
  assert.equal(ids({ who: "to Dr A" }), "e");
  assert.equal(wanted(ENTRIES[0], { ...ALL, who: "to Dr A" }), false);
});

test("what has no number comes last whichever way the list goes, and equal ones stay as they were opened", () => {
  assert.equal(ids({ order: "above" }), "caebd");
  assert.equal(ids({ order: "above", down: true }), "eacbd");
  assert.equal(ids({ order: "flip" }), "cabde");
  assert.equal(ids({ order: "flip", down: true }), "acbde");
  assert.equal(ids({ order: "unlike" }), "cabde");
  assert.equal(ids({ order: "disagreement" }), "eabcd");
  assert.equal(ids({ order: "assigned" }), "eabcd");
  assert.equal(ids({ order: "title", down: true }), "edcba");
});

test("studies stand together in the order of their first scan, and say how many series they have", () => {
  const found = groups(ordered(ENTRIES, ALL));
  assert.deepEqual(
    found.map(([name, ones]) => [name, ones.map(({ id }) => id).join("")]),
    [
      ["Patient 1, study 1", "ace"],
      ["Drop 1, without a study", "bd"],
    ],
  );
  assert.deepEqual(
    found.map(([, ones]) => said(ones)),
    ["3 scans in 2 series", "2 scans"],
  );
});

test("blind until read: nothing is said of what models find in a scan that the reader has not read", () => {
  const [a, , c] = ENTRIES.map((one, place) => veiled({ ...one, readBy: [["B"], [], ["A", "B"]][place] ?? [] }, true, "A"));
  assert.deepEqual([a.findings, a.above, a.flip, a.disagreement], [[], null, null, null]);
  assert.deepEqual(c, { ...ENTRIES[2], readBy: ["A", "B"] });
  assert.equal(a.unlike, 0.2);
  assert.deepEqual(veiled({ ...ENTRIES[0], readBy: ["A"] }, true).findings, [], "who gave no name has read nothing");
  assert.deepEqual(veiled(ENTRIES[0], false), ENTRIES[0]);
});
