// The projection of a slab: the largest, mean or least value of several neighbouring planes.

import { addPlane, cutPlane, lengthOf, missingIn } from "./volume.js";

export const PROJECTIONS = ["", "maximum", "mean", "minimum"];

export const PROJECTION_LETTERS = { maximum: "MIP", mean: "Mean", minimum: "MinIP" }; // as they stand on a toolbar

export const THICKNESS = { least: 2, most: 60, step: 2 }; // millimetres

/** The planes [first, last] of a slab of `mm` around `index`, at least one, at most those there are. */
export function slabAround(index, count, mm, spacing) {
  const planes = Math.min(count, Math.max(1, Math.round(mm / spacing)));
  const first = Math.min(count - planes, Math.max(0, index - ((planes - 1) >> 1)));
  return [first, first + planes - 1];
}

/** Takes one more plane into a projection; `taken` is how many it holds. */
export function project(out, plane, mode, taken) {
  const n = out.length;
  if (!taken) return out.set(plane);
  if (mode === "maximum") {
    for (let i = 0; i < n; i++) if (plane[i] > out[i]) out[i] = plane[i];
  } else if (mode === "minimum") {
    for (let i = 0; i < n; i++) if (plane[i] < out[i]) out[i] = plane[i];
  } else {
    for (let i = 0; i < n; i++) out[i] += (plane[i] - out[i]) / (taken + 1);
  }
}

/** Takes one more plane of a map into a projection: its mean, or what is strongest in the slab, for or against. */
export function projectMap(out, plane, mode, taken) {
  if (mode === "mean" || !taken) return project(out, plane, "mean", taken);
  for (let i = 0; i < out.length; i++) if (Math.abs(plane[i]) > Math.abs(out[i])) out[i] = plane[i];
}

/**
 * Projects the slab of a scan into `out`.
 *
 * @param changed - adds to a plane what the counterfactual changes at that index; null for the scan as it is
 * @returns how many of its planes have arrived
 */
export function projectSlab(out, scratch, volume, plane, [first, last], mode, changed = null) {
  let taken = 0;
  for (let index = first; index <= last; index++) {
    if (missingIn(volume, plane, index) === true) continue;
    cutPlane(scratch, volume, plane, index);
    changed?.(scratch, index);
    project(out, scratch, mode, taken++);
  }
  return taken;
}

/** Projects the slab of a map, whose own planes may lie further apart than the scan's, into `out`. */
export function projectMapSlab(out, scratch, map, plane, [first, last], count, mode) {
  const own = lengthOf(map, plane.axis);
  const from = first / count;
  const to = (last + 1) / count;
  const steps = Math.max(1, Math.min(last - first + 1, Math.ceil((to - from) * own) + 1));
  for (let i = 0; i < steps; i++) {
    scratch.fill(0);
    addPlane(scratch, map, plane, from + ((i + 0.5) / steps) * (to - from));
    projectMap(out, scratch, mode, i);
  }
}
