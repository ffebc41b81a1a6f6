// The slices of volumes, fetched one by one: what is on show and its neighbours first, so at the start the middle.

import { fetchBytes } from "./arrays.js";
import { touch } from "./frames.js";
import { showSlices } from "./slices.js";
import { complete, takeSlice } from "./volume.js";

const AT_A_TIME = 4;
const MESSAGE = 2 << 20; // bytes of several slices in one message; one alone may be larger
const PAINT_EVERY = 120; // milliseconds between two paintings for what has arrived beside what is on show
const MOST_TRIES = 5;

/** How many slices of a volume one message brings. */
const together = ({ height, width, frames, dtype }) =>
  Math.max(1, Math.floor(MESSAGE / (height * width * Math.max(1, frames) * (dtype === "f4" ? 4 : 2))));

/** The run [first, end) of slices of a volume from `k` away from `own`, at most `most`, none of which is here or asked for. */
export function runFrom({ volume, k, own }, most) {
  const free = (i) => i >= 0 && i < volume.depth && !volume.slices[i] && !volume.asked?.has(i);
  const by = k < own ? -1 : 1;
  let end = k;
  while (Math.abs(end + by - k) < most && free(end + by)) end += by;
  return by > 0 ? [k, end + 1] : [end, k + 1];
}

/**
 * The next slice to fetch, as {volume, k, own}: the one nearest to slice `at` of `count`, where a volume with a `weight` below
 * 1 counts as nearer than it is; null when all is here or asked for.
 */
export function nextSlice(wanted, at, count) {
  let best = null;
  let least = Infinity;
  for (const { volume, weight } of wanted) {
    if (complete(volume) || volume.token === volume.ended) continue;
    const own = ((at + 0.5) * volume.depth) / count - 0.5;
    for (let k = 0; k < volume.depth; k++) {
      if (volume.slices[k] || volume.asked?.has(k)) continue;
      const far = (Math.abs(k - own) + 1) * weight;
      if (far < least) [best, least] = [{ volume, k, own }, far];
    }
  }
  return best;
}

/** The volumes of a view, those of the chosen finding before those of others. */
function wantedOf(view) {
  const { scan, grids, header, byName } = view.content;
  const chosen = byName.get(view.selection.finding);
  const others = grids.filter((grid) => grid.volume && grid !== scan);
  const mine = new Set(chosen ? [chosen.evidence, grids[chosen.changes], chosen.truth] : []);
  return [
    ...(scan ? [{ volume: scan, weight: 1 }] : []),
    ...others.map((volume) => ({ volume, weight: mine.has(volume) ? 0.2 : 3 * header.findings.length })),
  ];
}

/** Fetches what a view lacks, a few slices at a time, until nothing is left or the view ends. */
export function fetchSlices(view) {
  const { arrivals, life } = view;
  while (!life.closed && arrivals.running < AT_A_TIME && view.content.scan) {
    const next = nextSlice(wantedOf(view), view.slices.at[0], view.content.scan.depth);
    if (!next) return;
    arrivals.running++;
    const first = next.volume === view.content.scan && !next.volume.slices[view.slices.at[0]];
    fetchRun(view, next.volume, runFrom(next, first ? 1 : together(next.volume))).finally(() => {
      arrivals.running--;
      fetchSlices(view);
    });
  }
}

async function fetchRun(view, volume, [first, end]) {
  const { token } = volume;
  const run = Array.from({ length: end - first }, (_, i) => first + i);
  volume.asked ??= new Set();
  for (const k of run) volume.asked.add(k);
  try {
    const bytes = await fetchBytes(`${token}/${first}/${run.length}`);
    const long = bytes.byteLength / run.length;
    for (const [i, k] of run.entries())
      takeSlice(volume, k, run.length > 1 ? bytes.slice(i * long, (i + 1) * long) : bytes);
    volume.tries = 0;
    if (!view.life.closed) arrived(view, volume, run);
  } catch (error) {
    if (view.life.closed) return;
    volume.tries = (volume.tries ?? 0) + 1;
    if (error.ended && volume.token === token && volume.ended !== token) {
      volume.ended = token; // Python gives a new one, and with it this goes on
      view.python.again();
    } else if (!error.ended && volume.tries > MOST_TRIES) {
      volume.ended = volume.token; // after as many failures it goes on with the token of the next run of the page
    } else await new Promise((after) => setTimeout(after, 300 * volume.tries));
  } finally {
    for (const k of run) volume.asked.delete(k);
  }
}

/** Paints what has arrived: at once where it is on show, else with what else arrives in the next moment. */
function arrived(view, volume, run) {
  const { timers, content, slices } = view;
  if (volume === content.scan && run.includes(slices.at[0])) {
    touch(view);
    showSlices(view);
    if (view.dom.root.dataset.firstSlice === undefined)
      requestAnimationFrame(() => (view.dom.root.dataset.firstSlice = performance.now().toFixed(0)));
  }
  timers.arriving ||= setTimeout(() => {
    timers.arriving = 0;
    if (view.life.closed) return;
    touch(view);
    showSlices(view);
  }, PAINT_EVERY);
}
