// What is in sight of the scan, and how bright: zoom, position, window and crosshair of a view, moved.

import { say } from "./dom.js";
import { crossMoved, touch, viewMoved } from "./frames.js";
import { dragLevels, setLevels } from "./levels.js";
import { fit, pan, zoomAround } from "./zoom.js";

/** Window or level changed, by a drag of CSS pixels. */
export function windowBy(view, dx, dy) {
  dragLevels(view.levels, dx, dy);
  touch(view);
}

/** Shows `centre` and `width`, in the scan's units, in the panels that begin with the first panel's window. */
export function setWindow(view, centre, width) {
  setLevels(view.levels, view.content.panels[0].window, centre, width);
  touch(view);
}

/** Shows the whole picture. */
export function fitView(view) {
  fit(view.zoom, view.drawing.size, view.content.header.frame);
  viewMoved(view);
}

/** Zooms by `factor` at a place of a panel. */
export function zoomAt(view, place, factor) {
  zoomAround(view.zoom, view.drawing.size, view.content.header.frame, place, factor);
  viewMoved(view);
}

/** Moves the picture by CSS pixels. */
export function panBy(view, dx, dy) {
  pan(view.zoom, view.content.header.frame, dx, dy);
  viewMoved(view);
}

/** One screen pixel for each pixel of the scan, around the crosshair or the middle. */
export function actualSize(view) {
  const { zoom } = view;
  const { at } = view.crosshair;
  const [height, width] = view.content.header.frame;
  if (at) {
    zoom.centreX = at.u * width;
    zoom.centreY = at.v * height;
  }
  zoom.scale = 1 / (window.devicePixelRatio || 1);
  zoom.fitted = false;
  viewMoved(view);
}

/** Puts the crosshair at a share of the frame; outside it, it stays where it was. */
export function moveCross(view, u, v) {
  if (u >= 0 && u < 1 && v >= 0 && v < 1) view.crosshair.at = { u, v };
  crossMoved(view);
}

/** Takes one of the header's window presets; false where there is none at this place of the list. */
export function preset(view, index) {
  const [name, centre, width] = view.content.header.presets[index] ?? [];
  if (!name) return false;
  setWindow(view, centre, width);
  say(view, `Window ${name}`);
  return true;
}
