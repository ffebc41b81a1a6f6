// Rows of pixels filled with the colours of `colours.js`.

import { STEPS } from "./colours.js";

/** Paints base (+ change, where given) as grey into columns from..to. */
export function paintGrey(out, region, base, change, grey, from, to) {
  const { top, bottom, stride } = region;
  const { k, b } = grey;
  const start = Math.max(region.left, from);
  const end = Math.min(region.right, to);
  for (let row = top; row < bottom; row++) {
    const o = row * stride;
    if (change) {
      for (let i = o + start; i < o + end; i++) {
        const value = (base[i] + change[i]) * k + b;
        out[i] = 0xff000000 | ((value < 0 ? 0 : value > 255 ? 255 : value | 0) * 0x010101);
      }
    } else {
      for (let i = o + start; i < o + end; i++) {
        const value = base[i] * k + b;
        out[i] = 0xff000000 | ((value < 0 ? 0 : value > 255 ? 255 : value | 0) * 0x010101);
      }
    }
  }
}

/** Paints base as grey, dimmed to `dim`, into columns from..to. */
export function paintDim(out, region, base, grey, dim, from, to) {
  const { top, bottom, stride } = region;
  const k = grey.k * dim;
  const b = grey.b * dim;
  const most = (255 * dim) | 0; // whole, as it is spread over three channels
  const start = Math.max(region.left, from);
  const end = Math.min(region.right, to);
  for (let row = top; row < bottom; row++) {
    for (let i = row * stride + start; i < row * stride + end; i++) {
      const value = base[i] * k + b;
      out[i] = 0xff000000 | ((value < 0 ? 0 : value > most ? most : value | 0) * 0x010101);
    }
  }
}

/** Paints a map over the grey of its base, dimmed to `dim`; without a base, over black. */
export function paintMap(out, region, base, map, limit, table, grey, dim, from, to) {
  const { top, bottom, stride } = region;
  const { tint, rest } = table;
  const k = base ? grey.k * dim : 0;
  const b = base ? grey.b * dim : 0;
  const most = base ? 255 * dim : 0;
  const toIndex = STEPS / 2 / limit;
  const start = Math.max(region.left, from);
  const end = Math.min(region.right, to);
  const under = base ?? map;
  for (let row = top; row < bottom; row++) {
    const o = row * stride;
    for (let i = o + start; i < o + end; i++) {
      let value = under[i] * k + b;
      value = value < 0 ? 0 : value > most ? most : value;
      let t = (map[i] * toIndex + STEPS / 2) | 0;
      t = t < 0 ? 0 : t >= STEPS ? STEPS - 1 : t;
      out[i] = 0xff000000 | (tint[t] + ((value * rest[t]) >> 8) * 0x010101);
    }
  }
}
