// A view as it began.

import { showChoice } from "./choice.js";
import { stopCine } from "./cine.js";
import { say } from "./dom.js";
import { changeMoved } from "./frames.js";
import { lookOf } from "./layouts.js";
import { layoutPanels } from "./panels.js";
import { startAmount } from "./path.js";
import { remember, sendSoon } from "./selection.js";
import { startingLook } from "./state.js";
import { fitView } from "./viewport.js";

/** View, window, overlay and amounts as they began. */
export function resetAll(view) {
  stopCine(view);
  if (view.content.change) remember(view);
  Object.assign(view, startingLook());
  lookOf(view);
  view.crosshair.on = true;
  clearInterval(view.timers.blinking);
  for (const finding of view.content.findings) view.selection.amounts.set(finding.name, startAmount(finding));
  view.selection.also.clear();
  view.drawing.maximised = null;
  view.drawing.besideTruth = false;
  if (view.content.findings.length) {
    showChoice(view);
    changeMoved(view);
    sendSoon(view);
  }
  layoutPanels(view);
  fitView(view);
  say(view, "Reset");
}
