// The arrays fetched and unfolded, and the visible region of any grid sampled at the panel's own resolution.

const STORED = { u2: Uint16Array, i2: Int16Array, f4: Float32Array };

function unfolded(stored, scale, zero) {
  if (stored instanceof Float32Array) return stored;
  const values = new Float32Array(stored.length);
  for (let i = 0; i < values.length; i++) values[i] = stored[i] * scale + zero;
  return values;
}

/** The array behind an entry of the header as a grid {data, width, height, frames, scale}; the layout is written in blob.py. */
function gridOf({ dtype, shape, scale, zero }, body) {
  const [frames, height, width] = shape.length === 3 ? shape : [0, ...shape];
  const stored = new STORED[dtype](body, 0, Math.max(frames, 1) * height * width);
  const grid = { width, height, frames, scale: 1, whole: scale === 1 && Number.isInteger(zero), factor: 1, version: 0 };
  // Pictures are unfolded into their own units; changes, which may be many, stay as they were sent.
  return dtype === "i2" ? { ...grid, data: stored, scale } : { ...grid, data: unfolded(stored, scale, zero) };
}

const nameOf = ({ digest, dtype, shape, scale, zero }) => [digest, dtype, shape, scale, zero].join();

/** The grids of a header's arrays, by index: those of `kept` (a Map by name) as they are, the others fetched. */
async function fetchGrids(arrays, kept) {
  const prefix = new URL(document.baseURI).pathname.replace(/[^/]*$/, "");
  const fetched = async (entry) => {
    const answer = await fetch(`${prefix}pixels/${entry.token}`, { credentials: "same-origin", cache: "no-store" });
    if (!answer.ok) throw new Error(await answer.text());
    return gridOf(entry, await answer.arrayBuffer());
  };
  const missing = new Map();
  for (const entry of arrays) {
    const name = nameOf(entry);
    if (!kept.has(name) && !missing.has(name)) missing.set(name, fetched(entry));
  }
  const grids = await Promise.all(missing.values());
  const all = new Map([...kept, ...[...missing.keys()].map((name, i) => [name, grids[i]])]);
  return new Map(arrays.map((entry) => [nameOf(entry), all.get(nameOf(entry))]));
}

/** Every next level has half the width and height of the one before, each value the mean of four. */
function pyramid(grid) {
  const levels = [grid];
  for (let last = grid; Math.min(last.width, last.height) >= 192; levels.push(last)) {
    const width = last.width >> 1, height = last.height >> 1;
    const data = new Float32Array(width * height);
    for (let y = 0; y < height; y++) {
      let above = 2 * y * last.width, below = above + last.width;
      for (let x = 0, o = y * width; x < width; x++, above += 2, below += 2)
        data[o++] = (last.data[above] + last.data[above + 1] + last.data[below] + last.data[below + 1]) / 4;
    }
    last = { ...last, data, width, height, factor: last.factor * 2 };
  }
  return levels;
}

/** Which output pixels show something of the frame, and where in the frame (0 to 1) they look: u = ax * i + bx. */
function visibleRegion(view, size, frame) {
  const [height, width] = frame;
  const perPixelX = 1 / (size.ratio * view.s * width), perPixelY = 1 / (size.ratio * view.s * view.aspect * height);
  const bx = view.cx / width + (0.5 - size.width / 2) * perPixelX;
  const by = view.cy / height + (0.5 - size.height / 2) * perPixelY;
  const first = (a, b, n) => Math.min(n, Math.max(0, Math.ceil(-b / a)));
  const last = (a, b, n) => Math.min(n, Math.max(0, Math.ceil((1 - b) / a)));
  return {
    ax: perPixelX, bx, ay: perPixelY, by, stride: size.width,
    left: first(perPixelX, bx, size.width), right: last(perPixelX, bx, size.width),
    top: first(perPixelY, by, size.height), bottom: last(perPixelY, by, size.height),
  };
}

/** The level of a pyramid with at most about one and a half of its pixels on each output pixel. */
function fittingLevel(levels, region) {
  const perPixel = region.ax * levels[0].width;
  return levels[Math.min(levels.length - 1, Math.max(0, Math.floor(Math.log2(perPixel) + 0.45)))];
}

/**
 * Bilinear values of `grid` at every output pixel of `region`, written into `out`. `source` is the grid that a level came from.
 * Each row of the grid is stretched across once, and the rows between are mixed from the two around them.
 */
function sampleGrid(out, grid, region, source = grid) {
  const { width, height, data } = grid, { left, right, top, bottom, stride } = region;
  const across = right - left, at = new Int32Array(across), part = new Float32Array(across);
  // A level holds whole blocks of `factor` pixels, so it may miss the last few of its source.
  const spanX = source.width / grid.factor, spanY = source.height / grid.factor;
  for (let i = 0; i < across; i++) {
    const x = Math.min(width - 1, Math.max(0, (region.ax * (i + left) + region.bx) * spanX - 0.5));
    at[i] = Math.min(width - 2, x | 0);
    part[i] = x - at[i];
  }
  let upper = new Float32Array(across), lower = new Float32Array(across), upperRow = -1, lowerRow = -1;
  for (let row = top; row < bottom; row++) {
    const y = Math.min(height - 1, Math.max(0, (region.ay * row + region.by) * spanY - 0.5));
    const above = Math.min(height - 2, y | 0), down = y - above;
    if (upperRow !== above) {
      if (lowerRow === above) {
        [upper, lower] = [lower, upper];
        lowerRow = -1;
      } else stretchRow(upper, data, above * width, at, part, across);
      upperRow = above;
    }
    if (lowerRow !== above + 1) {
      stretchRow(lower, data, (above + 1) * width, at, part, across);
      lowerRow = above + 1;
    }
    mixRows(out, row * stride + left, upper, lower, down, across);
  }
}

function stretchRow(out, data, start, at, part, n) {
  for (let i = 0; i < n; i++) {
    const p = start + at[i], a = data[p];
    out[i] = a + (data[p + 1] - a) * part[i];
  }
}

function mixRows(out, o, upper, lower, down, n) {
  for (let i = 0; i < n; i++) out[o + i] = upper[i] + (lower[i] - upper[i]) * down;
}

/** One bilinear value at (u, v) in [0, 1] of the frame. */
function valueAt(grid, u, v) {
  const { width, height, data } = grid;
  const x = Math.min(width - 1, Math.max(0, u * width - 0.5)), y = Math.min(height - 1, Math.max(0, v * height - 0.5));
  const i = Math.min(width - 2, x | 0), j = Math.min(height - 2, y | 0), p = j * width + i;
  const a = data[p] + (data[p + 1] - data[p]) * (x - i);
  const b = data[p + width] + (data[p + width + 1] - data[p + width]) * (x - i);
  return a + (b - a) * (y - j);
}

/** The stored value under (u, v), not interpolated: what a readout names for a scan. */
function pixelAt(grid, u, v) {
  const x = Math.min(grid.width - 1, Math.floor(u * grid.width)), y = Math.min(grid.height - 1, Math.floor(v * grid.height));
  return grid.data[y * grid.width + x];
}

/** Adds amount `a` of a finding's change to `sum`: a * change, or between the two nearest frames of its path. */
function addChange(sum, change, steps, a) {
  const { data, scale, frames } = change, n = sum.length;
  if (!frames) {
    const k = a * scale;
    for (let i = 0; i < n; i++) sum[i] += data[i] * k;
    return;
  }
  let right = 1;
  while (right < frames - 1 && steps[right] < a) right++;
  const t = Math.min(1, Math.max(0, (a - steps[right - 1]) / (steps[right] - steps[right - 1])));
  const p = (right - 1) * n, q = right * n, k = (1 - t) * scale, l = t * scale;
  for (let i = 0; i < n; i++) sum[i] += data[p + i] * k + data[q + i] * l;
}

/** `values` at `a`, linearly between `steps`. */
function along(steps, values, a) {
  let right = 1;
  while (right < steps.length - 1 && steps[right] < a) right++;
  const t = Math.min(1, Math.max(0, (a - steps[right - 1]) / (steps[right] - steps[right - 1])));
  return values[right - 1] + (values[right] - values[right - 1]) * t;
}

/** The contour of `grid` at `level` as a Path2D in frame fractions, by marching squares; `broken` leaves every other cell out. */
function contourPath(grid, level, broken) {
  const path = new Path2D(), { data, width, height } = grid;
  for (let y = 0; y < height - 1; y++) {
    for (let x = 0, p = y * width; x < width - 1; x++, p++) {
      const a = data[p] - level, b = data[p + 1] - level, c = data[p + width + 1] - level, d = data[p + width] - level;
      const inside = (a > 0) | ((b > 0) << 1) | ((c > 0) << 2) | ((d > 0) << 3);
      if (inside === 0 || inside === 15 || (broken && ((x + y) >> 1) & 1)) continue;
      const points = [];
      if ((a > 0) !== (b > 0)) points.push([x + a / (a - b), y]);
      if ((b > 0) !== (c > 0)) points.push([x + 1, y + b / (b - c)]);
      if ((c > 0) !== (d > 0)) points.push([x + d / (d - c), y + 1]);
      if ((d > 0) !== (a > 0)) points.push([x, y + a / (a - d)]);
      for (let k = 0; k + 1 < points.length; k += 2) {
        path.moveTo((points[k][0] + 0.5) / width, (points[k][1] + 0.5) / height);
        path.lineTo((points[k + 1][0] + 0.5) / width, (points[k + 1][1] + 0.5) / height);
      }
    }
  }
  return path;
}
