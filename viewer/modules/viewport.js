// What is in sight of the scan, and how bright: zoom, position, window and crosshair of a view, moved.

import { say } from "./dom.js";
import { crossMoved, touch, viewMoved } from "./frames.js";
import { dragLevels, setLevels } from "./levels.js";
import { fromPlane, inPlane, linkZoom } from "./planes.js";
import { placeOf } from "./slices.js";
import { fit, pan, zoomAround } from "./zoom.js";

/** Window or level changed, by a drag of CSS pixels. */
export function windowBy(view, dx, dy) {
  dragLevels(view.levels, dx, dy);
  touch(view);
}

/** Shows `centre` and `width`, in the scan's units, in the panels that begin with the first panel's window. */
export function setWindow(view, centre, width) {
  setLevels(view.levels, view.content.header.windows[0], centre, width);
  touch(view);
}

/** Shows the whole picture; planes side by side are all shown whole, as large as the largest allows. */
export function fitView(view) {
  const { planes, drawing, content } = view;
  for (const { zoom, frame } of planes) fit(zoom, drawing.size, frame);
  const shown = planes.filter((plane) => content.panels.some((panel) => panel.shown && panel.plane === plane));
  const scale = Math.min(...(shown.length ? shown : planes).map(({ zoom, mm }) => zoom.scale / mm[1]));
  for (const { zoom, mm } of planes) zoom.scale = scale * mm[1];
  viewMoved(view);
}

/** Zooms a plane, and all others with it, by `factor` at a place of a panel. */
export function zoomAt(view, plane, place, factor) {
  zoomAround(plane.zoom, view.drawing.size, plane.frame, place, factor);
  if (plane.zoom.fitted) return fitView(view);
  linkZoom(view.planes, plane);
  viewMoved(view);
}

/** Moves the picture of a plane, and that of all others with it, by CSS pixels. */
export function panBy(view, plane, dx, dy) {
  pan(plane.zoom, plane.frame, dx, dy);
  linkZoom(view.planes, plane);
  viewMoved(view);
}

/** One screen pixel for each pixel of the scan, around the crosshair or the middle. */
export function actualSize(view) {
  const [plane] = view.planes;
  const { zoom, frame } = plane;
  if (view.crosshair.at) {
    const { u, v } = inPlane(plane, view.crosshair.at);
    zoom.centreX = u * frame[1];
    zoom.centreY = v * frame[0];
  }
  zoom.scale = 1 / (window.devicePixelRatio || 1);
  zoom.fitted = false;
  linkZoom(view.planes, plane);
  viewMoved(view);
}

const startOf = (view) => (view.content.scan ? placeOf(view) : [0.5, 0.5, 0.5]);

/** Puts the crosshair at a share of a plane's frame; outside it, it stays where it was. Returns whether it is inside. */
export function moveCross(view, plane, u, v) {
  const inside = u >= 0 && u < 1 && v >= 0 && v < 1;
  if (inside) view.crosshair.at = fromPlane(plane, { u, v }, view.crosshair.at ?? startOf(view));
  crossMoved(view);
  return inside;
}

/** Takes one of the header's window presets; false where there is none at this place of the list. */
export function preset(view, index) {
  const [name, centre, width] = view.content.header.presets[index] ?? [];
  if (!name) return false;
  setWindow(view, centre, width);
  say(view, `Window ${name}`);
  return true;
}
