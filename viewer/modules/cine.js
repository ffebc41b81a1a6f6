// Cine: what plays, how fast, and what ends it. playing.js plays it.
//
// view.cine is {playing, axis, rate, sweep, direction, frame, last, ended}: `axis` of a volume whose slices play, or null
// where amounts of a counterfactual do; `rate` in frames a second; `sweep`: there and back rather than around; `last`:
// when the latest was shown; `ended`: called once when it ends.

export const RATE = { least: 1, most: 30, step: 1 }; // frames a second

export const startingCine = () => ({
  ...{ playing: false, axis: null, rate: 12, sweep: false, direction: 1, frame: 0, last: 0, ended: null },
});

/** The place after `at` of `count`, and the direction from there: from the last to the first, or there and back. */
export function following(at, count, { sweep, direction }) {
  if (!sweep) return { at: (at + 1) % count, direction: 1 };
  const further = at + direction;
  const towards = further < 0 || further >= count ? -direction : direction;
  return { at: Math.min(count - 1, Math.max(0, at + towards)), direction: towards };
}

/** When the next frame is due, at `now`: a late one is not made up for, so that frames never queue. */
export const dueAfter = (last, now, rate) => (now - last < 2000 / rate ? last + 1000 / rate : now);

/** Whether a frame is due; a moment early is on time, since frames of the screen are some 16 ms apart. */
export const isDue = ({ last, rate }, now) => now - last >= 1000 / rate - 4;

/** Ends cine, whatever the hand did to end it; nothing where nothing plays. */
export function stopCine(view) {
  const { cine } = view;
  if (!cine.playing) return;
  cine.playing = false;
  cancelAnimationFrame(cine.frame);
  cine.ended?.();
}
