// The only place where numbers become colour: grey by the window, orange above zero, blue below, dark at zero.

// Each keeps one hue from the first step to the end of the bar, and only grows lighter.
const ORANGE = [
  [19, 20, 23],
  [126, 70, 20],
  [186, 105, 31],
  [228, 132, 46],
  [255, 160, 77],
];

const BLUE = [
  [19, 20, 23],
  [22, 66, 134],
  [35, 98, 191],
  [63, 132, 233],
  [110, 170, 255],
];

export const STEPS = 1024;

function rampColour(stops, t) {
  const at = Math.min(0.9999, Math.max(0, t)) * (stops.length - 1);
  const i = at | 0;
  return stops[i].map((value, k) => value + (stops[i + 1][k] - value) * (at - i));
}

const tables = new Map(); // made once, since several panels want the same one in every frame
const MOST_TABLES = 64;

/**
 * Colour, already weighted, and what is left for the grey below, for values from -limit to +limit.
 * Weak values stay transparent, so that the picture shows through, the less the higher `lift`; below `threshold` (a
 * share of the limit) nothing is drawn.
 */
export function overlayTable(wish) {
  const key = JSON.stringify(wish);
  if (!tables.has(key)) {
    if (tables.size >= MOST_TABLES) tables.clear();
    tables.set(key, tableOf(wish));
  }
  return tables.get(key);
}

function tableOf({ opacity, threshold, sequential, opaque, lift = 2.2 }) {
  const tint = new Uint32Array(STEPS);
  const rest = new Uint16Array(STEPS);
  for (let i = 0; i < STEPS; i++) {
    const t = (i + 0.5) / (STEPS / 2) - 1;
    const size = Math.abs(t);
    const [r, g, b] = rampColour(t > 0 ? ORANGE : BLUE, size);
    let weight = opaque ? 1 : opacity * (1 - (1 - Math.min(1, size)) ** lift);
    if (size < threshold || (sequential && t < 0)) weight = 0;
    tint[i] = ((b * weight) << 16) | ((g * weight) << 8) | (r * weight);
    rest[i] = Math.floor((1 - weight) * 256);
  }
  return { tint, rest };
}

/** A CSS gradient of the same ramp, from the left of the colour bar to its right. */
export function rampGradient(sequential) {
  const stops = [];
  for (let i = 0; i <= 12; i++) {
    const t = sequential ? i / 12 : i / 6 - 1;
    stops.push(
      `rgb(${rampColour(t < 0 ? BLUE : ORANGE, Math.abs(t))
        .map(Math.round)
        .join(" ")}) ${((100 * i) / 12).toFixed(1)}%`,
    );
  }
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

/** Grey = k * value + b, from 0 to 255 over the window. */
export function greyOf([centre, width], invert) {
  const k = 255 / width;
  const b = 127.5 - centre * k;
  return invert ? { k: -k, b: 255 - b } : { k, b };
}
