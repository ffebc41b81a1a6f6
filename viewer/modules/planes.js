// The three planes of a volume, how they lie in the patient, and places in them.
//
// A plane is {axis, down, across, flipDown, flipAcross, frame, mm, name, letters, zoom, region, seen}: `axis` is the one
// it cuts, `down` and `across` the axes it shows (0 slice, 1 row, 2 column), `frame` [height, width] in voxels, `mm` the
// size of a voxel [down, across]. A place is a share of every axis, [slice, row, column], each from 0 to 1. A picture
// that is no volume has the one plane of its rows and columns.

const SIDES = [
  ["R", "L"],
  ["A", "P"],
  ["I", "S"],
]; // x, y and z in LPS: the letter below zero, and above
const OBLIQUE = 0.3; // of a direction's length: a second letter from some 17 degrees on
const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
];

const freshZoom = (aspect) => ({ scale: 1, centreX: 0, centreY: 0, aspect, fitted: true });

/** The one plane of a picture [height, width] whose pixels are `aspect` times as high as wide. */
export function picturePlane(frame, aspect) {
  const plane = { axis: 0, down: 1, across: 2, flipDown: false, flipAcross: false, frame, mm: [aspect, 1] };
  return { ...plane, name: "", letters: null, zoom: freshZoom(aspect), region: null, seen: 0 };
}

/** Unit direction of each axis in the patient, (slice, row, column), from an affine. */
function directionsOf(affine) {
  return [0, 1, 2].map((axis) => {
    const along = [0, 1, 2].map((i) => affine[i][axis]);
    const long = Math.hypot(...along);
    return along.map((part) => part / long);
  });
}

/** Which of x, y, z each axis runs along, each taken once. */
function nearest(directions) {
  const fit = (order) => order.reduce((sum, to, axis) => sum + Math.abs(directions[axis][to]), 0);
  return ORDERS.reduce((best, order) => (fit(order) > fit(best) ? order : best));
}

/** "L", or "LA" where a direction lies between two sides. */
export function letterOf(direction) {
  return [0, 1, 2]
    .sort((a, b) => Math.abs(direction[b]) - Math.abs(direction[a]))
    .filter((i, place) => !place || (place === 1 && Math.abs(direction[i]) > OBLIQUE))
    .map((i) => SIDES[i][direction[i] > 0 ? 1 : 0])
    .join("");
}

const opposite = (direction) => direction.map((part) => -part);

/** Millimetres between voxels of every axis; what a file does not say is taken from its neighbour, or is 1. */
function stepsOf({ spacing_mm: spacing }, aspect) {
  const [slice, row, column] = spacing ?? [null, null, null];
  const across = column ?? 1;
  return [slice ?? across, row ?? across * aspect, across];
}

/**
 * The planes of a volume, the slices' own first. Slices are shown as they are stored; the other two as radiologists
 * look at them, head or front above and the patient's right or front at the left, where the file says how it lies.
 */
export function planesOf(volume, aspect) {
  const steps = stepsOf(volume, aspect);
  const directions = volume.affine && directionsOf(volume.affine);
  const along = directions && nearest(directions);
  return [0, 1, 2].map((axis) => {
    let [down, across] = [0, 1, 2].filter((other) => other !== axis);
    let flipDown = false;
    let flipAcross = false;
    if (along && axis) {
      if (along[down] < along[across]) [down, across] = [across, down]; // z before y before x
      flipDown = along[down] === 2 ? directions[down][2] > 0 : directions[down][along[down]] < 0;
      flipAcross = directions[across][along[across]] < 0;
    }
    const plane = { axis, down, across, flipDown, flipAcross };
    const frame = [volume.shape[down], volume.shape[across]];
    const mm = [steps[down], steps[across]];
    const name = along
      ? ["Sagittal", "Coronal", "Axial"][along[axis]]
      : ["Slices", "Across the rows", "Across the columns"][axis];
    return {
      ...plane,
      ...{ frame, mm, name, step: steps[axis], letters: directions && lettersOf(plane, directions) },
      ...{ zoom: freshZoom(mm[0] / mm[1]), region: null, seen: 0 },
    };
  });
}

function lettersOf({ down, across, flipDown, flipAcross }, directions) {
  const right = flipAcross ? opposite(directions[across]) : directions[across];
  const bottom = flipDown ? opposite(directions[down]) : directions[down];
  const of = { left: opposite(right), right, top: opposite(bottom), bottom };
  return Object.fromEntries(Object.entries(of).map(([side, direction]) => [side, letterOf(direction)]));
}

/** The order in which planes stand side by side: axial, coronal, sagittal. */
export function sideBySide(planes) {
  const order = ["Axial", "Coronal", "Sagittal"];
  return [...planes].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

/** Where a place lies in a plane, as shares {u, v} of its frame. */
export function inPlane({ down, across, flipDown, flipAcross }, place) {
  return {
    u: flipAcross ? 1 - place[across] : place[across],
    v: flipDown ? 1 - place[down] : place[down],
  };
}

/** The place under shares {u, v} of a plane's frame; along the axis it cuts, that of `place`. */
export function fromPlane({ down, across, flipDown, flipAcross }, { u, v }, place) {
  const at = [...place];
  at[across] = flipAcross ? 1 - u : u;
  at[down] = flipDown ? 1 - v : v;
  return at;
}

/** Brings the zoom of the other planes in line with that of `led`: as many pixels a millimetre, the same middle. */
export function linkZoom(planes, led) {
  const { zoom, frame, mm } = led;
  const middle = fromPlane(led, { u: zoom.centreX / frame[1], v: zoom.centreY / frame[0] }, [null, null, null]);
  for (const plane of planes) {
    if (plane === led) continue;
    const before = fromPlane(
      plane,
      { u: plane.zoom.centreX / plane.frame[1], v: plane.zoom.centreY / plane.frame[0] },
      [0, 0, 0],
    );
    const { u, v } = inPlane(
      plane,
      before.map((own, axis) => middle[axis] ?? own),
    );
    Object.assign(plane.zoom, {
      scale: (zoom.scale / mm[1]) * plane.mm[1],
      centreX: u * plane.frame[1],
      centreY: v * plane.frame[0],
      fitted: zoom.fitted,
    });
  }
}
