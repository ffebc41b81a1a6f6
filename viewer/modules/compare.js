// Blink, swipe and the plain scan.

import { setText } from "./dom.js";
import { touch } from "./frames.js";
import { PROJECTION_LETTERS } from "./projection.js";

export function showTools(view) {
  for (const [tool, { button, name, range }] of view.dom.buttons) {
    if (tool.on) button.setAttribute("aria-pressed", String(Boolean(tool.on(view))));
    if (tool.id === "overlay") setText(name, `Overlay ${Math.round(100 * view.overlay.opacity)} %`);
    if (tool.id === "slab")
      setText(name, view.slab.mode ? `${PROJECTION_LETTERS[view.slab.mode]} ${view.slab.mm} mm` : "Slab");
    if (tool.id === "cine") setText(name, playWords(view));
    if (tool.id === "threshold")
      setText(
        name,
        view.overlay.thresholdOn || view.overlay.contour
          ? `Threshold ${Math.round(100 * view.overlay.threshold)} %`
          : "Threshold",
      );
    if (!range) continue;
    range.hidden = !(tool.range.shown?.(view) ?? tool.on(view));
    range.value = tool.range.get(view);
    const { least = 0, most = 1 } = tool.range;
    range.style.setProperty("--share", `${(100 * (tool.range.get(view) - least)) / (most - least)}%`);
  }
  setText(view.dom.play.firstChild, playWords(view));
  view.dom.play.setAttribute("aria-pressed", String(view.cine.playing));
  view.dom.stage.classList.toggle("windowing", view.levels.dragging);
}

const playWords = ({ cine }) => (cine.playing ? `Play ${cine.rate}/s` : "Play");

/** Blinks a little slower than once a second; whoever prefers reduced motion changes over by hand with the same key. */
export function toggleBlink(view) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  clearInterval(view.timers.blinking);
  if (still && view.compare.blink && !view.compare.blinkPhase) {
    view.compare.blinkPhase = 1;
    return touch(view, "without");
  }
  view.compare.blink = !view.compare.blink;
  view.compare.blinkPhase = 0;
  if (view.compare.blink && !still) {
    view.timers.blinking = setInterval(() => {
      view.compare.blinkPhase = 1 - view.compare.blinkPhase;
      touch(view, "without");
    }, 650);
  }
  touch(view, "without");
}

export function setPlain(view, on) {
  if (view.compare.plain === on) return;
  view.compare.plain = on;
  touch(view);
  showTools(view);
}

export function setSwipe(view, share) {
  view.compare.swipeAt = Math.min(1, Math.max(0, share));
  touch(view, "evidence", "without");
}

export function fade(view, by) {
  view.overlay.opacity = Math.round(Math.min(1, Math.max(0, view.overlay.opacity + by)) * 100) / 100;
  view.overlay.on = true;
  touch(view);
  showTools(view);
}
