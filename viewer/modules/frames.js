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

/** Another slice along an axis: marks the panels of the plane that it shows. */
export function touchPlanes(view, axis) {
  const before = view.content.panels.filter((panel) => panel.dirty);
  touch(view);
  for (const panel of view.content.panels) panel.dirty = panel.plane.axis === axis || before.includes(panel);
}

/** Zoom or position changed: everything is sampled again. */
export function viewMoved(view) {
  for (const plane of view.planes) plane.region = null;
  touch(view);
}

/** What is taken away changed. */
export function changeMoved(view) {
  view.content.changeStamp++;
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
