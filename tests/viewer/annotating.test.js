import assert from "node:assert/strict";
import test from "node:test";

import { drawingOf, edited, hear, unsaved } from "../../viewer/modules/annotating.js";

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
  context.mock.timers.tick(6000);
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
  hear(drawing, { ...drawing.given, acked: drawing.sent });
  context.mock.timers.tick(60_000);
  assert.equal(sent.length, 3);
});
