// Which keys are the viewer's, and what they do.

import { stopCine } from "./cine.js";
import { fade, setPlain, setSwipe } from "./compare.js";
import { closeHelp, openHelp } from "./help.js";
import { maximise, showBesideTruth } from "./panels.js";
import { selectNext, undo } from "./selection.js";
import { fromPlane, inPlane } from "./planes.js";
import { setRate } from "./playing.js";
import { goToPlace, goToSlice, placeOf, turnSlices } from "./slices.js";
import { stepAmount } from "./slider.js";
import { QUIET_TOOLS, TOOLS, has, thicken, useTool } from "./tools.js";
import { fitView, moveCross, preset } from "./viewport.js";

/** The view that keys go to: the one with the focus, or, when nothing has it, the one last pointed at. */
function ownsKeys(view, event) {
  const path = event.composedPath();
  if (path.includes(view.dom.root)) return true;
  const target = path[0];
  const beside = isListed(target)
    ? !OF_LISTS.has(event.key)
    : isPressed(target)
      ? !OF_CONTROLS.has(event.key)
      : target === document.body || target === document.documentElement || isScroller(target);
  if (!beside) return false;
  return (listening.last ?? view) === view;
}

/** Streamlit's own page wrapper takes the focus on a click beside everything. */
const isScroller = (element) =>
  element.tagName === "SECTION" ||
  element.tagName === "MAIN" ||
  (element.tagName === "DIV" && !element.isContentEditable && !element.hasAttribute("role"));

/** A list of scans keeps the focus after a click; it needs these keys itself, and all others are the viewer's. */
const OF_LISTS = new Set(["ArrowUp", "ArrowDown", "Home", "End", "Enter", "Tab", "Delete", "F2", "n", "p", "N", "P"]);

const isListed = (element) =>
  !element.isContentEditable &&
  element.tagName !== "INPUT" &&
  element.matches?.("[role=listbox], [role=listbox] *") === true;

/** A button or a switch keeps the focus after a click; it needs these keys itself. */
const OF_CONTROLS = new Set([
  " ",
  "Enter",
  "Tab",
  "Escape",
  "ArrowUp",
  "ArrowDown",
  "ArrowLeft",
  "ArrowRight",
  "Home",
  "End",
  "PageUp",
  "PageDown",
]);
const CONTROLS =
  "button, summary, a[href], [role=radio], [role=checkbox], [role=switch], [role=tab], input[type=checkbox], input[type=radio]";

const isPressed = (element) =>
  element.matches?.(CONTROLS) === true && !element.closest("[role=dialog], [role=menu], [role=listbox]");

const listening = { last: null };

export function listenToKeys(view) {
  const down = (event) => {
    if (view.life.closed || !view.dom.root.isConnected || !ownsKeys(view, event)) return;
    if (pressed(view, event)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  };
  const up = (event) => {
    if (event.key !== " " || !view.pointer.holding) return;
    view.pointer.holding = false;
    setPlain(view, false);
    event.preventDefault();
  };
  const leave = () => {
    view.pointer.holding = false;
    setPlain(view, false);
  };
  const point = () => (listening.last = view);
  window.addEventListener("keydown", down, true);
  window.addEventListener("keyup", up, true);
  window.addEventListener("blur", leave);
  view.dom.root.addEventListener("pointerover", point);
  view.life.deaf = () => {
    window.removeEventListener("keydown", down, true);
    window.removeEventListener("keyup", up, true);
    window.removeEventListener("blur", leave);
    if (listening.last === view) listening.last = null;
  };
}

/** Acts on a key; true when it was one of ours. */
function pressed(view, event) {
  const target = event.composedPath()[0];
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const typing = target.tagName === "INPUT" && target.type !== "range";
  if (typing || target.tagName === "TEXTAREA" || target.tagName === "SELECT") return false;
  if (!view.dom.help.hidden) {
    if (key === "Escape" || key === "?") closeHelp(view);
    else if (key === "Tab")
      return true; // the dialog has one button, which keeps the focus
    else return key !== " " && key !== "Enter";
    return true;
  }
  if (view.marks?.key(event)) return true;
  if ((event.ctrlKey || event.metaKey) && key === "z") return view.content.change && (undo(view), true);
  if (event.metaKey || event.altKey || (event.ctrlKey && !key.startsWith("Arrow"))) return false;
  if (key.startsWith("Arrow")) return arrow(view, event, target);
  if (key === " " && target.matches("button:focus-visible, [role=menuitem]")) return false;
  if (key === " ") {
    if (!view.pointer.holding) setPlain(view, true);
    return (view.pointer.holding = true);
  }
  if (key === "?") return (openHelp(view), true);
  if (key === "Escape" && view.cine.playing) return (stopCine(view), true);
  if (key === "Escape" && view.drawing.maximised !== null) return (maximise(view, null), true);
  if (key === "Escape") return view.drawing.besideTruth && (showBesideTruth(view, false), true);
  if (key === "f") return (fitView(view), true);
  if (key === "[" || key === "]") return (fade(view, key === "]" ? 0.05 : -0.05), true);
  if (/^[1-9]$/.test(key)) return preset(view, Number(key) - 1);
  if ((key === "PageUp" || key === "PageDown") && view.content.scan)
    return (turnSlices(view, key === "PageUp" ? -10 : 10), true);
  if ((key === "Home" || key === "End") && target === view.dom.thumb)
    return (stepAmount(view, key === "Home" ? -2 : 2), true);
  if ((key === "Home" || key === "End") && view.content.scan)
    return (goToSlice(view, key === "Home" ? 0 : Infinity), true);
  if ((key === "," || key === ".") && view.content.scan) return (thicken(view, key === "." ? 1 : -1), true);
  if ((key === "<" || key === ">") && has(view, "cine"))
    return (setRate(view, view.cine.rate + (key === ">" ? 1 : -1)), true);
  const tool = [...TOOLS, ...QUIET_TOOLS].find((tool) => tool.key === key && has(view, tool.needs));
  if (!tool) return false;
  useTool(view, tool);
  return true;
}

function arrow(view, event, target) {
  const across = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0;
  const down = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0;
  if (target.closest(".tools, .menu") || target.tagName === "INPUT") return false;
  if (target.classList.contains("divider") && across)
    return (setSwipe(view, view.compare.swipeAt + across * 0.02), true);
  if (event.shiftKey) return (stepCross(view, across, down), true);
  if (view.content.scan && target === view.dom.scrubber) return (turnSlices(view, across + down), true);
  if (view.content.scan && down && target !== view.dom.thumb && target !== view.dom.listbox)
    return (turnSlices(view, down), true);
  if (!view.content.findings.length) return false;
  if (target === view.dom.thumb && down) return (stepAmount(view, -down * 0.05), true);
  if (down) return (selectNext(view, down), true);
  return (view.content.change && stepAmount(view, across * (event.ctrlKey ? 0.1 : 0.01)), true);
}

/** Moves the crosshair a few pixels across and down the plane that was last pointed at. */
function stepCross(view, across, down) {
  stopCine(view);
  const { layout, slices, planes, crosshair, content } = view;
  const plane = planes[layout.three ? slices.axis : 0];
  const [height, width] = plane.frame;
  const middle = content.scan ? placeOf(view) : [0.5, 0.5, 0.5];
  const { u, v } = inPlane(plane, crosshair.at ?? middle);
  const step = 4 / plane.zoom.scale;
  const to = { u: u + (across * Math.max(step, layout.three ? 1 : 0)) / width };
  to.v = v + (down * Math.max(step / plane.zoom.aspect, layout.three ? 1 : 0)) / height;
  if (moveCross(view, plane, to.u, to.v) && layout.three) goToPlace(view, fromPlane(plane, to, placeOf(view)));
}
