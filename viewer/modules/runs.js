// The pixels under a brush, as runs [row, first column, how many], by row and column, none touching another.

/** Runs of any order, overlapping or not, as they are kept. */
export function tidied(runs) {
  const sorted = runs.filter(([, , count]) => count > 0).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const kept = [];
  for (const [row, column, count] of sorted) {
    const last = kept.at(-1);
    if (last && last[0] === row && column <= last[1] + last[2]) last[2] = Math.max(last[2], column + count - last[1]);
    else kept.push([row, column, count]);
  }
  return kept;
}

export const joined = (runs, more) => tidied([...runs, ...more]);

/** What is in `runs` and not in `less`. */
export function without(runs, less) {
  const taken = new Map();
  for (const [row, column, count] of tidied(less)) {
    if (!taken.has(row)) taken.set(row, []);
    taken.get(row).push([column, column + count]);
  }
  const kept = [];
  for (const [row, column, count] of runs) {
    let from = column;
    for (const [first, end] of taken.get(row) ?? []) {
      if (end <= from || first >= column + count) continue;
      if (first > from) kept.push([row, from, first - from]);
      from = end;
    }
    if (from < column + count) kept.push([row, from, column + count - from]);
  }
  return kept;
}

/**
 * What a round brush covers along a path of points [row, column]: every pixel whose middle it passes over, and the one
 * under each point at least.
 *
 * `radius` is [rows, columns], as pixels may be higher than wide; `frame` is [rows, columns] of the picture.
 */
export function stroke(points, [down, across], [rows, columns]) {
  const runs = [];
  const dab = ([row, column]) => {
    const own = [Math.floor(row), Math.floor(column)];
    if (own[0] >= 0 && own[0] < rows && own[1] >= 0 && own[1] < columns) runs.push([...own, 1]);
    for (let r = Math.max(0, Math.ceil(row - down - 0.5)); r < rows && r + 0.5 <= row + down; r++) {
      const half = across * Math.sqrt(Math.max(0, 1 - ((r + 0.5 - row) / down) ** 2));
      const from = Math.max(0, Math.ceil(column - half - 0.5));
      const end = Math.min(columns, Math.floor(column + half - 0.5) + 1);
      if (from < end) runs.push([r, from, end - from]);
    }
  };
  dab(points[0]);
  for (let i = 1; i < points.length; i++) {
    const [[y0, x0], [y1, x1]] = [points[i - 1], points[i]];
    const steps = Math.ceil(
      Math.max(Math.abs(y1 - y0) / Math.max(0.5, down / 4), Math.abs(x1 - x0) / Math.max(0.5, across / 4)),
    );
    for (let k = 1; k <= steps; k++) dab([y0 + ((y1 - y0) * k) / steps, x0 + ((x1 - x0) * k) / steps]);
  }
  return tidied(runs);
}
