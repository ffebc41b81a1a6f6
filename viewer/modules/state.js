// The state of a view, in named parts.

import { startingCine } from "./cine.js";

/** How a view looks before any hand touched it. */
export function startingLook() {
  return {
    levels: { shift: 0, stretch: 1, invert: false, dragging: false },
    overlay: { on: true, opacity: 0.65, threshold: 0.25, thresholdOn: false, contour: false },
    turn: { quarters: 0, mirrored: false },
    compare: { blink: false, blinkPhase: 0, swipe: false, swipeAt: 0.5, plain: false },
    slab: { mode: "", mm: 10 },
  };
}

/**
 * The state of a view, by what it is about.
 *
 * dom        its elements
 * content    what Python sent: header, grids, findings, panels; `scan`, the volume; `change`, whether there are
 *            counterfactuals; `changeStamp` counts what was taken away; `seen`, evidence by finding and slice
 * selection  which finding is shown, which are taken away too, how much of each, and what stood before, for undo
 * planes     see planes.js; each has its zoom, see zoom.js
 * layout     whether three planes stand side by side; `now`: the hanging protocol, see layouts.js, or null
 * slab       see projection.js: which projection, "" for none, and how thick
 * levels     see levels.js; `dragging`: a drag with the left button sets them
 * turn       see turning.js
 * overlay    of evidence over the scan
 * compare    scan against counterfactual: blink, swipe, plain scan
 * crosshair  `at` [slice, row, column], shares of the axes, or null
 * slices     see slices.js
 * cine       see cine.js
 * scrubber   what it shows
 * arrivals   how many slices are being fetched
 * pointer    the panel under it; whether it is moving something; whether Space is held
 * drawing    sizes, the next frame, and what was drawn last
 * python     `send` the choice, `turn` the slice, the latest `news`, whether the reader `handled` this view
 * timers     by what they wait for
 * marks      what is drawn on it (equipping.js), or null
 * life       what ends with the view
 */
export function stateOf(root) {
  const find = (selector) => root.querySelector(selector);
  return {
    dom: {
      root,
      stage: find(".stage"),
      tools: find(".tools"),
      list: find(".findings"),
      listbox: find(".listbox"),
      sentence: find(".sentence"),
      curve: find(".curve"),
      svg: find("svg"),
      thumb: find(".thumb"),
      done: find(".done"),
      flip: find(".flip"),
      play: find(".play"),
      facts: find(".facts"),
      trust: find(".trust-line"),
      help: find(".help"),
      said: find(".said"),
      turned: find(".turned"),
      question: find(".ask strong"),
      cards: new Map(),
      buttons: new Map(),
      slices: null,
      scrubber: find(".scrubber"),
    },
    content: {
      header: null,
      grids: [],
      findings: [],
      byName: new Map(),
      panels: [],
      scan: null,
      change: false,
      changeStamp: 0,
      seen: new Map(),
      jointTruth: null,
      loaded: 0,
    },
    selection: { finding: null, wanted: null, amounts: new Map(), also: new Set(), past: [], burst: null },
    planes: [],
    layout: { three: false, now: null },
    ...startingLook(),
    crosshair: { at: null, on: true },
    slices: { at: [0, 0, 0], axis: 0, rolled: 0 },
    cine: startingCine(),
    scrubber: { key: "", count: 1 },
    arrivals: { running: 0 },
    pointer: { panel: null, moving: false, holding: false },
    drawing: {
      size: null,
      frame: 0,
      crossFrame: 0,
      coarse: false,
      maximised: null,
      besideTruth: false,
      curveDrawn: "",
      factsDrawn: "",
      draw: null,
      write: null,
    },
    python: { send: null, turn: null, again: null, news: null, handled: false },
    timers: { sending: 0, turning: 0, resting: 0, blinking: 0, arriving: 0 },
    marks: null,
    life: { closed: false, deaf: null, resized: null, windowResized: null, covered: null },
  };
}
