// The outline of a map at a level.

/**
 * The contour of `grid` at `level` as a Path2D in frame fractions, by marching squares; `broken` leaves every other
 * cell out.
 */
export function contourPath(grid, level, broken) {
  const path = new Path2D();
  const { data, width, height } = grid;
  for (let y = 0; y < height - 1; y++) {
    for (let x = 0, p = y * width; x < width - 1; x++, p++) {
      const a = data[p] - level;
      const b = data[p + 1] - level;
      const c = data[p + width + 1] - level;
      const d = data[p + width] - level;
      const inside = (a > 0) | ((b > 0) << 1) | ((c > 0) << 2) | ((d > 0) << 3);
      if (inside === 0 || inside === 15 || (broken && ((x + y) >> 1) & 1)) continue;
      const points = [];
      if (a > 0 !== b > 0) points.push([x + a / (a - b), y]);
      if (b > 0 !== c > 0) points.push([x + 1, y + b / (b - c)]);
      if (c > 0 !== d > 0) points.push([x + d / (d - c), y + 1]);
      if (d > 0 !== a > 0) points.push([x, y + a / (a - d)]);
      for (let k = 0; k + 1 < points.length; k += 2) {
        path.moveTo((points[k][0] + 0.5) / width, (points[k][1] + 0.5) / height);
        path.lineTo((points[k + 1][0] + 0.5) / width, (points[k + 1][1] + 0.5) / height);
      }
    }
  }
  return path;
}
