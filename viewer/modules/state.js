// The state of a view, in named parts.

/** How a view looks before any hand touched it. */
export function startingLook() {
  return {
    levels: { shift: 0, stretch: 1, invert: false, dragging: false },
    overlay: { on: true, opacity: 0.65, threshold: 0.25, thresholdOn: false, contour: false },
    compare: { blink: false, blinkPhase: 0, swipe: false, swipeAt: 0.5, plain: false },
  };
}

/**
 * The state of a view, by what it is about.
 *
 * dom        its elements
 * content    what Python sent: header, grids, findings, panels; and `change`, the sum of what is taken away
 * selection  which finding is shown, which are taken away too, how much of each, and what stood before, for undo
 * zoom       see zoom.js
 * levels     see levels.js; `dragging`: a drag with the left button sets them
 * overlay    of evidence over the scan
 * compare    scan against counterfactual: blink, swipe, plain scan
 * crosshair  `at` {u, v}, a share of the frame, or null
 * slices     see slices.js
 * pointer    the panel under it; whether it is moving something; whether Space is held
 * drawing    sizes, the next frame, and what was drawn last
 * python     `send` the choice, `turn` the slice, the latest `news`, whether the reader `handled` this view
 * timers     by what they wait for
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
      facts: find(".facts"),
      help: find(".help"),
      said: find(".said"),
      question: find(".ask strong"),
      cards: new Map(),
      buttons: new Map(),
      slices: null,
    },
    content: {
      header: null,
      grids: [],
      findings: [],
      byName: new Map(),
      panels: [],
      change: null,
      changeStale: false,
      changedShare: 0,
      jointTruth: null,
      loaded: 0,
    },
    selection: { finding: null, wanted: null, amounts: new Map(), also: new Set(), past: [], burst: null },
    zoom: { scale: 1, centreX: 0, centreY: 0, aspect: 1, fitted: true },
    ...startingLook(),
    crosshair: { at: null, on: true },
    slices: { wanted: null, rolled: 0 },
    pointer: { panel: null, moving: false, holding: false },
    drawing: {
      size: null,
      region: null,
      seen: 0,
      frame: 0,
      crossFrame: 0,
      coarse: false,
      maximised: null,
      curveDrawn: "",
      factsDrawn: "",
      draw: null,
      write: null,
    },
    python: { send: null, turn: null, again: null, news: null, handled: false },
    timers: { sending: 0, turning: 0, resting: 0, blinking: 0 },
    life: { closed: false, deaf: null, resized: null, windowResized: null },
  };
}
