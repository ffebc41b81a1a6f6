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
