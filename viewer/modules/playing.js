// Plays cine: a volume's slices, or, of a picture, how much of a finding is taken away, until the hand takes over.

import { RATE, dueAfter, following, isDue, stopCine } from "./cine.js";
import { showTools } from "./compare.js";
import { hereAt } from "./cuts.js";
import { say } from "./dom.js";
import { remember, sendSoon, setAmount } from "./selection.js";
import { askSoon, showSlice, turnedAxis } from "./slices.js";
import { lengthOf } from "./volume.js";

const AMOUNTS = 20; // steps from nothing taken away to a = 1

/** Begins to play, or stops. */
export function toggleCine(view) {
  const { cine, content, timers } = view;
  if (cine.playing) return stopCine(view);
  if (!content.scan) remember(view);
  clearTimeout(timers.turning);
  Object.assign(cine, { playing: true, axis: content.scan ? turnedAxis(view) : null, direction: 1, last: 0 });
  cine.ended = () => ended(view);
  cine.frame = requestAnimationFrame((now) => play(view, now));
  say(view, `Playing, ${cine.rate} frames a second`);
}

function play(view, now) {
  const { cine, life, drawing } = view;
  if (life.closed || !cine.playing) return;
  cine.frame = requestAnimationFrame((then) => play(view, then));
  if (drawing.frame || !isDue(cine, now)) return; // one frame is drawn before the next is asked for
  if (cine.axis === null ? advanceAmount(view) : advanceSlice(view)) cine.last = dueAfter(cine.last, now, cine.rate);
}

/** Shows the next slice, once all that it shows has arrived; whether it did. */
function advanceSlice(view) {
  const { cine, slices, content } = view;
  const next = following(slices.at[cine.axis], lengthOf(content.scan, cine.axis), cine);
  if (!hereAt(view, cine.axis, next.at)) return false;
  cine.direction = next.direction;
  showSlice(view, next.at, cine.axis);
  return true;
}

/** Takes a little more or less of the chosen finding away: there and back, since what follows a = 1 is no a = 0. */
function advanceAmount(view) {
  const { cine, selection } = view;
  const at = Math.min(AMOUNTS, Math.round(selection.amounts.get(selection.finding) * AMOUNTS));
  const next = following(at, AMOUNTS + 1, { sweep: true, direction: cine.direction });
  cine.direction = next.direction;
  setAmount(view, selection.finding, next.at / AMOUNTS);
  return true;
}

function ended(view) {
  if (view.life.closed) return;
  showTools(view);
  if (view.cine.axis === null) sendSoon(view);
  else askSoon(view);
  say(view, "Play off");
}

/** Frames a second, faster or slower by steps of the slider. */
export function setRate(view, rate) {
  view.cine.rate = Math.min(RATE.most, Math.max(RATE.least, Math.round(rate)));
  showTools(view);
}
