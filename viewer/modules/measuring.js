// What is measured on a mark, in millimetres where the scan knows them, as engine/review/measurements.py has it.

import { REGIONS, spansOf } from "./shapes.js";

/**
 * {length} or {angle} or {area} of a mark; with a grid of the plane also {mean, deviation} of the pixels inside.
 *
 * `spacing` is [row, column] in millimetres, or null: then lengths and areas are in pixels. An angle needs only the shape
 * of the pixels, `aspect` (height over width).
 */
export function measure(mark, { spacing, aspect = 1, frame, grid = null }) {
  const [down, across] = spacing ?? [1, 1];
  const points = mark.points.map(([row, column]) => [row * down, column * across]);
  if (mark.kind === "length") return { length: Math.hypot(points[1][0] - points[0][0], points[1][1] - points[0][1]) };
  if (mark.kind === "angle") {
    const [one, corner, other] = mark.points.map(([row, column]) => [row * (spacing ? down / across : aspect), column]);
    const [ay, ax, by, bx] = [one[0] - corner[0], one[1] - corner[1], other[0] - corner[0], other[1] - corner[1]];
    return { angle: Math.abs(Math.atan2(ay * bx - ax * by, ay * by + ax * bx)) * (180 / Math.PI) };
  }
  const found = { area: areaOf(mark) * down * across };
  return grid && REGIONS.includes(mark.kind) ? { ...found, ...statistics(spansOf(mark, frame), grid) } : found;
}

function areaOf({ kind, points, runs }) {
  if (kind === "brush") return runs.reduce((sum, [, , count]) => sum + count, 0);
  if (kind === "box" || kind === "area") {
    const whole = (points[1][0] - points[0][0]) * (points[1][1] - points[0][1]);
    return kind === "box" ? whole : (Math.PI / 4) * whole;
  }
  let twice = 0;
  for (let i = 0, j = points.length - 1; i < points.length; j = i++)
    twice += points[j][0] * points[i][1] - points[i][0] * points[j][1];
  return Math.abs(twice) / 2;
}

/** Mean and deviation of the pixels of a grid in spans; nothing where there are none, or where a span lies beyond it. */
function statistics(spans, { data, width, height, scale = 1 }) {
  if (spans.some(([row, from, end]) => row < 0 || row >= height || from < 0 || end > width)) return {};
  let count = 0;
  let sum = 0;
  for (const [row, from, end] of spans) {
    for (let i = row * width + from; i < row * width + end; i++) sum += data[i];
    count += end - from;
  }
  if (!count) return {};
  const mean = sum / count;
  if (!Number.isFinite(mean)) return {};
  let squares = 0;
  for (const [row, from, end] of spans)
    for (let i = row * width + from; i < row * width + end; i++) squares += (data[i] - mean) ** 2;
  return { mean: mean * scale, deviation: Math.sqrt(squares / count) * Math.abs(scale) };
}

const short = (value) => (value >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3))));

/** For example "12.3 mm at the detector": `note` follows millimetres, `grey` is the unit of the pixels. */
export function measureWords({ length, angle, area, mean, deviation }, { spacing, note = "", grey = "" }) {
  const unit = spacing ? "mm" : "px";
  const at = spacing ? note : "";
  if (length !== undefined) return `${short(length)} ${unit}${at}`;
  if (angle !== undefined) return `${angle.toFixed(1)}\u00b0`;
  const words = `${short(area)} ${unit}\u00b2${at}`;
  if (mean === undefined) return words;
  const digits = deviation >= 10 ? 0 : deviation >= 1 ? 1 : 3;
  return `${words}, mean ${mean.toFixed(digits)} \u00b1 ${deviation.toFixed(digits)}${grey ? ` ${grey}` : ""}`;
}
