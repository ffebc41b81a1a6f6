// Window and level: `levels` is how far both have moved from the start window (centre, width) of a panel.

const ACROSS = 240;
const ALONG = 320; // CSS pixels of a drag that widen e-fold, and that move the level by one start window

/** (centre, width) of a panel, whose own window it starts from, in the scan's units. */
export function currentWindow([centre, width], { shift, stretch }) {
  return [centre + shift * width, width * stretch];
}

/** Right is wider, down is a higher level: darker. */
export function dragLevels(levels, dx, dy) {
  levels.stretch = Math.min(20, Math.max(0.02, levels.stretch * Math.exp(dx / ACROSS)));
  levels.shift = Math.min(4, Math.max(-4, levels.shift + (dy / ALONG) * levels.stretch));
}

/** Moves the levels so that a panel with this start window shows `centre` and `width`. */
export function setLevels(levels, [startCentre, startWidth], centre, width) {
  levels.stretch = width / startWidth;
  levels.shift = (centre - startCentre) / startWidth;
}
