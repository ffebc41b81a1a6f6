// Drawing on a view: what is drawn, with which tool, and what Python has taken of it. A view that is drawn on has it as
// `view.marks`; it outlives the view, so that nothing drawn is lost when the view is built anew.

import { scanOf } from "./cuts.js";
import { selectedOf, startHistory } from "./history.js";
import { measure, measureWords } from "./measuring.js";

const sessions = new Map(); // key of a view to its drawing

/**
 * The drawing of the view called `key`.
 *
 * given     what Python said last, see viewer/marks.py
 * history   see history.js
 * tool      id of the instrument in hand, or null: then marks are chosen and edited
 * draft     the mark that is being drawn or changed, or null; `draft.handle`: which of its corners moves
 * radius    of the brush, in CSS pixels
 * shutter   [[row, column], [row, column]] beyond which all is black, or null
 * lens      whether a magnifier follows the pointer, and {panel, x, y} of where it is
 * sent      number of the latest message to Python; `acked` of the latest that it has saved; `late`: nobody answered in time
 * made      {loaded, base}: the list and revision that what stands here was made from
 * version   counts changes of anything that is drawn
 * listeners told when something changed
 */
export function drawingOf(key) {
  if (!sessions.has(key))
    sessions.set(key, {
      ...{ key, given: null, history: startHistory(), tool: null, draft: null, radius: 14 },
      ...{
        shutter: null,
        lens: { on: false, at: null },
        sent: 0,
        acked: 0,
        late: false,
        made: null,
        version: 0,
        listeners: new Set(),
      },
      ...{ send: null, timer: 0, frame: 0, view: null },
    });
  return sessions.get(key);
}

/**
 * Something changed: the layers are drawn in the next frame, and the list is written; without `list` only what is under
 * the hand is.
 */
export function changed(drawing, { list = true } = {}) {
  if (list) {
    drawing.version++;
    for (const tell of drawing.listeners) tell();
  }
  if (drawing.frame || !drawing.view) return;
  drawing.frame = requestAnimationFrame(() => {
    drawing.frame = 0;
    drawing.view?.marks?.draw();
  });
}

/** Takes over what Python says; another picture, or another list of marks, replaces what stands. */
export function hear(drawing, given) {
  const before = drawing.given;
  drawing.given = given;
  const same = before?.picture === given.picture;
  drawing.acked = Math.max(same ? drawing.acked : drawing.sent, given.acked ?? 0);
  if (!unsaved(drawing)) drawing.late = false;
  const another = !same || drawing.made.loaded !== given.loaded;
  const kept = same && another && unsaved(drawing); // what nobody has taken yet stays, until Python has merged it
  if (!kept) drawing.made = { loaded: given.loaded, base: given.revision };
  if (another && !kept) {
    const { selected } = drawing.history;
    drawing.history = startHistory(given.marks);
    if (same && given.marks.some(({ id }) => id === selected)) drawing.history.selected = selected;
    drawing.draft = null;
    if (!same) Object.assign(drawing, { shutter: null, tool: null });
  }
  if (given.locked) Object.assign(drawing, { draft: null, tool: null });
  changed(drawing);
}

/** The list is sent when the hand rests: whole, with what it was made from, so that Python can tell what is new. */
export function edited(drawing) {
  drawing.sent = Math.max(drawing.sent + 1, Date.now());
  changed(drawing); // from here on the column says that it is not saved
  deliverLater(drawing, 120, PATIENCE);
}

const PATIENCE = 6000; // milliseconds until what nobody has taken is sent again; then twice as long
const LONGEST = 60_000;

/** Sends the list in a while, and again for as long as nobody takes it: the server may have been started anew. */
function deliverLater(drawing, wait, next) {
  clearTimeout(drawing.timer);
  const { picture } = drawing.given;
  const message = { picture, ...drawing.made, number: drawing.sent, marks: drawing.history.list };
  drawing.timer = setTimeout(() => {
    drawing.send?.(message);
    drawing.timer = setTimeout(() => {
      if (!unsaved(drawing) || drawing.given.trouble || drawing.given.picture !== picture) return;
      drawing.sent = Math.max(drawing.sent + 1, Date.now());
      drawing.late = true;
      changed(drawing);
      deliverLater(drawing, 0, Math.min(2 * next, LONGEST));
    }, next);
  }, wait);
}

/** Whether Python has not taken the latest change yet. */
export const unsaved = ({ sent, acked }) => sent > acked;

/** Whether a view shows the scan that the drawing is of: it may still show the one before, whose pixels are others. */
export const onItsScan = (view, { given }) =>
  Boolean(given && view) && view.content.header?.scan_sha256 === given.picture;

/** Whether nothing may be drawn, and why. */
export const lockedBy = ({ given }) => given?.locked ?? "";

/** Where the point [first, second] of the plane's axes, in the scan's order, lies in its frame: {x, y} in pixels. */
export function shownAt({ down, across, flipDown, flipAcross, frame }, [first, second]) {
  const [along, over] = down < across ? [first, second] : [second, first];
  return { x: flipAcross ? frame[1] - over : over, y: flipDown ? frame[0] - along : along };
}

/** The point [first, second] under a place {x, y} of a plane's frame. */
export function scanAt({ down, across, flipDown, flipAcross, frame }, { x, y }) {
  const over = flipAcross ? frame[1] - x : x;
  const along = flipDown ? frame[0] - y : y;
  return down < across ? [along, over] : [over, along];
}

/** [rows, columns] of a plane in the scan's order of axes. */
export const sizeOf = ({ down, across, frame }) => (down < across ? frame : [frame[1], frame[0]]);

/** Which slice of a volume a plane shows, from 0; null of a picture. */
export const sliceOf = (view, { axis }) => (view.content.scan ? view.slices.at[axis] : null);

/** The marks on what a plane shows, the draft in place of what it changes. */
export function marksOn(view, drawing, plane) {
  if (!onItsScan(view, drawing)) return [];
  const slice = sliceOf(view, plane);
  const { draft, history } = drawing;
  return history.list.filter(
    (mark) => mark.slice === slice && (slice === null || mark.axis === plane.axis) && mark.id !== draft?.mark.id,
  );
}

/** Spacing [first, second] of the axes of a mark in millimetres; null where one of them is not known. */
export function spacingOf({ given }, axis) {
  const spacing = given?.spacing_mm;
  if (!spacing) return null;
  const pair = given.volume ? spacing.filter((_, own) => own !== axis) : spacing;
  return pair.some((step) => step === null) ? null : pair;
}

/** The grid of pixels under a panel, where its rows and columns are the scan's; null for a turned plane and for a slab. */
function gridUnder(view, panel, { down, across, flipDown, flipAcross, frame }) {
  if (down > across || flipDown || flipAcross || view.slab.mode) return null;
  const source = scanOf(view, panel);
  const fits = source && !source.missing?.length && source.missing !== true;
  return fits && source.grid.height === frame[0] && source.grid.width === frame[1] ? source.grid : null;
}

const measures = new WeakMap(); // mark to what was measured on it

/** What is measured on a mark, in words; grey levels only where a panel shows its own scan, and the slice it lies on. */
export function wordsOf(view, drawing, mark, { quick = false } = {}) {
  const known = measures.get(mark);
  if (known && (known.whole || quick)) return known.words;
  const { given } = drawing;
  const spacing = spacingOf(drawing, mark.axis);
  const panel =
    onItsScan(view, drawing) &&
    view.content.panels.find(
      ({ plane, base, kind }) =>
        kind !== "prior" &&
        (base || view.content.scan) &&
        sliceOf(view, plane) === mark.slice &&
        (mark.slice === null || plane.axis === mark.axis),
    );
  const plane = panel ? panel.plane : null;
  const grid = panel && !quick ? gridUnder(view, panel, plane) : null;
  const { zoom } = plane ?? {};
  const found = measure(mark, { spacing, aspect: zoom?.aspect ?? 1, frame: plane ? sizeOf(plane) : [0, 0], grid });
  const words = measureWords(found, { spacing, note: given.note, grey: given.grey });
  const whole = Boolean(grid || (panel && found.area === undefined));
  if (!quick) measures.set(mark, { words, whole });
  return words;
}

/** The selected mark, as it is while it is being changed. */
export function chosen(drawing) {
  const selected = selectedOf(drawing.history);
  const { draft } = drawing;
  return draft && draft.mark.id === selected?.id ? draft.mark : selected;
}
