import assert from "node:assert/strict";
import test from "node:test";

import { drawingOf, edited, hear, marksOn, unsaved, wordsOf } from "../../viewer/modules/annotating.js";
import { stateWords } from "../../viewer/modules/column.js";
import { newMark } from "../../viewer/modules/shapes.js";

test("whoever is told of an edit is told that it is not saved yet", () => {
  const drawing = drawingOf("edit");
  hear(drawing, { picture: "p", loaded: 1, revision: 0, acked: 0, marks: [], trouble: "", locked: "", saved: "" });
  const heard = [];
  drawing.listeners.add(() => heard.push(unsaved(drawing)));
  edited(drawing);
  clearTimeout(drawing.timer);
  assert.deepEqual(heard, [true]);
  hear(drawing, { ...drawing.given, acked: drawing.sent });
  assert.deepEqual(heard, [true, false]);
});

test("what nobody takes is sent again, until somebody does or says why not", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1000 });
  const drawing = drawingOf("again");
  hear(drawing, { picture: "p", loaded: 1, revision: 0, acked: 0, marks: [], trouble: "", locked: "", saved: "" });
  const sent = [];
  drawing.send = ({ number }) => sent.push(number);
  edited(drawing);
  context.mock.timers.tick(150);
  assert.equal(sent.length, 1);
  assert.equal(stateWords(drawing), "Saving \u2026");
  context.mock.timers.tick(6000);
  assert.match(stateWords(drawing), /^Not saved: no connection/);
  context.mock.timers.tick(10);
  assert.equal(sent.length, 2);
  assert.ok(sent[1] > sent[0]);
  hear(drawing, { ...drawing.given, trouble: "Not kept yet" });
  context.mock.timers.tick(12_000);
  context.mock.timers.tick(10);
  assert.equal(sent.length, 2, "the reader is told, and decides");
  hear(drawing, { ...drawing.given, trouble: "" });
  edited(drawing);
  context.mock.timers.tick(150);
  hear(drawing, { ...drawing.given, acked: drawing.sent, saved: "Saved" });
  assert.equal(stateWords(drawing), "Saved");
  context.mock.timers.tick(60_000);
  assert.equal(sent.length, 3);
  edited(drawing);
  assert.equal(stateWords(drawing), "Saving \u2026", "the server has answered since");
  context.mock.timers.tick(150);
  context.mock.timers.tick(6000);
  assert.match(stateWords(drawing), /^Not saved/);
  hear(drawing, { ...drawing.given, picture: "q", saved: "" });
  assert.equal(stateWords(drawing), "", "another scan has nothing unsaved");
});

const GIVEN = { loaded: 1, revision: 0, acked: 0, marks: [], trouble: "", locked: "", saved: "", spacing_mm: null };

/** A view of a picture of 4 x 6 pixels, each of this grey. */
function viewOf(scan_sha256, grey) {
  const grid = { width: 6, height: 4, data: new Float32Array(24).fill(grey), scale: 1 };
  const plane = { axis: 0, down: 0, across: 1, frame: [4, 6], zoom: { aspect: 1 } };
  const content = { header: { scan_sha256 }, scan: null, panels: [{ kind: "scan", base: { grid }, plane }] };
  return { content, slab: { mode: "" }, plane };
}

test("a mark is measured on the pixels of its own scan only, and once those are there", () => {
  const drawing = drawingOf("turned");
  const box = newMark("box", [
    [0, 0],
    [2, 3],
  ]);
  const [before, own] = [viewOf("a", 167), viewOf("b", 40)];
  hear(drawing, { ...GIVEN, picture: "b", marks: [box] });
  assert.equal(wordsOf(null, drawing, box), "6 px\u00b2");
  assert.equal(wordsOf(before, drawing, box), "6 px\u00b2", "the grid of the scan before is still mounted");
  assert.equal(wordsOf(own, drawing, box), "6 px\u00b2, mean 40.000 \u00b1 0.000");
  assert.equal(wordsOf(before, drawing, box), "6 px\u00b2, mean 40.000 \u00b1 0.000", "what is known stays");
});

test("an angle in pixels takes their shape from its own scan", () => {
  const drawing = drawingOf("angle");
  const angle = newMark("angle", [
    [0, 1],
    [0, 0],
    [1, 1],
  ]);
  const [before, own] = [viewOf("a", 0), viewOf("b", 0)];
  own.plane.zoom.aspect = Math.sqrt(3);
  hear(drawing, { ...GIVEN, picture: "b", marks: [angle] });
  wordsOf(null, drawing, angle);
  wordsOf(before, drawing, angle);
  assert.equal(wordsOf(own, drawing, angle), "60.0\u00b0");
});

test("no mark lies on the scan before, nor on a view that names no scan", () => {
  const drawing = drawingOf("lying");
  const box = newMark("box", [
    [0, 0],
    [2, 3],
  ]);
  hear(drawing, { ...GIVEN, picture: "b", marks: [box] });
  const shown = (scan) => marksOn(viewOf(scan, 0), drawing, viewOf(scan, 0).plane).length;
  assert.deepEqual([shown("a"), shown(""), shown(undefined), shown("b")], [0, 0, 0, 1]);
});
