// One plane or three, side by side.

import { stopCine } from "./cine.js";
import { touch } from "./frames.js";
import { buildPanels, layoutPanels } from "./panels.js";
import { keepLayout } from "./layouts.js";
import { goToPlace, placeOf, showSlices } from "./slices.js";
import { fitView } from "./viewport.js";

/** Shows three planes in place of one, through the crosshair, or one again. */
export function togglePlanes(view) {
  const { layout, crosshair, planes, dom } = view;
  stopCine(view);
  layout.three = !layout.three;
  dom.root.classList.toggle("three", layout.three);
  if (layout.three) {
    crosshair.at ??= placeOf(view);
    goToPlace(view, crosshair.at);
    view.slices.axis = 0;
  }
  keepLayout(view);
  buildPanels(view);
  layoutPanels(view);
  if (planes[0].zoom.fitted) fitView(view);
  touch(view);
  showSlices(view);
}
