// What the hand does on the panels: zoom at the pointer, pan, window and level, crosshair, swipe.

import { setSwipe } from "./compare.js";
import { layoutPanels, maximise } from "./panels.js";
import { turnByWheel } from "./slices.js";
import { moveCross, panBy, windowBy, zoomAt } from "./viewport.js";
import { placeInFrame } from "./zoom.js";

/** Where in a panel a pointer event fell, in CSS pixels from its upper left corner. */
function insidePanel(panel, event) {
  const box = panel.film.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function panelUnder(view, { clientX, clientY }) {
  return (
    view.content.panels.find((panel) => {
      if (!panel.shown) return false;
      const box = panel.film.getBoundingClientRect();
      return clientX >= box.left && clientX < box.right && clientY >= box.top && clientY < box.bottom;
    }) ?? null
  );
}

/** The hand rests: draw at full resolution again. */
export function rest(view) {
  view.pointer.moving = false;
  if (view.drawing.coarse) {
    view.drawing.coarse = false;
    layoutPanels(view);
  }
}

function restSoon(view) {
  clearTimeout(view.timers.resting);
  view.timers.resting = setTimeout(() => rest(view), 160);
}

export function listenToHands(view) {
  const { stage } = view.dom;
  const held = new Map();
  let drag = null;

  stage.onwheel = (event) => {
    const panel = panelUnder(view, event);
    if (!panel) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 24 : event.deltaMode === 2 ? 240 : 1;
    if (view.content.header.slices && !event.ctrlKey) return turnByWheel(view, event.deltaY * lines);
    view.pointer.moving = true;
    zoomAt(view, insidePanel(panel, event), Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)));
    restSoon(view);
  };

  stage.onpointerdown = (event) => {
    const panel = panelUnder(view, event);
    if (!panel) return;
    stage.focus({ preventScroll: true });
    if (event.target === panel.divider) panel.divider.focus({ preventScroll: true });
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    clearTimeout(view.timers.resting);
    const tool =
      event.target === panel.divider
        ? "swipe"
        : event.button === 2 || (event.button === 0 && view.levels.dragging)
          ? "window"
          : "pan";
    drag = { tool, panel, x: event.clientX, y: event.clientY };
    view.pointer.moving = true;
    stage.dataset.drag = tool;
  };

  stage.onpointermove = (event) => {
    if (held.has(event.pointerId)) {
      const before = held.get(event.pointerId);
      if (held.size === 2) pinch(view, drag.panel, held, event);
      held.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (held.size === 2) return;
      const dx = event.clientX - before.x;
      const dy = event.clientY - before.y;
      if (drag.tool === "window") windowBy(view, dx, dy);
      else if (drag.tool === "swipe") setSwipe(view, insidePanel(drag.panel, event).x / view.drawing.size.cssWidth);
      else panBy(view, dx, dy);
      if (drag.tool !== "pan") return;
    }
    const panel = drag?.panel ?? panelUnder(view, event);
    view.pointer.panel = panel;
    if (!panel || !view.crosshair.on) return;
    const at = placeInFrame(view.zoom, view.drawing.size, insidePanel(panel, event));
    const [height, width] = view.content.header.frame;
    moveCross(view, at.x / width, at.y / height);
  };

  const release = (event) => {
    held.delete(event.pointerId);
    if (held.size) return;
    drag = null;
    delete stage.dataset.drag;
    rest(view);
  };
  stage.onpointerup = release;
  stage.onpointercancel = release;
  stage.onpointerleave = () => (view.pointer.panel = null);
  stage.oncontextmenu = (event) => event.preventDefault();
  stage.ondblclick = (event) => maximise(view, panelUnder(view, event));
}

/** Two fingers: their distance zooms, their middle pans. */
function pinch(view, panel, held, event) {
  const [a, b] = [...held.values()];
  const other = held.get(event.pointerId) === a ? b : a;
  const own = held.get(event.pointerId);
  const far = (p) => Math.hypot(p.x - other.x, p.y - other.y);
  const now = { x: event.clientX, y: event.clientY };
  const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
  panBy(view, (now.x - own.x) / 2, (now.y - own.y) / 2);
  zoomAt(view, insidePanel(panel, middle), far(now) / Math.max(1, far(own)));
}
