// One table of tools, from which buttons, keys and the list of keys are made.

import { RATE } from "./cine.js";
import { setPlain, showTools, toggleBlink } from "./compare.js";
import { say } from "./dom.js";
import { crossMoved, touch } from "./frames.js";
import { offeredLayouts } from "./layouts.js";
import { layoutPanels, maximise, showBesideTruth } from "./panels.js";
import { PROJECTIONS, THICKNESS } from "./projection.js";
import { setRate, toggleCine } from "./playing.js";
import { resetAll } from "./resetting.js";
import { undo } from "./selection.js";
import { togglePlanes } from "./three.js";
import { mirroredOnce, quarterMore, turnWords } from "./turning.js";
import { actualSize, fitView } from "./viewport.js";

/**
 * Every tool: its key as pressed and as written, its name, what it does, and, for switches, whether it is on. `bar`: what
 * its button in the toolbar needs, where that is more; `tells`: it says itself what it did.
 */
export const TOOLS = [
  {
    id: "window",
    key: "w",
    label: "Window",
    needs: "base",
    help: "drag sets window and level (the right button always does)",
    on: (view) => view.levels.dragging,
    run: (view) => {
      view.levels.dragging = !view.levels.dragging;
    },
  },
  { id: "presets", label: "Presets", needs: "base", help: "window presets", keyLabel: "1 to 9", menu: true },
  {
    ...{ id: "layout", key: "l", label: "Layout", needs: "layouts", menu: true },
    help: "hanging protocols: which panels stand how; as opened",
    run: (view) => view.dom.root.querySelector("[data-tool=layout]").click(),
  },
  {
    id: "invert",
    key: "i",
    label: "Invert",
    needs: "base",
    help: "invert the greys",
    on: (view) => view.levels.invert,
    run: (view) => {
      view.levels.invert = !view.levels.invert;
      touch(view);
    },
  },
  {
    id: "planes",
    key: "v",
    label: "Planes",
    help: "axial, coronal and sagittal side by side; a click moves the crosshair",
    needs: "volume",
    on: (view) => view.layout.three,
    run: togglePlanes,
  },
  {
    id: "slab",
    key: "d",
    label: "Slab",
    help: "project a slab: its maximum, mean, minimum, or off; , and . make it thinner, thicker",
    needs: "volume",
    on: (view) => view.slab.mode !== "",
    tells: true,
    run: (view) => {
      view.slab.mode = PROJECTIONS[(PROJECTIONS.indexOf(view.slab.mode) + 1) % PROJECTIONS.length];
      touch(view);
      say(view, view.slab.mode ? `${slabWords(view)} projection` : "No projection");
    },
    range: {
      name: "Thickness of the slab in millimetres",
      ...{ least: THICKNESS.least, most: THICKNESS.most, step: THICKNESS.step },
      get: (view) => view.slab.mm,
      set: (view, mm) => {
        view.slab.mm = mm;
        touch(view);
      },
    },
  },
  {
    id: "overlay",
    key: "o",
    label: "Overlay",
    help: "overlay on or off; [ and ] change its opacity",
    needs: "overlay",
    on: (view) => view.overlay.on,
    run: (view) => {
      view.overlay.on = !view.overlay.on;
      touch(view);
    },
    range: {
      name: "Overlay opacity",
      get: (view) => view.overlay.opacity,
      set: (view, x) => {
        view.overlay.opacity = x;
        view.overlay.on = true;
        touch(view);
      },
    },
  },
  {
    id: "threshold",
    key: "t",
    label: "Threshold",
    help: "hide evidence below the threshold",
    needs: "map",
    on: (view) => view.overlay.thresholdOn,
    run: (view) => {
      view.overlay.thresholdOn = !view.overlay.thresholdOn;
      touch(view);
    },
    range: {
      name: "Threshold, as a share of the scale",
      shown: (view) => view.overlay.thresholdOn || view.overlay.contour,
      get: (view) => view.overlay.threshold,
      set: (view, x) => {
        view.overlay.threshold = Math.max(0.02, x);
        touch(view);
      },
    },
  },
  {
    id: "contour",
    key: "c",
    label: "Contour",
    help: "outline the evidence at the threshold; dotted where it speaks against",
    needs: "map",
    on: (view) => view.overlay.contour,
    run: (view) => {
      view.overlay.contour = !view.overlay.contour;
      touch(view);
    },
  },
  {
    id: "blink",
    key: "b",
    label: "Blink",
    help: "scan against counterfactual",
    needs: "change",
    on: (view) => view.compare.blink,
    run: toggleBlink,
  },
  {
    id: "swipe",
    key: "s",
    label: "Swipe",
    help: "a line to drag between scan and panel",
    needs: "findings",
    on: (view) => view.compare.swipe,
    run: (view) => {
      view.compare.swipe = !view.compare.swipe;
      touch(view);
    },
  },
  {
    id: "plain",
    key: " ",
    keyLabel: "hold space",
    label: "Plain scan",
    short: "Plain",
    needs: "base",
    help: "the scan alone in every panel, while held",
    on: (view) => view.compare.plain,
    run: (view) => setPlain(view, !view.compare.plain),
  },
  { id: "fit", key: "0", label: "Fit", help: "the whole picture (also F)", run: (view) => fitView(view) },
  {
    id: "cine",
    key: "k",
    label: "Play",
    help: "the slices, or how much is taken away, until something else is done; < and > slower, faster",
    needs: "cine",
    bar: "volume",
    on: (view) => view.cine.playing,
    tells: true,
    run: toggleCine,
    range: {
      name: "Frames a second",
      ...{ least: RATE.least, most: RATE.most, step: RATE.step },
      get: (view) => view.cine.rate,
      set: setRate,
    },
  },
];

/** Shows the pictures turned, or mirrored, in every panel. */
export function turnView(view, turn) {
  view.turn = turn;
  layoutPanels(view);
  fitView(view);
  say(view, turnWords(turn) || "As stored");
}

/** Tools that live on keys and in the list of keys only. */
export const QUIET_TOOLS = [
  { id: "actual", key: "a", label: "1:1", help: "one screen pixel for each pixel, at the crosshair", run: actualSize },
  {
    id: "crosshair",
    key: "x",
    label: "Crosshair",
    help: "crosshair on or off; shift and arrows move it",
    on: (view) => view.crosshair.on,
    run: (view) => {
      view.crosshair.on = !view.crosshair.on;
      crossMoved(view);
    },
  },
  {
    id: "maximise",
    key: "m",
    label: "One panel",
    help: "the panel under the pointer alone, and back (also a double click)",
    run: (view) => maximise(view, view.pointer.panel ?? view.content.panels[0]),
  },
  {
    id: "truth",
    key: "g",
    label: "Beside the truth",
    help: "the model's counterfactual and the true one alone, side by side",
    needs: "truth",
    on: (view) => view.drawing.besideTruth,
    run: (view) => showBesideTruth(view, !view.drawing.besideTruth),
  },
  {
    id: "sweep",
    key: "j",
    label: "There and back",
    help: "play slices there and back, or around from the last to the first",
    needs: "volume",
    on: (view) => view.cine.sweep,
    run: (view) => {
      view.cine.sweep = !view.cine.sweep;
    },
  },
  {
    id: "undo",
    key: "u",
    keyLabel: "U or Ctrl Z",
    label: "Undo",
    help: "the last change of an amount",
    needs: "change",
    run: undo,
  },
  {
    id: "rotate",
    key: "q",
    label: "Rotate",
    help: "a quarter clockwise",
    run: (view) => turnView(view, quarterMore(view.turn)),
  },
  {
    id: "flip",
    key: "h",
    label: "Flip",
    help: "left for right; what is shown is then a mirror image, and says so",
    on: (view) => view.turn.mirrored,
    run: (view) => turnView(view, mirroredOnce(view.turn)),
  },
  { id: "reset", key: "r", label: "Reset", help: "view, window, overlay and amounts as they began", run: resetAll },
];

export function has(view, need) {
  if (need === "cine" && view.content.scan) return true;
  if (need === "layouts") return offeredLayouts(view).length > 1;
  if (view.content.header.blank && need !== "base" && need !== "volume") return !need; // their buttons stand there, and wait
  if (need === "volume") return Boolean(view.content.scan);
  if (need === "findings") return view.content.findings.length > 0;
  if (need === "change" || need === "cine") return Boolean(view.content.change);
  if (need === "truth") return view.content.panels.some((panel) => panel.kind === "truth");
  if (need === "base") return Boolean(view.content.scan) || view.content.panels.some((panel) => panel.base);
  if (need === "overlay")
    return view.content.findings.length > 0 || view.content.panels.some((panel) => panel.map && panel.base);
  if (need === "map") return view.content.findings.length > 0 || view.content.panels.some((panel) => panel.map);
  return true;
}

export function useTool(view, tool) {
  tool.run(view);
  showTools(view);
  if (tool.on && !tool.tells) say(view, `${tool.label} ${tool.on(view) ? "on" : "off"}`);
}

/** "maximum 10 mm" */
export const slabWords = ({ slab }) => `${slab.mode} ${slab.mm} mm`;

/** Makes the slab thicker, or thinner, by steps of the slider. */
export function thicken(view, by) {
  const { least, most, step } = THICKNESS;
  view.slab.mm = Math.min(most, Math.max(least, view.slab.mm + by * step));
  view.slab.mode ||= PROJECTIONS[1];
  touch(view);
  showTools(view);
  say(view, `${slabWords(view)} projection`);
}
