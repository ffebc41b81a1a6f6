// Hanging protocols: which panels stand how, and under which window. Python sends those that fit the scan, the one that it
// opens by first (viewer/hanging.py); what a reader chooses is remembered for the session, by kind of scan.

import { stopCine } from "./cine.js";
import { say } from "./dom.js";
import { setLevels } from "./levels.js";
import { buildMenu } from "./menu.js";
import { buildPanels, layoutPanels, offeredKinds } from "./panels.js";
import { goToPlace, placeOf, showSlices } from "./slices.js";
import { fitView } from "./viewport.js";

const chosen = new Map(); // kind of scan to {name, three}

/** The layouts that a reader may choose: those whose first panel there is something for. */
export function offeredLayouts(view) {
  const kinds = offeredKinds(view);
  return (view.content.header.layouts ?? []).filter(({ panels: [first = "scan"] }) => kinds.includes(first));
}

/** A new picture is laid out as the reader last chose for such scans, else by the first protocol that fits. */
export function openLayout(view) {
  const offered = offeredLayouts(view);
  const kept = chosen.get(view.content.header.layouts_for);
  const layout = offered.find(({ name }) => name === kept?.name) ?? offered[0] ?? null;
  take(view, layout);
  if (layout && kept?.name === layout.name) view.layout.three = kept.three && Boolean(view.content.scan);
}

function take(view, layout) {
  view.layout.now = layout;
  if (layout) view.layout.three = layout.planes && Boolean(view.content.scan);
  lookOf(view);
}

/** Window, slab and overlay as the present layout has them; the rest of the look is as it was. */
export function lookOf(view) {
  const { now } = view.layout;
  if (!now) return;
  const [start] = view.content.header.windows;
  setLevels(view.levels, start, ...(now.window ?? start));
  view.slab.mode = now.slab?.[0] ?? "";
  if (now.slab) view.slab.mm = now.slab[1];
  view.overlay.on = now.overlay;
}

/** The reader's planes, one or three, are remembered as his layouts are. */
export function keepLayout({ content, layout }) {
  if (layout.now) chosen.set(content.header.layouts_for, { name: layout.now.name, three: layout.three });
}

/** Lays the panels out by another protocol; null is the one that the scan opened by, as if nothing had been chosen. */
export function chooseLayout(view, layout) {
  stopCine(view);
  take(view, layout ?? offeredLayouts(view)[0]);
  if (layout) keepLayout(view);
  else chosen.delete(view.content.header.layouts_for);
  view.dom.root.classList.toggle("three", view.layout.three);
  if (view.layout.three) {
    view.crosshair.at ??= placeOf(view);
    goToPlace(view, view.crosshair.at);
  }
  buildPanels(view);
  layoutPanels(view);
  fitView(view);
  showSlices(view);
  say(view, `Layout ${view.layout.now.name}`);
}

/** The menu; `after(view)` is called once another layout stands. */
export function buildLayouts(view, button, after) {
  const items = () => {
    const offered = offeredLayouts(view);
    const { now } = view.layout;
    return offered.map((layout, i) => ({
      words: layout.name,
      detail: i ? "" : "as opened",
      checked: layout.name === now?.name,
      run: () => {
        chooseLayout(view, i ? layout : null);
        after(view);
      },
    }));
  };
  buildMenu(view, button, "layouts", "Layout", items);
}
