// One table of what draws and what helps to look, from which buttons, keys and the list of keys are made.

import { changed, edited, lockedBy } from "./annotating.js";
import { say } from "./dom.js";
import { redo, remove, selectedOf, undo } from "./history.js";
import { QUIET_TOOLS, useTool } from "./tools.js";

/** What draws, by key; `kind` is that of the mark. */
export const PENS = [
  {
    id: "choose",
    key: "e",
    hint: "E",
    label: "Choose",
    help: "choose and change what is drawn; drag corners or the whole",
  },
  { id: "box", key: "B", hint: "\u21e7B", label: "Box", help: "drag from corner to corner" },
  {
    id: "polygon",
    key: "P",
    hint: "\u21e7P",
    label: "Polygon",
    help: "click corners; the first again, or Enter, ends it",
  },
  { id: "freehand", key: "F", hint: "\u21e7F", label: "Freehand", help: "drag around what you mean" },
  { id: "brush", key: "R", hint: "\u21e7R", label: "Brush", help: "paint; with Alt, erase; { and } change its size" },
  { id: "length", key: "L", hint: "\u21e7L", label: "Length", help: "drag from end to end" },
  {
    id: "angle",
    key: "A",
    hint: "\u21e7A",
    label: "Angle",
    help: "click one side's end, the corner, the other side's end",
  },
  { id: "area", key: "E", hint: "\u21e7E", label: "Ellipse", help: "drag; its area, mean and deviation are measured" },
  {
    id: "marker",
    key: "M",
    hint: "\u21e7M",
    label: "Side marker",
    help: "drag around a side marker that you see: an L, with Alt an R",
  },
].map((pen) => ({
  ...pen,
  on: (drawing) => (drawing.tool ?? "choose") === pen.id,
  run: (drawing) => take(drawing, pen),
}));

/** A tool of the viewer itself, as a button of the column; its key is the viewer's. */
function viewTool(id) {
  const tool = QUIET_TOOLS.find((one) => one.id === id);
  return {
    ...{ id, key: null, hint: tool.key.toUpperCase(), label: tool.label, help: tool.help },
    ...(tool.on ? { on: ({ view }) => Boolean(view && tool.on(view)) } : {}),
    run: (drawing) => {
      if (drawing.view) useTool(drawing.view, tool);
      changed(drawing);
    },
  };
}

/** What helps to look, and what changes the list. */
export const AIDS = [
  {
    ...{
      id: "lens",
      key: "G",
      hint: "\u21e7G",
      label: "Magnifier",
      help: "a glass under the pointer, at three times the size",
    },
    on: ({ lens }) => lens.on,
    run: (drawing) => {
      drawing.lens.on = !drawing.lens.on;
      changed(drawing);
    },
  },
  {
    ...{
      id: "shutter",
      key: "S",
      hint: "\u21e7S",
      label: "Shutter",
      help: "drag what stays in sight; again takes it away",
    },
    on: ({ shutter, tool }) => shutter !== null || tool === "shutter",
    run: (drawing) => {
      drawing.tool = drawing.shutter || drawing.tool === "shutter" ? null : "shutter";
      drawing.shutter = null;
      changed(drawing);
    },
  },
  viewTool("rotate"),
  viewTool("flip"),
  {
    ...{ id: "undo", key: "ctrl z", hint: "Ctrl Z", label: "Undo", help: "the last change of what is drawn" },
    run: (drawing) => back(drawing, undo, "Undone", "Nothing to undo"),
  },
  {
    ...{ id: "redo", key: "ctrl y", hint: "Ctrl Y", label: "Redo", help: "what was undone" },
    run: (drawing) => back(drawing, redo, "Made again", "Nothing to make again"),
  },
  {
    ...{ id: "delete", key: "Delete", hint: "Del", label: "Delete", help: "what is chosen" },
    run: (drawing) => {
      const mark = selectedOf(drawing.history);
      if (!mark || refused(drawing)) return;
      remove(drawing.history, mark.id);
      edited(drawing);
      tell(drawing, "Deleted");
    },
  },
];

export const INSTRUMENTS = [...PENS, ...AIDS];

function take(drawing, { id, label }) {
  if (id !== "choose" && refused(drawing)) return;
  drawing.draft = null;
  drawing.tool = id === "choose" || drawing.tool === id ? null : id;
  const chosen = selectedOf(drawing.history);
  drawing.brush = chosen?.kind === "brush" ? chosen.id : null; // the one that its strokes join
  tell(drawing, drawing.tool ? `${label} in hand` : "Choosing");
  changed(drawing);
}

function back(drawing, turn, done, none) {
  if (refused(drawing)) return;
  if (drawing.draft) {
    drawing.draft = null;
    return changed(drawing);
  }
  if (!turn(drawing.history)) return tell(drawing, none);
  edited(drawing);
  tell(drawing, done);
}

/** Says why nothing may be drawn, where that is so. */
function refused(drawing) {
  const why = lockedBy(drawing);
  if (why) tell(drawing, why);
  return Boolean(why);
}

export function tell(drawing, words) {
  if (drawing.view) say(drawing.view, words);
}

/** The instrument that a key asks for. */
export function instrumentOf(event) {
  const control = event.ctrlKey || event.metaKey;
  if (event.altKey) return null;
  if (control) {
    const key = event.key.toLowerCase();
    const wanted = key === "z" ? (event.shiftKey ? "redo" : "undo") : key === "y" ? "redo" : null;
    return INSTRUMENTS.find(({ id }) => id === wanted) ?? null;
  }
  const key = event.key === "Backspace" ? "Delete" : event.key;
  return (
    INSTRUMENTS.find((one) => one.key === key && (key.length > 1 || event.shiftKey === (key !== key.toLowerCase()))) ??
    null
  );
}
