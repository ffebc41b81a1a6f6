// What the hand does on the panels: zoom at the pointer, pan, window and level, crosshair, swipe.

/** Where in a panel a pointer event fell, in CSS pixels from its upper left corner. */
function insidePanel(panel, event) {
  const box = panel.film.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function panelUnder(v, { clientX, clientY }) {
  return v.panels.find((panel) => {
    if (!panel.shown) return false;
    const box = panel.film.getBoundingClientRect();
    return clientX >= box.left && clientX < box.right && clientY >= box.top && clientY < box.bottom;
  }) ?? null;
}

/** Frame coordinates (in pixels of the scan) under a place in a panel. */
function frameAt(v, { x, y }) {
  const { view, size } = v;
  return {
    x: (x - size.cssWidth / 2) / view.s + view.cx,
    y: (y - size.cssHeight / 2) / (view.s * view.aspect) + view.cy,
  };
}

/** Zooms by `factor` so that what lies under `place` stays there. */
function zoomAt(v, place, factor) {
  const { view, size } = v, [height, width] = v.header.frame;
  const fit = Math.min(size.cssWidth / width, size.cssHeight / (height * view.aspect));
  const before = frameAt(v, place);
  view.s = Math.min(32, Math.max(fit * 0.5, view.s * factor));
  view.cx = before.x - (place.x - size.cssWidth / 2) / view.s;
  view.cy = before.y - (place.y - size.cssHeight / 2) / (view.s * view.aspect);
  view.fitted = false;
  keepInSight(v);
  viewMoved(v);
}

function panBy(v, dx, dy) {
  v.view.cx -= dx / v.view.s;
  v.view.cy -= dy / (v.view.s * v.view.aspect);
  v.view.fitted = false;
  keepInSight(v);
  viewMoved(v);
}

/** The middle of a panel never leaves the picture. */
function keepInSight(v) {
  const [height, width] = v.header.frame;
  v.view.cx = Math.min(width, Math.max(0, v.view.cx));
  v.view.cy = Math.min(height, Math.max(0, v.view.cy));
}

/** Right is wider, up is brighter; a panel's width of movement is one start window. */
function windowBy(v, dx, dy) {
  v.stretch = Math.min(20, Math.max(0.02, v.stretch * Math.exp(dx / 240)));
  v.shift = Math.min(4, Math.max(-4, v.shift + (dy / 320) * v.stretch));
  touch(v);
}

function setWindow(v, centre, width) {
  const [startCentre, startWidth] = v.panels[0].window;
  v.stretch = width / startWidth;
  v.shift = (centre - startCentre) / startWidth;
  touch(v);
}

/** One screen pixel for each pixel of the scan, around the crosshair or the middle. */
function actualSize(v) {
  const { cross, view } = v, [height, width] = v.header.frame;
  if (cross) {
    view.cx = cross.u * width;
    view.cy = cross.v * height;
  }
  view.s = 1 / (window.devicePixelRatio || 1);
  view.fitted = false;
  viewMoved(v);
}

function maximise(v, panel) {
  v.maximised = v.maximised === null && panel ? v.panels.indexOf(panel) : null;
  layoutPanels(v);
}

function moveCross(v, u, w) {
  v.cross = u >= 0 && u < 1 && w >= 0 && w < 1 ? { u, v: w } : v.cross;
  crossMoved(v);
}

/** The hand rests: draw at full resolution again. */
function rest(v) {
  v.moving = false;
  if (v.coarse) {
    v.coarse = false;
    layoutPanels(v);
  }
}

function restSoon(v) {
  clearTimeout(v.resting);
  v.resting = setTimeout(() => rest(v), 160);
}

/** Turns to the slice `by` further; the pictures follow when the hand rests. */
function turnSlices(v, by) {
  const { index, count } = v.header.slices;
  v.slice = Math.min(count - 1, Math.max(0, (v.slice ?? index) + by));
  showSlice(v);
  clearTimeout(v.turning);
  v.turning = setTimeout(() => !v.closed && v.slice !== v.header.slices?.index && v.turn(v.slice), 90);
}

/** A notch of the wheel is a slice; a touchpad's small steps add up to one. */
function rollSlices(v, delta) {
  v.rolled = (v.rolled ?? 0) + delta;
  const by = Math.abs(delta) >= 50 ? Math.sign(delta) : Math.trunc(v.rolled / 50);
  if (!by) return;
  v.rolled = 0;
  turnSlices(v, by);
}

function listenToHands(v) {
  const { stage } = v, held = new Map();
  let drag = null;

  stage.onwheel = (event) => {
    const panel = panelUnder(v, event);
    if (!panel) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 24 : event.deltaMode === 2 ? 240 : 1;
    if (v.header.slices && !event.ctrlKey) return rollSlices(v, event.deltaY * lines);
    v.moving = true;
    zoomAt(v, insidePanel(panel, event), Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)));
    restSoon(v);
  };

  stage.onpointerdown = (event) => {
    const panel = panelUnder(v, event);
    if (!panel) return;
    stage.focus({ preventScroll: true });
    if (event.target === panel.divider) panel.divider.focus({ preventScroll: true });
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    clearTimeout(v.resting);
    const tool = event.target === panel.divider ? "swipe" : event.button === 2 || (event.button === 0 && v.windowMode) ? "window" : "pan";
    drag = { tool, panel, x: event.clientX, y: event.clientY };
    v.moving = true;
    stage.dataset.drag = tool;
  };

  stage.onpointermove = (event) => {
    if (held.has(event.pointerId)) {
      const before = held.get(event.pointerId);
      if (held.size === 2) pinch(v, drag.panel, held, event);
      held.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (held.size === 2) return;
      const dx = event.clientX - before.x, dy = event.clientY - before.y;
      if (drag.tool === "window") windowBy(v, dx, dy);
      else if (drag.tool === "swipe") setSwipe(v, insidePanel(drag.panel, event).x / v.size.cssWidth);
      else panBy(v, dx, dy);
      if (drag.tool !== "pan") return;
    }
    const panel = drag?.panel ?? panelUnder(v, event);
    v.under = panel;
    if (!panel || !v.crossOn) return;
    const at = frameAt(v, insidePanel(panel, event)), [height, width] = v.header.frame;
    moveCross(v, at.x / width, at.y / height);
  };

  const release = (event) => {
    held.delete(event.pointerId);
    if (held.size) return;
    drag = null;
    delete stage.dataset.drag;
    rest(v);
  };
  stage.onpointerup = release;
  stage.onpointercancel = release;
  stage.onpointerleave = () => (v.under = null);
  stage.oncontextmenu = (event) => event.preventDefault();
  stage.ondblclick = (event) => maximise(v, panelUnder(v, event));
}

/** Two fingers: their distance zooms, their middle pans. */
function pinch(v, panel, held, event) {
  const [a, b] = [...held.values()];
  const other = held.get(event.pointerId) === a ? b : a, own = held.get(event.pointerId);
  const far = (p) => Math.hypot(p.x - other.x, p.y - other.y), now = { x: event.clientX, y: event.clientY };
  const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
  panBy(v, (now.x - own.x) / 2, (now.y - own.y) / 2);
  zoomAt(v, insidePanel(panel, middle), far(now) / Math.max(1, far(own)));
}

function setSwipe(v, share) {
  v.swipeAt = Math.min(1, Math.max(0, share));
  touch(v, "evidence", "without");
}
