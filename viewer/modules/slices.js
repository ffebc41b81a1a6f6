// Turning through the slices of a volume: `slices.wanted` is ahead of the pictures until the hand rests.

import { setText } from "./dom.js";

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

/** Turns to the slice `by` further; Python is asked for it when the hand rests. */
export function turnSlices(view, by) {
  const { slices, timers, life } = view;
  const { index, count } = view.content.header.slices;
  slices.wanted = sliceAt(slices.wanted ?? index, by, count);
  showSlice(view);
  clearTimeout(timers.turning);
  timers.turning = setTimeout(
    () => !life.closed && slices.wanted !== view.content.header.slices?.index && view.python.turn(slices.wanted),
    90,
  );
}

/** Turns by a movement of the wheel, in CSS pixels. */
export function turnByWheel(view, delta) {
  const by = rolled(view.slices, delta);
  if (by) turnSlices(view, by);
}

export function showSlice(view) {
  const { index, count } = view.content.header.slices;
  const at = view.slices.wanted ?? index;
  const { range, words } = view.dom.slices;
  setText(words, `Slice ${at + 1} of ${count}`);
  range.value = at;
  range.style.setProperty("--share", `${(100 * at) / Math.max(1, count - 1)}%`);
  range.setAttribute("aria-valuetext", `${at + 1} of ${count}`);
}
