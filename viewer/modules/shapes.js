// What is drawn on a scan, as geometry: points are [row, column] in pixels of the scan, and (0, 0) is the outer corner of
// its first pixel, so that the middle of pixel [r, c] is [r + 0.5, c + 0.5].
//
// A mark is {id, kind, points, runs, slice, axis, label, comment}, as `Annotation` in engine/review/records.py has them.

export const REGIONS = ["box", "polygon", "freehand", "brush", "area"];

/** 32 hexadecimal digits, drawn at random. */
export const newId = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const newMark = (kind, points, { slice = null, axis = 0, runs = [] } = {}) => ({
  ...{ id: newId(), kind, points, runs, slice, axis, label: "", comment: "" },
});

/** A box has its smaller row and column first. */
export const normal = (points) => [
  [Math.min(points[0][0], points[1][0]), Math.min(points[0][1], points[1][1])],
  [Math.max(points[0][0], points[1][0]), Math.max(points[0][1], points[1][1])],
];

/** A point within the picture [rows, columns]. */
export const clamped = ([row, column], [rows, columns]) => [
  Math.min(rows, Math.max(0, row)),
  Math.min(columns, Math.max(0, column)),
];

/** [first row, first column, last row, last column] around a mark. */
export function boxAround({ points, runs }) {
  const rows = points.length ? points.map(([row]) => row) : runs.flatMap(([row]) => [row, row + 1]);
  const columns = points.length ? points.map(([, column]) => column) : runs.flatMap(([, from, n]) => [from, from + n]);
  const ends = (values) =>
    values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  const [[top, bottom], [left, right]] = [ends(rows), ends(columns)];
  return [top, left, bottom, right];
}

/** Whether a shape is large enough to be meant: it has a length, or an area. */
export function isWhole({ kind, points, runs }) {
  if (kind === "brush") return runs.length > 0;
  if (kind === "box" || kind === "area") return points[0][0] < points[1][0] && points[0][1] < points[1][1];
  if (kind === "length") return points.length === 2 && String(points[0]) !== String(points[1]);
  if (kind === "angle") return points.length === 3;
  return points.length >= 3;
}

/** The corners by which a mark is edited. */
export function handlesOf({ kind, points }) {
  if (kind === "brush" || kind === "freehand") return [];
  if (kind !== "box" && kind !== "area") return points;
  const [[top, left], [bottom, right]] = points;
  return [
    [top, left],
    [top, right],
    [bottom, right],
    [bottom, left],
  ];
}

/** The mark with its handle `index` at another point. */
export function withHandle(mark, index, point) {
  if (mark.kind !== "box" && mark.kind !== "area")
    return { ...mark, points: mark.points.map((own, i) => (i === index ? point : own)) };
  const opposite = handlesOf(mark)[(index + 2) % 4];
  return { ...mark, points: normal([point, opposite]) };
}

/** The mark moved by [rows, columns], as far as the picture [rows, columns] goes; a brush by whole pixels. */
export function movedBy(mark, [down, across], [rows, columns]) {
  const [top, left, bottom, right] = boxAround(mark);
  let dy = Math.min(rows - bottom, Math.max(-top, down));
  let dx = Math.min(columns - right, Math.max(-left, across));
  if (mark.kind === "brush") [dy, dx] = [Math.round(dy), Math.round(dx)];
  return {
    ...mark,
    points: mark.points.map(([row, column]) => [row + dy, column + dx]),
    runs: mark.runs.map(([row, column, count]) => [row + dy, column + dx, count]),
  };
}

/** An outline with no more points than it needs to stay within `tolerance` of what was drawn (Douglas and Peucker). */
export function simplified(points, tolerance) {
  const keep = new Set([0, points.length - 1]);
  const spans = [[0, points.length - 1]];
  while (spans.length) {
    const [first, last] = spans.pop();
    let worst = tolerance;
    let at = -1;
    for (let i = first + 1; i < last; i++) {
      const far = distanceToSegment(points[i], points[first], points[last]);
      if (far > worst) [worst, at] = [far, i];
    }
    if (at < 0) continue;
    keep.add(at);
    spans.push([first, at], [at, last]);
  }
  return points.filter((_, i) => keep.has(i));
}

export function distanceToSegment([y, x], [y0, x0], [y1, x1]) {
  const [dy, dx] = [y1 - y0, x1 - x0];
  const long = dy * dy + dx * dx;
  const t = long ? Math.min(1, Math.max(0, ((y - y0) * dy + (x - x0) * dx) / long)) : 0;
  return Math.hypot(y - y0 - t * dy, x - x0 - t * dx);
}

/** The outline as points one after the other; an ellipse as 64 of them. The last joins the first, but for lines. */
export function outlineOf(mark) {
  if (mark.kind === "box") return handlesOf(mark);
  if (mark.kind !== "area") return mark.points;
  const [[top, left], [bottom, right]] = mark.points;
  return Array.from({ length: 64 }, (_, k) => [
    (top + bottom) / 2 + ((bottom - top) / 2) * Math.sin((k * Math.PI) / 32),
    (left + right) / 2 + ((right - left) / 2) * Math.cos((k * Math.PI) / 32),
  ]);
}

/**
 * The pixels inside a region, as [row, first column, end column] by row: those whose middle lies inside, or that a brush
 * covers.
 */
export function spansOf(mark, [rows, columns]) {
  if (mark.kind === "brush") return mark.runs.map(([row, column, count]) => [row, column, column + count]);
  if (!REGIONS.includes(mark.kind)) return [];
  const [top, , bottom] = boxAround(mark);
  const spans = [];
  const last = Math.min(rows, Math.ceil(bottom - 0.5));
  for (let row = Math.max(0, Math.ceil(top - 0.5)); row < last; row++) {
    const ends = crossings(mark, row + 0.5);
    for (let k = 0; k + 1 < ends.length; k += 2) {
      const from = Math.max(0, Math.ceil(ends[k] - 0.5));
      const end = Math.min(columns, Math.ceil(ends[k + 1] - 0.5));
      if (from < end) spans.push([row, from, end]);
    }
  }
  return spans;
}

/** Where the line of this height crosses the outline, from left to right. */
function crossings({ kind, points }, y) {
  const [[top, left], [bottom, right]] = points;
  if (kind === "box") return [left, right];
  if (kind === "area") {
    const off = (y - (top + bottom) / 2) / ((bottom - top) / 2);
    const half = ((right - left) / 2) * Math.sqrt(Math.max(0, 1 - off * off));
    return [(left + right) / 2 - half, (left + right) / 2 + half];
  }
  const ends = [];
  for (let i = 0, j = points.length - 1; i < points.length; j = i++) {
    const [[y0, x0], [y1, x1]] = [points[j], points[i]];
    if (y0 <= y !== y1 <= y) ends.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0));
  }
  return ends.sort((a, b) => a - b);
}

/** Whether a point lies in a region. */
export function contains(mark, [row, column]) {
  if (!REGIONS.includes(mark.kind)) return false;
  const [top, left, bottom, right] = boxAround(mark);
  if (row < top || row > bottom || column < left || column > right) return false;
  if (mark.kind === "brush")
    return mark.runs.some(([r, c, n]) => r === Math.floor(row) && c <= column && column < c + n);
  const ends = crossings(mark, row);
  return ends.some((from, k) => k % 2 === 0 && from <= column && column <= ends[k + 1]);
}

/** How far a point lies from the lines of a mark, in pixels; from a brush only inside counts. */
export function distanceTo(mark, point) {
  if (mark.kind === "brush") return contains(mark, point) ? 0 : Infinity;
  const outline = outlineOf(mark);
  let least = Infinity;
  const closed = REGIONS.includes(mark.kind);
  for (let i = closed ? 0 : 1; i < outline.length; i++)
    least = Math.min(least, distanceToSegment(point, outline.at(i - 1), outline[i]));
  return least;
}

/**
 * The mark under a point: one whose lines are within `tolerance` pixels, the nearest first; else the smallest region
 * around it.
 */
export function markAt(marks, point, tolerance) {
  const near = marks.map((mark) => ({ mark, far: distanceTo(mark, point) })).filter(({ far }) => far <= tolerance);
  if (near.length) return near.reduce((best, one) => (one.far < best.far ? one : best)).mark;
  const size = ([top, left, bottom, right]) => (bottom - top) * (right - left);
  return marks
    .filter((mark) => contains(mark, point))
    .reduce((best, mark) => (!best || size(boxAround(mark)) < size(boxAround(best)) ? mark : best), null);
}
