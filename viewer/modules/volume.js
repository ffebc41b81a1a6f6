// A volume in the browser: slices that arrive one by one, and the planes and slabs that are cut out of them.
//
// A volume is {depth, height, width, frames, scale, zero, slices, arrived, version}; `slices[k]` is a typed array as it
// was sent, or null. A plane is {axis, down, across, flipDown, flipAcross}, axes 0 slice, 1 row, 2 column: see planes.js.

const STORED = { u2: Uint16Array, i2: Int16Array, f4: Float32Array };

let made = 0;

/** The volume behind an entry of the header, none of whose slices is here yet. */
export function volumeOf({ dtype, shape, scale, zero, token }) {
  const [frames, depth, height, width] = shape.length === 4 ? shape : [0, ...shape];
  return {
    volume: true,
    id: ++made,
    ...{ dtype, frames, depth, height, width, scale, zero, token },
    whole: scale === 1 && Number.isInteger(zero),
    slices: new Array(depth).fill(null),
    arrived: 0,
    version: 0,
    strongest: [depth, height, width].map((n) => new Float32Array(n).fill(NaN)),
  };
}

/** Takes the bytes of slice `k`. */
export function takeSlice(volume, k, bytes) {
  if (!volume.slices[k]) volume.arrived++;
  volume.slices[k] = new STORED[volume.dtype](bytes);
  volume.version++;
  if (volume.dtype === "f4" && !volume.frames) noteStrongest(volume, k);
}

/** Keeps the strongest value, by size, of every slice, row and column; NaN where nothing has arrived. */
function noteStrongest({ slices, height, width, strongest: [bySlice, byRow, byColumn] }, k) {
  const data = slices[k];
  bySlice[k] = 0;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const value = data[i];
      const size = Math.abs(value);
      if (size > Math.abs(bySlice[k])) bySlice[k] = value;
      if (!(size <= Math.abs(byRow[y]))) byRow[y] = value;
      if (!(size <= Math.abs(byColumn[x]))) byColumn[x] = value;
    }
  }
}

export const lengthOf = (volume, axis) => [volume.depth, volume.height, volume.width][axis];

export const complete = (volume) => volume.arrived === volume.depth;

/** [height, width] of a plane cut out of a volume, as it is shown. */
export const shapeOf = (volume, plane) => [lengthOf(volume, plane.down), lengthOf(volume, plane.across)];

/**
 * Calls visit(slice, from, step, n, to, toStep) for every line of `n` values of the plane at `index` whose slice has
 * arrived: where the line lies in the slice, and where in the plane as it is shown.
 */
function eachLine(volume, plane, index, frame, visit) {
  const { axis, down, flipDown, flipAcross } = plane;
  const { height, width, depth, slices } = volume;
  const [rows, columns] = shapeOf(volume, plane);
  const stepDown = flipDown ? -columns : columns;
  const stepAcross = flipAcross ? -1 : 1;
  const start = (flipDown ? (rows - 1) * columns : 0) + (flipAcross ? columns - 1 : 0);
  const skipped = frame * height * width;
  if (axis === 0) {
    const slice = slices[index];
    const [along, between] = down === 1 ? [stepAcross, stepDown] : [stepDown, stepAcross];
    if (slice) for (let r = 0; r < height; r++) visit(slice, skipped + r * width, 1, width, start + r * between, along);
    return;
  }
  const [between, along] = down === 0 ? [stepDown, stepAcross] : [stepAcross, stepDown];
  const from = skipped + (axis === 1 ? index * width : index);
  const [step, n] = axis === 1 ? [1, width] : [width, height];
  for (let k = 0; k < depth; k++) if (slices[k]) visit(slices[k], from, step, n, start + k * between, along);
}

/** Writes the plane at `index` into `out`, in the volume's units; what has not arrived stays as it was. */
export function cutPlane(out, volume, plane, index) {
  const { scale, zero } = volume;
  eachLine(volume, plane, index, 0, (slice, from, step, n, to, toStep) => {
    for (let i = 0, p = from, q = to; i < n; i++, p += step, q += toStep) out[q] = slice[p] * scale + zero;
  });
}

/** Adds `weight` times the plane at the place `at`, a share of its axis, between two slices, rows or columns. */
export function addPlane(out, volume, plane, at, weight = 1, frame = 0) {
  const n = lengthOf(volume, plane.axis);
  const place = Math.min(n - 1, Math.max(0, at * n - 0.5));
  const below = Math.min(Math.floor(place), Math.max(0, n - 2));
  const part = place - below;
  for (const [index, share] of [
    [below, 1 - part],
    [below + 1, part],
  ]) {
    const k = weight * share * volume.scale;
    if (!k) continue;
    eachLine(volume, plane, index, frame, (slice, from, step, count, to, toStep) => {
      for (let i = 0, p = from, q = to; i < count; i++, p += step, q += toStep) out[q] += slice[p] * k;
    });
  }
}

/** Whether all that a map shows at the place `at` of its axis has arrived. */
export function arrivedAt(volume, plane, at) {
  if (plane.axis !== 0) return complete(volume);
  const place = Math.min(volume.depth - 1, Math.max(0, at * volume.depth - 0.5));
  const below = Math.min(Math.floor(place), Math.max(0, volume.depth - 2));
  return Boolean(volume.slices[below] && (place === below || volume.slices[below + 1]));
}

/**
 * Where a plane shows slices that have not arrived: [from, to) pairs along the axis that slices lie on, counted as it is
 * shown; `true` for a whole plane.
 */
export function missingIn(volume, plane, index) {
  if (plane.axis === 0) return volume.slices[index] ? [] : true;
  if (complete(volume)) return [];
  const flip = plane.down === 0 ? plane.flipDown : plane.flipAcross;
  const bands = [];
  for (let k = 0; k < volume.depth; k++) {
    const at = flip ? volume.depth - 1 - k : k;
    if (volume.slices[at]) continue;
    if (bands.length && bands.at(-1)[1] === k) bands.at(-1)[1] = k + 1;
    else bands.push([k, k + 1]);
  }
  return bands;
}

/** The stored voxel at [slice, row, column] in its own units; null where it has not arrived. */
export function voxelAt(volume, [k, r, c]) {
  const slice = volume.slices[k];
  return slice ? slice[r * volume.width + c] * volume.scale + volume.zero : null;
}
