// Turning through a volume: `slices.at` is the present [slice, row, column], `slices.axis` the one that the scrubber and
// the keys turn.

import { stopCine } from "./cine.js";
import { setText } from "./dom.js";
import { crossMoved, touchPlanes } from "./frames.js";
import { drawScrubber } from "./scrubber.js";
import { complete, lengthOf } from "./volume.js";

const ASK_AFTER = 220; // milliseconds that the hand rests before the model is asked about another slice

/** The slice `by` further, from 0; the first and the last are the ends. */
export const sliceAt = (from, by, count) => Math.min(count - 1, Math.max(0, from + by));

/**
 * How many slices a turn of the wheel is: a notch is one; a touchpad's small steps, kept in `slices.rolled`, add up to
 * one.
 */
export function rolled(slices, delta) {
  slices.rolled += delta;
  const by = Math.abs(delta) >= 50 ? Math.sign(delta) : Math.trunc(slices.rolled / 50);
  if (by) slices.rolled = 0;
  return by;
}

/** The middle of every axis. */
export const middleOf = (volume) => [0, 1, 2].map((axis) => lengthOf(volume, axis) >> 1);

/** The axis that keys and scrubber turn: that of the panel last pointed at, where several planes are on show. */
export const turnedAxis = (view) => (view.layout.three ? view.slices.axis : 0);

/** Turns to the slice `by` further along an axis. */
export function turnSlices(view, by, axis = turnedAxis(view)) {
  goToSlice(view, view.slices.at[axis] + by, axis);
}

/** The hand goes to slice `index`, or the nearest there is; what plays stops. */
export function goToSlice(view, index, axis = turnedAxis(view)) {
  stopCine(view);
  showSlice(view, index, axis);
}

/** Shows slice `index`, or the nearest there is. */
export function showSlice(view, index, axis) {
  const { slices, crosshair, content } = view;
  const count = lengthOf(content.scan, axis);
  const to = sliceAt(index, 0, count);
  if (to === slices.at[axis]) return;
  slices.at[axis] = to;
  if (crosshair.at) crosshair.at[axis] = (to + 0.5) / count;
  touchPlanes(view, axis);
  crossMoved(view);
  showSlices(view);
  if (axis === 0) askSoon(view);
}

/** Turns by a movement of the wheel, in CSS pixels. */
export function turnByWheel(view, delta, axis) {
  const by = rolled(view.slices, delta);
  if (by) turnSlices(view, by, axis);
}

/** Moves every plane through a place, [slice, row, column] as shares of the axes. */
export function goToPlace(view, place) {
  place.forEach((share, axis) => {
    const count = lengthOf(view.content.scan, axis);
    goToSlice(view, Math.floor(share * count), axis);
  });
}

/** The place that all planes of a view cross in. */
export const placeOf = ({ content, slices }) =>
  slices.at.map((index, axis) => (index + 0.5) / lengthOf(content.scan, axis));

/** Whether findings are on show that are about another slice. */
export const elsewhere = ({ content, slices }) =>
  Boolean(content.header.volume?.findings_of_slice) && slices.at[0] !== content.header.volume.index;

/** Asks Python about the present slice when the hand rests, where the model reads one slice at a time. */
export function askSoon(view) {
  const { timers, life, cine } = view;
  clearTimeout(timers.turning);
  if (cine.playing || !elsewhere(view)) return;
  timers.turning = setTimeout(() => !life.closed && elsewhere(view) && view.python.turn(view.slices.at[0]), ASK_AFTER);
}

/** Writes which slice is on show, and what has not arrived. */
export function showSlices(view) {
  const { content, dom, slices } = view;
  if (!content.scan) return;
  const axis = turnedAxis(view);
  const count = lengthOf(content.scan, axis);
  const name = view.layout.three ? view.planes[axis].name : "Slice";
  const here = complete(content.scan) ? "" : `, ${content.scan.arrived} here`;
  setText(dom.slices, `${name} ${slices.at[axis] + 1} of ${count}${here}`);
  dom.root.classList.toggle("elsewhere", elsewhere(view));
  dom.root.dataset.arrived = content.scan.arrived;
  drawScrubber(view, axis, name);
}
