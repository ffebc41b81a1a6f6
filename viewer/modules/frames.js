// What changed is drawn in the browser's next frame, once: `view.drawing.draw` and `view.drawing.write` are told when.

/** Marks panels (all, or those of the named kinds) for the next frame. */
export function touch(view, ...kinds) {
  const { drawing } = view;
  for (const panel of view.content.panels) if (!kinds.length || kinds.includes(panel.kind)) panel.dirty = true;
  if (!drawing.frame && !view.life.closed)
    drawing.frame = requestAnimationFrame(() => {
      drawing.frame = 0;
      drawing.draw(view);
    });
}

/** Zoom or position changed: everything is sampled again. */
export function viewMoved(view) {
  view.drawing.region = null;
  touch(view);
}

/** What is taken away changed. */
export function changeMoved(view) {
  view.content.changeStale = Boolean(view.content.change);
  touch(view, "without", "difference");
}

/** The crosshair moved: only words and two lines change, no picture. */
export function crossMoved(view) {
  const { drawing } = view;
  if (drawing.crossFrame || drawing.frame) return;
  drawing.crossFrame = requestAnimationFrame(() => {
    drawing.crossFrame = 0;
    drawing.write(view);
  });
}
