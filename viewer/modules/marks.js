// The component beside a viewer that lets a reader draw on it: its column, and what passes between it and Python.

import { drawingOf, hear, unsaved } from "./annotating.js";
import { buildColumn } from "./column.js";
import { equip } from "./equipping.js";
import { unlessNewer, views } from "./mounted.js";

const mounted = new WeakMap();

export default function mountMarks({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".marks");
  const drawing = drawingOf(data.to);
  drawing.send = (message) => setStateValue("drawn", message);
  if (!mounted.has(parentElement)) {
    const writeColumn = buildColumn(root, drawing);
    const write = () => {
      writeColumn();
      root.dataset.unsaved = String(unsaved(drawing));
      root.dataset.scan = drawing.given?.picture ?? "";
    };
    mounted.set(parentElement, write);
    drawing.listeners.add(write);
    root.addEventListener("keydown", (event) => {
      if (["INPUT", "TEXTAREA"].includes(event.target.tagName) || !drawing.view?.marks) return;
      if (!drawing.view.marks.key(event)) return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
  hear(drawing, data);
  const view = views.get(data.to)?.view;
  if (view) equip(view, data.to);
  return unlessNewer(parentElement, () => {
    drawing.listeners.delete(mounted.get(parentElement));
    mounted.delete(parentElement);
    drawing.view?.marks?.close();
    if (drawing.view) drawing.view.marks = null;
  });
}
