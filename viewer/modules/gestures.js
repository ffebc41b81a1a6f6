// What the hand does on the panels: zoom at the pointer, pan, window and level, crosshair, swipe.

import { setSwipe } from "./compare.js";
import { layoutPanels, maximise } from "./panels.js";
import { fromPlane } from "./planes.js";
import { goToPlace, placeOf, showSlices, turnByWheel } from "./slices.js";
import { backOnto, movedOnto } from "./turning.js";
import { moveCross, panBy, windowBy, zoomAt } from "./viewport.js";
import { placeInFrame } from "./zoom.js";

const STILL = 4; // CSS pixels that a click may move

/** Where in a panel a pointer event fell, in CSS pixels from the upper left corner of its own film. */
export function insidePanel(view, panel, event) {
  const box = panel.film.getBoundingClientRect();
  const { cssWidth, cssHeight } = view.drawing.size;
  return backOnto(view.turn, { x: event.clientX - box.left, y: event.clientY - box.top }, cssWidth, cssHeight);
}

/** The panel in whose picture an event fell; only one that a drag holds fast has to be measured for it. */
export function panelUnder(view, { clientX, clientY, target }) {
  const film = target?.closest?.(".film");
  if (film) return view.content.panels.find((panel) => panel.film === film) ?? null;
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
    if (view.content.scan && !event.ctrlKey) return turnByWheel(view, event.deltaY * lines, panel.plane.axis);
    view.pointer.moving = true;
    zoomAt(
      view,
      panel.plane,
      insidePanel(view, panel, event),
      Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)),
    );
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
    drag = { tool, panel, x: event.clientX, y: event.clientY, still: true };
    view.pointer.moving = true;
    stage.dataset.drag = tool;
  };

  stage.onpointermove = (event) => {
    if (held.has(event.pointerId)) {
      const before = held.get(event.pointerId);
      if (held.size === 2) pinch(view, drag.panel, held, event);
      held.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (held.size === 2) return;
      drag.still &&= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) <= STILL;
      const dx = event.clientX - before.x;
      const dy = event.clientY - before.y;
      if (drag.tool === "window") windowBy(view, dx, dy);
      else if (drag.tool === "swipe")
        setSwipe(view, insidePanel(view, drag.panel, event).x / view.drawing.size.cssWidth);
      else panBy(view, drag.panel.plane, ...movedOnto(view.turn, dx, dy));
      if (drag.tool !== "pan") return;
    }
    const panel = drag?.panel ?? panelUnder(view, event);
    view.pointer.panel = panel;
    if (panel && view.layout.three) return pointAt(view, panel.plane);
    if (!panel || !view.crosshair.on) return;
    const { u, v } = underPointer(view, panel, event);
    moveCross(view, panel.plane, u, v);
  };

  const release = (event) => {
    held.delete(event.pointerId);
    if (held.size) return;
    if (drag?.still && drag.tool === "pan" && event.type === "pointerup" && view.layout.three)
      crossAt(view, drag.panel, event);
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

/** Where in a panel's frame a pointer event fell, as shares {u, v}. */
function underPointer(view, panel, event) {
  const { zoom, frame } = panel.plane;
  const at = placeInFrame(zoom, view.drawing.size, insidePanel(view, panel, event));
  return { u: at.x / frame[1], v: at.y / frame[0] };
}

/** Keys and scrubber turn the plane under the pointer. */
function pointAt(view, { axis }) {
  if (view.slices.axis === axis) return;
  view.slices.axis = axis;
  showSlices(view);
}

/** A click moves the crosshair, and with it the planes that it lies in. */
function crossAt(view, panel, event) {
  const { u, v } = underPointer(view, panel, event);
  if (moveCross(view, panel.plane, u, v)) goToPlace(view, fromPlane(panel.plane, { u, v }, placeOf(view)));
}

/** Two fingers: their distance zooms, their middle pans. */
function pinch(view, panel, held, event) {
  const [a, b] = [...held.values()];
  const other = held.get(event.pointerId) === a ? b : a;
  const own = held.get(event.pointerId);
  const far = (p) => Math.hypot(p.x - other.x, p.y - other.y);
  const now = { x: event.clientX, y: event.clientY };
  const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
  panBy(view, panel.plane, ...movedOnto(view.turn, (now.x - own.x) / 2, (now.y - own.y) / 2));
  zoomAt(view, panel.plane, insidePanel(view, panel, middle), far(now) / Math.max(1, far(own)));
}
