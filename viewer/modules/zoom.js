// Zoom and position, the same for all panels: a zoom is {scale, centreX, centreY, aspect, fitted}.
//
// `scale` is CSS pixels for each pixel of the scan, `centreX` and `centreY` are what lies in a panel's middle, in
// pixels of the scan, `aspect` is the height of a pixel over its width, `fitted` says that the whole picture is in
// sight. A size is {cssWidth, cssHeight} of a panel, a frame is [height, width] of the scan.

const LARGEST = 32; // CSS pixels for each pixel of the scan, or four times the fit where that is more

/** The scale at which the whole frame just fits into a panel. */
export const fitScale = ({ aspect }, size, [height, width]) =>
  Math.min(size.cssWidth / width, size.cssHeight / (height * aspect));

/** Shows the whole frame. */
export function fit(zoom, size, frame) {
  const [height, width] = frame;
  Object.assign(zoom, { scale: fitScale(zoom, size, frame), centreX: width / 2, centreY: height / 2, fitted: true });
}

/** Where in the frame, in pixels of the scan, a place in a panel lies. */
export function placeInFrame({ scale, centreX, centreY, aspect }, size, { x, y }) {
  return { x: (x - size.cssWidth / 2) / scale + centreX, y: (y - size.cssHeight / 2) / (scale * aspect) + centreY };
}

/** Where in a panel a place in the frame lies. */
export function placeInPanel({ scale, centreX, centreY, aspect }, size, { x, y }) {
  return { x: (x - centreX) * scale + size.cssWidth / 2, y: (y - centreY) * scale * aspect + size.cssHeight / 2 };
}

/**
 * Zooms by `factor` so that what lies under `place` of a panel stays there; zooming out ends at the whole frame, in
 * the middle.
 */
export function zoomAround(zoom, size, frame, place, factor) {
  const whole = fitScale(zoom, size, frame);
  const wanted = zoom.scale * factor;
  if (factor < 1 && wanted <= whole) {
    if (zoom.scale >= whole) fit(zoom, size, frame); // a picture at 1:1 may be smaller than that, and stays so
    return;
  }
  const before = placeInFrame(zoom, size, place);
  zoom.scale = Math.min(Math.max(LARGEST, 4 * whole), wanted);
  zoom.centreX = before.x - (place.x - size.cssWidth / 2) / zoom.scale;
  zoom.centreY = before.y - (place.y - size.cssHeight / 2) / (zoom.scale * zoom.aspect);
  zoom.fitted = false;
  keepInSight(zoom, frame);
}

/** Moves the picture by CSS pixels. */
export function pan(zoom, frame, dx, dy) {
  zoom.centreX -= dx / zoom.scale;
  zoom.centreY -= dy / (zoom.scale * zoom.aspect);
  zoom.fitted = false;
  keepInSight(zoom, frame);
}

/** The middle of a panel never leaves the picture. */
function keepInSight(zoom, [height, width]) {
  zoom.centreX = Math.min(width, Math.max(0, zoom.centreX));
  zoom.centreY = Math.min(height, Math.max(0, zoom.centreY));
}
