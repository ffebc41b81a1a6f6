// What the panels of a plane show of a volume at its present slice or slab: sources that are filled anew when they are
// asked for and something in them changed.

import { takenAway, truthNow } from "./counterfactual.js";
import { addChange, framesAt } from "./path.js";
import { projectMapSlab, projectSlab, slabAround } from "./projection.js";
import { pyramid, sampleGrid, sourceOf } from "./sampling.js";
import { addPlane, arrivedAt, complete, cutPlane, lengthOf, missingIn, shapeOf } from "./volume.js";

/** The source called `name` of a plane, of `height` x `width` values; `source.key` says what it was filled with. */
function sourceAt(plane, name, [height, width]) {
  plane.sources ??= new Map();
  let source = plane.sources.get(name);
  if (!source || source.grid.width !== width || source.grid.height !== height) {
    const data = new Float32Array(width * height);
    source = { ...sourceOf({ data, width, height, frames: 0, scale: 1, factor: 1, version: 0 }), key: "", missing: [] };
    plane.sources.set(name, source);
  }
  return source;
}

function filled(source, key) {
  if (source.key === key) return true;
  source.key = key;
  source.grid.version++;
  source.grid.peak = null;
  source.spare = source.levels ?? source.spare;
  source.levels = null;
  return false;
}

const scratches = new Map();

/** Room for a plane while another is filled; one for each use and size. */
function scratch(use, length) {
  if (scratches.get(use)?.length !== length) scratches.set(use, new Float32Array(length));
  return scratches.get(use);
}

/** The planes [first, last] that a plane's slab takes together. */
export const slabOf = (view, plane) =>
  slabAround(
    view.slices.at[plane.axis],
    lengthOf(view.content.scan, plane.axis),
    view.slab.mode ? view.slab.mm : 0,
    plane.step,
  );

const slabKey = (view) => (view.slab.mode ? `${view.slab.mode} ${view.slab.mm}` : "");

/** The middle of the present slice, as a share of the axis. */
const shareOf = (view, plane) => (view.slices.at[plane.axis] + 0.5) / lengthOf(view.content.scan, plane.axis);

/** The scan under a panel; null for a map without one. */
export function scanOf(view, panel) {
  const { plane } = panel;
  const volume = view.content.scan;
  if (!volume) return panel.base;
  const index = view.slices.at[plane.axis];
  const source = sourceAt(plane, "scan", shapeOf(volume, plane));
  const single = plane.axis === 0 && !view.slab.mode;
  const key = `${volume.id} ${index} ${slabKey(view)} ${single ? Boolean(volume.slices[index]) : volume.version}`;
  if (filled(source, key)) return source;
  const { data } = source.grid;
  source.grid.whole = volume.whole;
  source.missing = missingIn(volume, plane, index);
  source.taken = [1, 1];
  if (view.slab.mode) {
    const slab = slabOf(view, plane);
    data.fill(volume.zero);
    const taken = projectSlab(data, scratch("plane", data.length), volume, plane, slab, view.slab.mode);
    source.taken = [taken, slab[1] - slab[0] + 1];
    if (plane.axis === 0) source.missing = taken ? [] : true;
  } else if (source.missing !== true) cutPlane(data, volume, plane, index);
  return source;
}

/** The levels of a plane's scan, made when it is shown much smaller than it is. */
export function levelsOf(source) {
  source.levels ??= pyramid(source.grid, source.spare);
  return source.levels;
}

/** The evidence for a finding in a plane. */
export function evidenceOf(view, finding, plane) {
  const map = finding.evidence;
  if (!map.volume) return map;
  const source = sourceAt(plane, "evidence", shapeOf(map, plane));
  const key = `${map.id} ${view.slices.at[plane.axis]} ${slabKey(view)} ${map.version}`;
  if (filled(source, key)) return source;
  const { data } = source.grid;
  data.fill(0);
  if (view.slab.mode) {
    const count = lengthOf(view.content.scan, plane.axis);
    projectMapSlab(data, scratch("map", data.length), map, plane, slabOf(view, plane), count, view.slab.mode);
  } else addPlane(data, map, plane, shareOf(view, plane));
  return source;
}

/** The grids of change of all that is taken away. */
const changesTaken = (view) =>
  takenAway(view).map((name) => {
    const finding = view.content.byName.get(name);
    return { finding, change: view.content.grids[finding.changes], amount: view.selection.amounts.get(name) };
  });

/** What all that is taken away adds to the scan in a plane; `source.share` says which part of it visibly changes. */
export function changeOf(view, plane) {
  const taken = changesTaken(view);
  const { grids, findings } = view.content;
  return sumOf(view, plane, "change", taken, taken[0]?.change ?? grids[findings[0].changes]);
}

/** What the true counterfactual adds to the scan in a plane; null while it is not known. */
export function truthOf(view, plane) {
  const truth = truthNow(view);
  if (!truth?.volume) return truth;
  return sumOf(view, plane, "truth", [{ finding: TRUTH, change: truth, amount: 1 }], truth);
}

const TRUTH = { steps: [0, 1] };

/** The sum of what is taken, on the grid of `like`, as the source called `name`. */
function sumOf(view, plane, name, taken, like) {
  const { scan } = view.content;
  const slab = like.volume && Boolean(view.slab.mode);
  const shape = slab ? shapeOf(scan, plane) : like.volume ? shapeOf(like, plane) : [like.height, like.width];
  const source = sourceAt(plane, name, shape);
  const versions = like.volume ? `${taken.map(({ change }) => change.version)} ${slab ? scan.version : ""}` : "";
  const key = `${view.content.loaded} ${view.content.changeStamp} ${view.slices.at[plane.axis]} ${slabKey(view)} ${versions}`;
  if (filled(source, key)) return source;
  const { data } = source.grid;
  data.fill(0);
  if (slab) changeOfSlab(view, plane, data, taken);
  else if (like.volume) addChanges(data, plane, shareOf(view, plane), taken);
  else for (const { finding, change, amount } of taken) addChange(data, change, finding.steps, amount);
  let changed = 0;
  for (const value of data) changed += Math.abs(value) > view.content.header.visible_change;
  source.share = changed / data.length;
  return source;
}

function addChanges(out, plane, share, taken) {
  for (const { finding, change, amount } of taken)
    for (const [frame, weight] of framesAt(change.frames, finding.steps, amount))
      addPlane(out, change, plane, share, weight, frame);
}

/** The projection of the changed scan less that of the scan: each voxel changes before the slab is projected. */
function changeOfSlab(view, plane, out, taken) {
  const volume = view.content.scan;
  const [height, width] = shapeOf(volume, plane);
  const count = lengthOf(volume, plane.axis);
  const slab = slabOf(view, plane);
  const cut = scratch("plane", out.length);
  const add = scratch("change", out.length);
  const region = { ax: 1 / width, bx: 0.5 / width, ay: 1 / height, by: 0.5 / height };
  Object.assign(region, { stride: width, left: 0, right: width, top: 0, bottom: height });
  projectSlab(out, cut, volume, plane, slab, view.slab.mode, (values, index) => {
    for (const one of taken) {
      const [rows, columns] = shapeOf(one.change, plane);
      const coarse = scratch("coarse", rows * columns).fill(0);
      addChanges(coarse, plane, (index + 0.5) / count, [one]);
      sampleGrid(add, { width: columns, height: rows, data: coarse, factor: 1 }, region);
      for (let i = 0; i < values.length; i++) values[i] += add[i];
    }
  });
  const before = scratch("before", out.length);
  projectSlab(before, cut, volume, plane, slab, view.slab.mode);
  for (let i = 0; i < out.length; i++) out[i] -= before[i];
}

/** Whether what a panel shows of the model's answer has arrived, at the present slice or at the share `at` of its axis. */
export function answerArrived(view, { kind, plane }, at = shareOf(view, plane)) {
  const finding = view.content.byName.get(view.selection.finding);
  const maps =
    kind === "evidence"
      ? [finding.evidence]
      : ["truth", "true-difference"].includes(kind)
        ? [finding.truth]
        : changesTaken(view).map(({ change }) => change);
  return maps.every((map) => !map?.volume || arrivedAt(map, plane, at));
}

/** Whether all that is shown at `index` of an axis has arrived: of the scan every slice of a slab, and of the answer. */
export function hereAt(view, axis, index) {
  const { scan, panels, byName } = view.content;
  const plane = view.planes[axis];
  const count = lengthOf(scan, axis);
  const [first, last] = slabAround(index, count, view.slab.mode ? view.slab.mm : 0, plane.step);
  const here = axis ? complete(scan) : scan.slices.slice(first, last + 1).every(Boolean);
  const finding = byName.get(view.selection.finding);
  if (!here || !finding || finding.unsure) return here;
  const answers = panels.filter((panel) => panel.shown && panel.plane === plane && panel.kind !== "scan");
  return answers.every((panel) => answerArrived(view, panel, (index + 0.5) / count));
}
