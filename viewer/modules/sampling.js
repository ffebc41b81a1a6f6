// The visible region of a grid, sampled at the panel's own resolution.

/** A grid with, for pictures, its pyramid, and what was last sampled from it. */
export const sourceOf = (grid, levels = null) => ({ grid, levels, buffer: null, stamp: "" });

/**
 * Every next level has half the width and height of the one before, each value the mean of four. `spare` are levels of
 * another grid of the same size that may be written over.
 */
export function pyramid(grid, spare = null) {
  const levels = [grid];
  for (let last = grid; Math.min(last.width, last.height) >= 192; levels.push(last)) {
    const width = last.width >> 1;
    const height = last.height >> 1;
    const old = spare?.[levels.length]?.data;
    const data = old?.length === width * height ? old : new Float32Array(width * height);
    for (let y = 0; y < height; y++) {
      let above = 2 * y * last.width;
      let below = above + last.width;
      for (let x = 0, o = y * width; x < width; x++, above += 2, below += 2)
        data[o++] = (last.data[above] + last.data[above + 1] + last.data[below] + last.data[below + 1]) / 4;
    }
    last = { ...last, data, width, height, factor: last.factor * 2 };
  }
  return levels;
}

/** Which output pixels show something of the frame, and where in the frame (0 to 1) they look: u = ax * i + bx. */
export function visibleRegion(zoom, size, frame) {
  const [height, width] = frame;
  const perPixelX = 1 / (size.ratio * zoom.scale * width);
  const perPixelY = 1 / (size.ratio * zoom.scale * zoom.aspect * height);
  const bx = zoom.centreX / width + (0.5 - size.width / 2) * perPixelX;
  const by = zoom.centreY / height + (0.5 - size.height / 2) * perPixelY;
  const first = (a, b, n) => Math.min(n, Math.max(0, Math.ceil(-b / a)));
  const last = (a, b, n) => Math.min(n, Math.max(0, Math.ceil((1 - b) / a)));
  return {
    ax: perPixelX,
    bx,
    ay: perPixelY,
    by,
    stride: size.width,
    left: first(perPixelX, bx, size.width),
    right: last(perPixelX, bx, size.width),
    top: first(perPixelY, by, size.height),
    bottom: last(perPixelY, by, size.height),
  };
}

/** The level of a pyramid with at most about one and a half of its pixels on each output pixel. */
export function fittingLevel(levels, region) {
  const perPixel = region.ax * levels[0].width;
  return levels[Math.min(levels.length - 1, Math.max(0, Math.floor(Math.log2(perPixel) + 0.45)))];
}

/**
 * Bilinear values of `grid` at every output pixel of `region`, written into `out`. `source` is the grid that a level
 * came from.
 * Each row of the grid is stretched across once, and the rows between are mixed from the two around them.
 */
export function sampleGrid(out, grid, region, source = grid) {
  const { width, height, data } = grid;
  const { left, right, top, bottom, stride } = region;
  const across = right - left;
  const at = new Int32Array(across);
  const part = new Float32Array(across);
  // A level holds whole blocks of `factor` pixels, so it may miss the last few of its source.
  const spanX = source.width / grid.factor;
  const spanY = source.height / grid.factor;
  for (let i = 0; i < across; i++) {
    const x = Math.min(width - 1, Math.max(0, (region.ax * (i + left) + region.bx) * spanX - 0.5));
    at[i] = Math.min(width - 2, x | 0);
    part[i] = x - at[i];
  }
  let upper = new Float32Array(across);
  let lower = new Float32Array(across);
  let upperRow = -1;
  let lowerRow = -1;
  for (let row = top; row < bottom; row++) {
    const y = Math.min(height - 1, Math.max(0, (region.ay * row + region.by) * spanY - 0.5));
    const above = Math.min(height - 2, y | 0);
    const down = y - above;
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
    const p = start + at[i];
    const a = data[p];
    out[i] = a + (data[p + 1] - a) * part[i];
  }
}

function mixRows(out, o, upper, lower, down, n) {
  for (let i = 0; i < n; i++) out[o + i] = upper[i] + (lower[i] - upper[i]) * down;
}

/** One bilinear value at (u, v) in [0, 1] of the frame. */
export function valueAt(grid, u, v) {
  const { width, height, data } = grid;
  const x = Math.min(width - 1, Math.max(0, u * width - 0.5));
  const y = Math.min(height - 1, Math.max(0, v * height - 0.5));
  const i = Math.min(width - 2, x | 0);
  const j = Math.min(height - 2, y | 0);
  const p = j * width + i;
  const a = data[p] + (data[p + 1] - data[p]) * (x - i);
  const b = data[p + width] + (data[p + width + 1] - data[p + width]) * (x - i);
  return a + (b - a) * (y - j);
}

/** The stored value under (u, v), not interpolated: what a readout names for a scan. */
export function pixelAt(grid, u, v) {
  const x = Math.min(grid.width - 1, Math.floor(u * grid.width));
  const y = Math.min(grid.height - 1, Math.floor(v * grid.height));
  return grid.data[y * grid.width + x];
}
