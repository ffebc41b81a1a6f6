// The arrays of a view, fetched and decoded into grids {data, width, height, frames, scale}; the layout is written in
// blob.py. A volume is there at once, and its slices arrive later: see arrivals.js.

import { volumeOf } from "./volume.js";

const STORED = { u2: Uint16Array, i2: Int16Array, f4: Float32Array };

function unfolded(stored, scale, zero) {
  if (stored instanceof Float32Array) return stored;
  const values = new Float32Array(stored.length);
  for (let i = 0; i < values.length; i++) values[i] = stored[i] * scale + zero;
  return values;
}

/**
 * The array behind an entry of the header as a grid {data, width, height, frames, scale}; the layout is written in
 * blob.py.
 */
export function gridOf({ dtype, shape, scale, zero }, body) {
  const [frames, height, width] = shape.length === 3 ? shape : [0, ...shape];
  const stored = new STORED[dtype](body, 0, Math.max(frames, 1) * height * width);
  const grid = { width, height, frames, scale: 1, whole: scale === 1 && Number.isInteger(zero), factor: 1, version: 0 };
  // Pictures are unfolded into their own units; changes, which may be many, stay as they were sent.
  return dtype === "i2" ? { ...grid, data: stored, scale } : { ...grid, data: unfolded(stored, scale, zero) };
}

export const nameOf = ({ digest, dtype, shape, scale, zero }) => [digest, dtype, shape, scale, zero].join();

/** The grids of a header's arrays, by name: those of `kept` (a Map by name) as they are, the others fetched. */
export async function fetchGrids(arrays, kept) {
  const all = new Map();
  for (const entry of arrays) {
    const name = nameOf(entry);
    if (!all.has(name)) all.set(name, kept.get(name) ?? (entry.parts ? volumeOf(entry) : fetchGrid(entry)));
  }
  const grids = await Promise.all(all.values());
  return new Map([...all.keys()].map((name, i) => [name, grids[i]]));
}

/** Tells volumes that are here already under which tokens their slices can be fetched now. */
export function renewTokens(arrays, kept) {
  for (const entry of arrays) if (entry.parts && kept.has(nameOf(entry))) kept.get(nameOf(entry)).token = entry.token;
}

/** The bytes under a token, or under a token and a part of it; rejects with `ended` when the token has ended. */
export async function fetchBytes(address) {
  const prefix = new URL(document.baseURI).pathname.replace(/[^/]*$/, "");
  const answer = await fetch(`${prefix}pixels/${address}`, { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok) throw Object.assign(new Error(await answer.text()), { ended: answer.status === 404 });
  return answer.arrayBuffer();
}

/** One array; rejects when its token has ended. */
const fetchGrid = async (entry) => gridOf(entry, await fetchBytes(entry.token));

/** A grid of changes as they were sent, in the scan's units. */
export const scaled = ({ data, scale, ...grid }) => ({
  ...grid,
  data: Float32Array.from(data, (value) => value * scale),
  frames: 0,
  scale: 1,
});
