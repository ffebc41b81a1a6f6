// The true counterfactual of several findings taken away together: it comes after the view, once Python has drawn it.

import { fetchGrids, nameOf, scaled } from "./arrays.js";
import { touch } from "./frames.js";
import { sourceOf } from "./sampling.js";

/**
 * Fetches what an update names as the truth of its amounts, unless the view has it; a token that has ended is asked
 * for anew.
 */
export async function takeTruth(view, { truth, amounts }) {
  const { content, python, life } = view;
  if (!truth) return;
  const names = Object.keys(amounts);
  const name = nameOf(truth);
  const asked = python.news;
  if (content.jointTruth?.name !== name) {
    let grids;
    try {
      grids = await fetchGrids([truth], new Map());
    } catch {
      if (python.news === asked && !life.closed) python.again();
      return;
    }
    if (python.news !== asked || life.closed) return;
    content.jointTruth = { name, source: sourceOf(scaled(grids.get(name))) };
  }
  content.jointTruth.names = names;
  touch(view, "truth", "true-difference");
}
