// The counterfactual slider, by pointer and by keys.

import { showTools } from "./compare.js";
import { CURVE } from "./curve.js";
import { rest } from "./gestures.js";
import { largest } from "./path.js";
import { toggleCine } from "./playing.js";
import { remember, sendSoon, setAmount } from "./selection.js";

export function listenToSlider(view) {
  const { curve, thumb, play } = view.dom;
  play.onclick = () => {
    toggleCine(view);
    showTools(view);
    view.dom.stage.focus({ preventScroll: true });
  };
  let dragging = false;
  const follow = (event) => {
    const box = curve.getBoundingClientRect();
    const finding = view.content.byName.get(view.selection.finding);
    const share = (event.clientX - box.left - CURVE.side) / (box.width - 2 * CURVE.side);
    setAmount(view, view.selection.finding, share * largest(finding));
  };
  curve.onpointerdown = (event) => {
    if (event.button !== 0 || !view.content.change) return;
    event.preventDefault();
    thumb.focus({ preventScroll: true });
    curve.setPointerCapture(event.pointerId);
    dragging = view.pointer.moving = true;
    remember(view);
    follow(event);
  };
  curve.onpointermove = (event) => dragging && follow(event);
  curve.onpointerup = curve.onpointercancel = () => {
    if (!dragging) return;
    dragging = false;
    rest(view);
    sendSoon(view);
  };
}

/** Moves the slider from the keyboard. */
export function stepAmount(view, by) {
  if (!view.content.change) return;
  remember(view, `step ${view.selection.finding}`);
  setAmount(view, view.selection.finding, view.selection.amounts.get(view.selection.finding) + by);
  sendSoon(view);
}
