// Gives a view its drawing: layers, pointer and keys.

import { changed, drawingOf } from "./annotating.js";
import { listenToPen, pressKey } from "./hand.js";
import { INSTRUMENTS } from "./instruments.js";
import { drawLayers } from "./layer.js";

/** Makes a view one that is drawn on; once is enough, and again does nothing but paint. */
export function equip(view, key) {
  const drawing = drawingOf(key);
  if (!drawing.given) return;
  if (view.marks?.drawing !== drawing) {
    view.marks?.close();
    const deaf = listenToPen(view, drawing);
    view.marks = {
      drawing,
      draw: () => drawLayers(view, drawing),
      key: (event) => pressKey(view, drawing, event),
      rows: INSTRUMENTS.filter(({ key }) => key).map(({ hint, label, help }) => [hint, `${label}: ${help}`]),
      close: () => {
        deaf();
        if (drawing.view === view) drawing.view = null;
      },
    };
  }
  drawing.view = view;
  changed(drawing);
}
