// The scrubber beside the panels: a slider through the slices, and, along it, how strong the evidence is on each of them.

import { STEPS, overlayTable } from "./colours.js";
import { digitsFor, signed } from "./numbers.js";
import { lengthOf } from "./volume.js";

const STRIP = 14; // CSS pixels of the strip's width
const WAITING = 0xff2b2218; // of slices that have not arrived: a dark blue that no evidence has
const UNKNOWN = 0xff17120d;

/**
 * The strongest value, by size, among slices of each of `height` equal parts of an axis of `count` slices; NaN where
 * nothing is known.
 */
export function profileOf(strongest, count, height) {
  const out = new Float32Array(height).fill(NaN);
  const n = strongest.length;
  for (let y = 0; y < height; y++) {
    const first = Math.floor((y / height) * n);
    const last = Math.max(first, Math.ceil(((y + 1) / height) * n) - 1);
    for (let k = first; k <= last; k++)
      if (Number.isFinite(strongest[k]) && !(Math.abs(strongest[k]) <= Math.abs(out[y]))) out[y] = strongest[k];
  }
  return out;
}

/** The strongest evidence of every slice along an axis, for the chosen finding; null where nothing is known of it. */
export function strongestOf(view, axis) {
  const finding = view.content.byName.get(view.selection.finding);
  if (!finding || finding.unsure) return null;
  if (finding.evidence.volume) return finding.evidence.strongest[axis];
  return axis === 0 ? (view.content.seen.get(finding.name) ?? null) : null;
}

/** Remembers how strong the evidence is on the slice that findings are about; `content.seen` has it by finding. */
export function rememberSlice(view) {
  const { header, findings, seen, scan } = view.content;
  if (!header.volume?.findings_of_slice || header.blank) return;
  for (const { name, evidence, unsure } of findings) {
    if (unsure) continue;
    if (!seen.has(name)) seen.set(name, new Float32Array(scan.depth).fill(NaN));
    let strongest = 0;
    for (const value of evidence.grid.data) if (Math.abs(value) > Math.abs(strongest)) strongest = value;
    seen.get(name)[header.volume.index] = strongest;
  }
}

export function listenToScrubber(view, goTo) {
  const { scrubber } = view.dom;
  const follow = (event) => {
    const box = scrubber.querySelector("canvas").getBoundingClientRect();
    const share = (event.clientY - box.top) / Math.max(1, box.height);
    goTo(view, Math.floor(share * view.scrubber.count));
  };
  scrubber.onpointerdown = (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    scrubber.focus({ preventScroll: true });
    scrubber.setPointerCapture(event.pointerId);
    follow(event);
  };
  scrubber.onpointermove = (event) => scrubber.hasPointerCapture(event.pointerId) && follow(event);
}

/** Looks where the strip stands: once after each layout, since to ask for it while slices are turned costs a frame. */
export function measureScrubber(view) {
  const canvas = view.dom.scrubber.querySelector("canvas");
  const mark = view.dom.scrubber.querySelector(".at");
  Object.assign(view.scrubber, { canvas, mark, top: canvas.offsetTop, height: canvas.clientHeight });
}

/** Draws the scrubber for an axis; `name` is what a slice along it is called. */
export function drawScrubber(view, axis, name) {
  const { scrubber } = view.dom;
  const { scan, byName } = view.content;
  const count = lengthOf(scan, axis);
  const at = view.slices.at[axis];
  view.scrubber.count = count;
  if (!view.scrubber.height) measureScrubber(view);
  const { canvas, mark, top, height } = view.scrubber;
  const finding = byName.get(view.selection.finding);
  const strongest = strongestOf(view, axis);
  mark.style.transform = `translateY(${top + ((at + 0.5) / count) * height}px)`;
  const evidence =
    strongest && Number.isFinite(nearestTo(strongest, at, count)) ? nearestTo(strongest, at, count) : null;
  const words = [`${name} ${at + 1} of ${count}`];
  if (evidence !== null) words.push(`strongest evidence ${signed(evidence, digitsFor(finding.limit))} ${finding.unit}`);
  for (const [attribute, value] of [
    ["aria-valuemax", count],
    ["aria-valuenow", at + 1],
    ["aria-valuetext", words.join(", ")],
  ])
    if (scrubber.getAttribute(attribute) !== String(value)) scrubber.setAttribute(attribute, value);
  const version = `${finding?.evidence.version ?? view.content.loaded} ${scan.version}`;
  const key = `${axis} ${height} ${finding?.name} ${strongest ? 1 : 0} ${version}`;
  if (key === view.scrubber.key || !height) return;
  view.scrubber.key = key;
  paintStrip(canvas, height, stripColours(view, axis, strongest, finding, height));
}

const nearestTo = (strongest, at, count) =>
  strongest[Math.min(strongest.length - 1, Math.floor(((at + 0.5) * strongest.length) / count))];

/** One colour for each pixel of the strip, with the share of its width that is filled. */
function stripColours(view, axis, strongest, finding, height) {
  const { scan } = view.content;
  const profile = strongest && profileOf(strongest, lengthOf(scan, axis), height);
  const table = finding && overlayTable({ opacity: 1, threshold: 0, sequential: finding.sequential, opaque: true });
  return Array.from({ length: height }, (_, y) => {
    const k = Math.floor((y / height) * scan.depth);
    if (axis === 0 && !scan.slices[k]) return [WAITING, 1];
    if (!profile || Number.isNaN(profile[y])) return [UNKNOWN, 1];
    const share = Math.max(-1, Math.min(1, profile[y] / finding.limit));
    const step = Math.min(STEPS - 1, Math.floor(((share + 1) * STEPS) / 2));
    return [(0xff000000 | table.tint[step]) >>> 0, Math.max(0.12, Math.abs(share))];
  });
}

function paintStrip(canvas, height, colours) {
  if (canvas.width !== STRIP || canvas.height !== height) Object.assign(canvas, { width: STRIP, height });
  const context = canvas.getContext("2d", { alpha: false });
  const image = context.createImageData(STRIP, height);
  const dots = new Uint32Array(image.data.buffer).fill(UNKNOWN);
  colours.forEach(([colour, share], y) => dots.fill(colour, y * STRIP, y * STRIP + Math.round(share * STRIP)));
  context.putImageData(image, 0, 0);
}
