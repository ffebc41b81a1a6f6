// What a finding's path through amounts a says: probability, change, and where the decision flips.

export const largest = (finding) => finding.steps?.at(-1) ?? 1;

export const startAmount = (finding) => Math.min(1, largest(finding));

/** `values` at `a`, linearly between `steps`. */
export function along(steps, values, a) {
  let right = 1;
  while (right < steps.length - 1 && steps[right] < a) right++;
  const t = Math.min(1, Math.max(0, (a - steps[right - 1]) / (steps[right] - steps[right - 1])));
  return values[right - 1] + (values[right] - values[right - 1]) * t;
}

/** What amount `a` of a path is made of: [frame, weight] of the two frames around it, or the one frame times `a`. */
export function framesAt(frames, steps, a) {
  if (!frames) return [[0, a]];
  let right = 1;
  while (right < frames - 1 && steps[right] < a) right++;
  const t = Math.min(1, Math.max(0, (a - steps[right - 1]) / (steps[right] - steps[right - 1])));
  return [
    [right - 1, 1 - t],
    [right, t],
  ];
}

/** Adds amount `a` of a finding's change to `sum`: a * change, or between the two nearest frames of its path. */
export function addChange(sum, change, steps, a) {
  const { data, scale, frames } = change;
  const n = sum.length;
  if (!frames) {
    const k = a * scale;
    for (let i = 0; i < n; i++) sum[i] += data[i] * k;
    return;
  }
  const [[left, before], [right, after]] = framesAt(frames, steps, a);
  const p = left * n;
  const q = right * n;
  const k = before * scale;
  const l = after * scale;
  for (let i = 0; i < n; i++) sum[i] += data[p + i] * k + data[q + i] * l;
}

/** Where along its path the model's call turns from yes to no; null when it never does. */
export function flipOf({ steps, probabilities, threshold }) {
  if (!(probabilities[0] > threshold)) return null;
  const k = probabilities.findIndex((p) => !(p > threshold));
  if (k < 0) return null;
  const [p0, p1] = [probabilities[k - 1], probabilities[k]];
  return steps[k - 1] + ((p0 - threshold) / Math.max(p0 - p1, 1e-9)) * (steps[k] - steps[k - 1]);
}
