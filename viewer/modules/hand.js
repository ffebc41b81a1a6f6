// The hand that draws: pointer and keys on a view that is drawn on. It takes what it means before the viewer's own
// gestures do, and leaves them everything else.

import {
  changed,
  chosen,
  edited,
  lockedBy,
  marksOn,
  onItsScan,
  scanAt,
  shownAt,
  sizeOf,
  sliceOf,
} from "./annotating.js";
import { stopCine } from "./cine.js";
import { insidePanel, panelUnder } from "./gestures.js";
import { add, replace, selectedOf } from "./history.js";
import { instrumentOf, tell } from "./instruments.js";
import { joined, stroke, without } from "./runs.js";
import { clamped, handlesOf, isWhole, markAt, movedBy, newMark, normal, simplified, withHandle } from "./shapes.js";
import { placeInFrame, placeInPanel } from "./zoom.js";

const NEAR = 7; // CSS pixels
const DRAGGED = ["box", "area", "length", "shutter"];

/** The point of the scan under a pointer on a panel, within the picture. */
function pointUnder(view, panel, event) {
  const { plane } = panel;
  const at = placeInFrame(plane.zoom, view.drawing.size, insidePanel(view, panel, event));
  return clamped(scanAt(plane, at), sizeOf(plane));
}

/** Listens to the pointer on the stage; returns what stops that. */
export function listenToPen(view, drawing) {
  const { stage } = view.dom;
  let grip = null;

  const down = (event) => {
    if (event.button !== 0 || !onItsScan(view, drawing) || event.target.closest?.(".divider")) return;
    const panel = panelUnder(view, event);
    if (!panel || panel.kind === "prior") return; // what is drawn belongs to the scan, not to its prior
    const point = pointUnder(view, panel, event);
    const took = drawing.tool ? begin(view, drawing, panel, point, event) : grasp(view, drawing, panel, point, event);
    if (!took) return;
    stopCine(view);
    event.preventDefault();
    event.stopImmediatePropagation();
    stage.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    grip = { panel, plane: panel.plane, from: point, pointer: event.pointerId };
  };

  const move = (event) => {
    if (drawing.lens.on) {
      const panel = panelUnder(view, event);
      drawing.lens.at = panel && { panel, ...insidePanel(view, panel, event) };
      changed(drawing, { list: false });
    }
    if (grip && grip.pointer === event.pointerId) {
      for (const part of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event])
        follow(view, drawing, grip, pointUnder(view, grip.panel, part));
      changed(drawing, { list: false });
    } else if (drawing.draft?.mark.open) {
      const panel = panelUnder(view, event);
      if (!panel) return;
      const point = pointUnder(view, panel, event);
      drawing.draft.mark = { ...drawing.draft.mark, points: [...drawing.draft.fixed, point] };
      changed(drawing, { list: false });
    }
  };

  const up = (event) => {
    if (!grip || grip.pointer !== event.pointerId) return;
    grip = null;
    if (drawing.draft && !drawing.draft.mark.open) finish(view, drawing);
  };

  const twice = (event) => drawing.tool && event.stopImmediatePropagation();
  const listeners = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, dblclick: twice };
  for (const [name, listen] of Object.entries(listeners)) stage.addEventListener(name, listen, true);
  return () => {
    for (const [name, listen] of Object.entries(listeners)) stage.removeEventListener(name, listen, true);
  };
}

/** A stroke of the instrument in hand begins, or a corner is set; true when it did. */
function begin(view, drawing, { plane }, point, event) {
  const marker = drawing.tool === "marker"; // a box that says which side its marker names
  const kind = marker ? "box" : drawing.tool;
  const slice = sliceOf(view, plane);
  const where = { slice, axis: slice === null ? 0 : plane.axis };
  const { draft } = drawing;
  if (kind === "polygon" || kind === "angle") {
    if (!draft) startDraft(drawing, { ...newMark(kind, [point], where), open: true }, corners(event, point));
    else setCorner(view, drawing, plane, point);
  } else if (kind === "brush") {
    startDraft(drawing, newMark("brush", [], where), {
      trail: { points: [point], erases: event.altKey, axis: where.axis, plane },
    });
  } else if (kind === "freehand")
    startDraft(drawing, { ...newMark(kind, [point], where), open: true }, { loose: true });
  else {
    const label = marker ? `Side marker ${event.altKey ? "R" : "L"}` : "";
    startDraft(drawing, { ...newMark(kind, [point, point], where), label }, { from: point });
  }
  if (kind === "freehand") drawing.draft.mark.open = false;
  changed(drawing);
  return true;
}

/** A draft of corners; one that a pointer began is ended by Enter. */
const corners = (event, point) => ({ fixed: [point], byPointer: event.type === "pointerdown" });

function startDraft(drawing, mark, more) {
  drawing.draft = { mark, stamp: `draft ${drawing.version}`, ...more };
  drawing.history.selected = null;
}

/** A corner more of a polygon or an angle; the first one again ends a polygon. */
function setCorner(view, drawing, plane, point) {
  const { draft } = drawing;
  const onPanel = (one) => placeInPanel(plane.zoom, view.drawing.size, shownAt(plane, one));
  const [a, b] = [onPanel(point), onPanel(draft.fixed[0])];
  const closes = draft.mark.kind === "polygon" && draft.fixed.length > 2 && Math.hypot(a.x - b.x, a.y - b.y) < NEAR;
  if (!closes) draft.fixed = [...draft.fixed, point];
  draft.mark = { ...draft.mark, points: draft.fixed };
  if (closes || (draft.mark.kind === "angle" && draft.fixed.length === 3)) finish(view, drawing);
}

/** A mark, or a corner of the chosen one, is taken hold of; true when there is one. */
function grasp(view, drawing, { plane }, point) {
  const tolerance = NEAR / plane.zoom.scale;
  const marks = marksOn(view, drawing, plane);
  const mark = chosen(drawing);
  if (mark && marks.includes(mark) && !lockedBy(drawing)) {
    const handle = handlesOf(mark).findIndex(
      (one) => Math.hypot(one[0] - point[0], one[1] - point[1]) <= 1.4 * tolerance,
    );
    if (handle >= 0) {
      drawing.draft = { mark, handle, began: mark, from: point, stamp: `draft ${drawing.version}` };
      return true;
    }
  }
  const hit = markAt(marks, point, tolerance);
  const before = drawing.history.selected;
  drawing.history.selected = hit?.id ?? null;
  if (!hit) {
    if (before) changed(drawing);
    return false;
  }
  if (!lockedBy(drawing) && before === hit.id)
    drawing.draft = { mark: hit, began: hit, from: point, stamp: `draft ${drawing.version}` };
  changed(drawing);
  return true;
}

/** The pointer moved with something in hand. */
function follow(view, drawing, { plane, from }, point) {
  const { draft } = drawing;
  if (!draft) return;
  const { mark } = draft;
  if (draft.trail) draft.trail.points.push(point);
  else if (draft.loose) mark.points.push(point);
  else if (draft.handle !== undefined) draft.mark = withHandle(draft.began, draft.handle, point);
  else if (draft.began) draft.mark = movedBy(draft.began, [point[0] - from[0], point[1] - from[1]], sizeOf(plane));
  else if (DRAGGED.includes(mark.kind))
    draft.mark = { ...mark, points: mark.kind === "length" ? [draft.from, point] : normal([draft.from, point]) };
}

/** What was drawn or changed becomes part of the list; what is too small to be meant does not. */
export function finish(view, drawing) {
  const { draft, history } = drawing;
  drawing.draft = null;
  let { mark } = draft;
  if (draft.trail) return painted(view, drawing, draft);
  delete mark.open;
  if (mark.kind === "shutter") {
    if (isWhole({ ...mark, kind: "box" })) drawing.shutter = mark.points;
    drawing.tool = null;
    return changed(drawing);
  }
  if (draft.loose) {
    const { zoom } = view.content.panels[0].plane;
    mark = { ...mark, points: simplified(mark.points, 0.6 / zoom.scale) };
  }
  if (draft.began) {
    if (mark === draft.began || !isWhole(mark)) return changed(drawing);
    replace(history, mark);
    return edited(drawing);
  }
  if (!isWhole(mark)) return changed(drawing);
  add(history, mark);
  if (mark.kind !== "brush") tell(drawing, `${mark.kind} drawn`);
  edited(drawing);
}

/** A stroke of the brush joins the brush that was last drawn on this slice, or takes from it, or is a new one. */
function painted(view, drawing, { mark, trail }) {
  const { plane, points, erases } = trail;
  const { history } = drawing;
  const across = drawing.radius / plane.zoom.scale;
  const radius =
    plane.down < plane.across ? [across / plane.zoom.aspect, across] : [across, across / plane.zoom.aspect];
  const runs = stroke(points, radius, sizeOf(plane));
  const same = (one) => one.kind === "brush" && one.slice === mark.slice && one.axis === mark.axis;
  const own = history.list.findLast((one) => same(one) && one.id === drawing.brush);
  if (own) {
    const left = erases ? without(own.runs, runs) : joined(own.runs, runs);
    if (left.length) replace(history, { ...own, runs: left });
    else history.list.length && removeAll(history, own);
    history.selected = left.length ? own.id : null;
  } else if (!erases && runs.length) {
    drawing.brush = mark.id;
    add(history, { ...mark, runs });
  } else return changed(drawing);
  edited(drawing);
}

function removeAll(history, own) {
  replace(history, own);
  history.list = history.list.filter((one) => one.id !== own.id);
}

/** Acts on a key; true when it was one of the hand's. */
export function pressKey(view, drawing, event) {
  const { draft } = drawing;
  if (event.key === "Escape") {
    if (!draft && !drawing.tool && !drawing.history.selected && !drawing.lens.on) return false;
    if (draft) drawing.draft = null;
    else if (drawing.tool) drawing.tool = null;
    else if (drawing.history.selected) drawing.history.selected = null;
    else drawing.lens.on = false;
    changed(drawing);
    return true;
  }
  if (event.key === "Enter" && drawing.tool && !event.target.closest?.("button")) return enter(view, drawing, event);
  if (event.key === "{" || event.key === "}") {
    drawing.radius = Math.min(120, Math.max(2, drawing.radius * (event.key === "}" ? 1.25 : 0.8)));
    tell(drawing, `Brush of ${Math.round(drawing.radius)} pixels of the screen`);
    changed(drawing);
    return true;
  }
  const instrument = instrumentOf(event);
  if (!instrument) return false;
  if (
    ["undo", "redo"].includes(instrument.id) &&
    !drawing.history.past.length &&
    !drawing.history.future.length &&
    !draft
  )
    return false;
  if (instrument.id === "delete" && !selectedOf(drawing.history)) return false;
  instrument.run(drawing);
  return true;
}

/** Without a pointer: Enter sets a corner at the crosshair, or ends what has corners enough. */
function enter(view, drawing, { shiftKey: ends, altKey }) {
  const panel = view.content.panels.find((one) => one.shown);
  const { plane } = panel;
  const { draft } = drawing;
  if (draft?.mark.open && draft.mark.kind === "polygon" && (ends || draft.byPointer)) {
    draft.mark = { ...draft.mark, points: draft.fixed };
    finish(view, drawing);
    return true;
  }
  const { at } = view.crosshair;
  if (!at || !onItsScan(view, drawing)) return false;
  const [height, width] = plane.frame;
  const point = Array.isArray(at)
    ? at.filter((_, axis) => axis !== plane.axis).map((share, i) => share * sizeOf(plane)[i])
    : scanAt(plane, { x: at.u * width, y: at.v * height });
  if (!draft) {
    begin(view, drawing, { plane }, point, { altKey });
    if (drawing.tool === "brush") finish(view, drawing);
    return true;
  }
  if (draft.fixed) setCorner(view, drawing, plane, point);
  else {
    follow(view, drawing, { plane, from: draft.from }, point);
    finish(view, drawing);
  }
  changed(drawing);
  return true;
}
