import assert from "node:assert/strict";
import test from "node:test";

import { arranged, veiled, wordsOf } from "../../pages/components/scan_list.js";

const entry = (id, more = {}) => ({
  id,
  state: "explained",
  step: "explained",
  above: 0,
  flip: null,
  unlike: null,
  disagreement: null,
  ...more,
});
const ENTRIES = [
  entry("a", { above: 1, flip: 0.9, unlike: 0.2 }),
  entry("b", { state: "waiting", step: "new", above: null }),
  entry("c", { above: 3, flip: 0.1, unlike: 1.4, step: "exported" }),
  entry("d", { state: "refused", step: "new", above: null }),
  entry("e", { above: 1, flip: 0.4, disagreement: 0.8, step: "accepted" }),
];
const ids = (show, order) =>
  arranged(ENTRIES, show, order)
    .map(({ id }) => id)
    .join("");

test("as opened, everything stands where it was opened", () => {
  assert.equal(ids("all", "opened"), "abcde");
  assert.equal(ids("nonsense", "nonsense"), "abcde");
});

test("what has no number comes last, and what is equal keeps its place", () => {
  assert.equal(ids("all", "above"), "caebd");
  assert.equal(ids("all", "flip"), "ceabd");
  assert.equal(ids("all", "unlike"), "cabde");
  assert.equal(ids("all", "disagreement"), "eabcd");
});

test("the list is narrowed to one step of the work, or to what was found", () => {
  assert.equal(ids("new", "opened"), "b");
  assert.equal(ids("explained", "opened"), "a");
  assert.equal(ids("above", "opened"), "ace");
  assert.equal(ids("accepted", "opened"), "e");
  assert.equal(ids("exported", "opened"), "c");
  assert.equal(ids("refused", "opened"), "d");
});

test("mine is what is assigned to me", () => {
  const entries = [entry("x", { assigned: ["Dr A"] }), entry("y", { assigned: [] })];
  assert.deepEqual(
    arranged(entries, "mine", "opened", "Dr A").map(({ id }) => id),
    ["x"],
  );
  assert.deepEqual(arranged(entries, "mine", "opened", ""), []);
});

test("a reader who is to say first what is there hears of no finding", () => {
  const found = entry("x", { above: 2 });
  assert.equal(wordsOf(found), "explained, 2 findings");
  assert.equal(wordsOf(found, true), "explained");
  assert.equal(wordsOf({ ...found, step: "read", state: "waiting", above: null }), "read");
});

test("blind, an unread scan is neither found by its findings nor ordered by them", () => {
  const entries = [
    entry("x", { above: 1, flip: 0.2, readBy: ["Dr A"] }),
    entry("y", { above: 3, flip: 0.1, readBy: ["Dr B"] }),
  ];
  const seen = (blind, me) => entries.map((one) => veiled(one, blind, me));
  const found = (blind, me, show, order) =>
    arranged(seen(blind, me), show, order)
      .map(({ id }) => id)
      .join("");
  assert.equal(found("unread", "Dr A", "above", "opened"), "x");
  assert.equal(found("unread", "Dr A", "all", "above"), "xy");
  assert.equal(found("unread", "Dr A", "all", "flip"), "xy");
  assert.equal(found("unread", "", "above", "opened"), "");
  assert.equal(found("all", "Dr A", "above", "opened"), "");
  assert.equal(found("", "Dr A", "all", "above"), "yx");
});
