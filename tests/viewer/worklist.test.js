import assert from "node:assert/strict";
import test from "node:test";

import { counted, groups, ordered, said, veiled, wanted } from "../../pages/components/worklist.js";

const ALL = {
  step: "all",
  finding: "all",
  who: "all",
  order: "opened",
  down: false,
  grouped: true,
  text: "",
};
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
  entry("a", {
    above: 1,
    findings: ["Effusion"],
    flip: 0.9,
    unlike: 0.2,
    assigned: ["Dr B"],
  }),
  entry("b", {
    state: "waiting",
    step: "new",
    above: null,
    group: "Drop 1, without a study",
    series: 0,
  }),
  entry("c", {
    above: 2,
    findings: ["Effusion", "Mass"],
    flip: 0.1,
    unlike: 1.4,
    step: "exported",
    series: 2,
  }),
  entry("d", {
    state: "refused",
    step: "new",
    above: null,
    group: "Drop 1, without a study",
    series: 0,
  }),
  entry("e", {
    disagreement: 0.8,
    step: "accepted",
    kind: "CT",
    assigned: ["Dr A", "Dr B"],
  }),
];
const ids = (choice, me) =>
  ordered(ENTRIES, { ...ALL, ...choice }, me)
    .map(({ id }) => id)
    .join("");

test("a state, a finding, a reader and words narrow the list, and all of them together", () => {
  assert.equal(ids({}), "abcde");
  assert.equal(ids({ step: "new" }), "b");
  assert.equal(ids({ step: "refused" }), "d");
  assert.equal(ids({ step: "accepted" }), "e");
  assert.equal(ids({ finding: "Effusion" }), "ac");
  assert.equal(ids({ finding: "Mass" }), "c");
  const back = entry("f", { step: "returned", exported: true });
  for (const step of ["returned", "exported"]) assert.equal(wanted(back, { ...ALL, step }), true);
  for (const step of ["draft", "submitted", "accepted"]) assert.equal(wanted(back, { ...ALL, step }), false);
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
    ["3 scans in 2 series", "1 scan, 1 refused"],
  );
});

test("blind until read: nothing is said of what models find in a scan that the reader has not read", () => {
  const [a, , c] = ENTRIES.map((one, place) =>
    veiled({ ...one, readBy: [["B"], [], ["A", "B"]][place] ?? [] }, true, "A"),
  );
  assert.deepEqual([a.findings, a.above, a.flip, a.disagreement], [[], null, null, null]);
  assert.deepEqual(c, { ...ENTRIES[2], readBy: ["A", "B"] });
  assert.equal(a.unlike, 0.2);
  assert.deepEqual(veiled({ ...ENTRIES[0], readBy: ["A"] }, true).findings, [], "who gave no name has read nothing");
  assert.deepEqual(veiled(ENTRIES[0], false), ENTRIES[0]);
});

test("the studies of a patient stand together, the newest first, and refused files are no scans", () => {
  const of = (id, patient, study, age, state = "explained") =>
    entry(id, {
      patient,
      age,
      state,
      group: `Patient ${patient}, study ${study}`,
    });
  const entries = [of("a", 1, 1, 1), of("b", 2, 1, 0), of("c", 1, 2, 0), of("d", 2, 1, 0, "refused")];
  const order = (asOrdered) => groups(entries, asOrdered).map(([name]) => name);
  assert.deepEqual(order(), ["Patient 1, study 2", "Patient 1, study 1", "Patient 2, study 1"]);
  assert.deepEqual(order(true), ["Patient 1, study 1", "Patient 1, study 2", "Patient 2, study 1"]);
  assert.equal(counted(entries), "3 scans, 1 refused");
  assert.equal(counted(entries.slice(0, 1), entries), "1 of 3 scans");
  assert.equal(counted(entries.slice(2), entries), "1 of 3 scans, 1 refused");
});
