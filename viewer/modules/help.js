// The list of keys and gestures.

import { make } from "./dom.js";
import { QUIET_TOOLS, TOOLS, has } from "./tools.js";

const KEY_ROWS = (view) => [
  ...(view.content.scan
    ? [
        ["arrows up, down", "the slice before, the next (on the list: the finding)"],
        ["Page up, down", "ten slices"],
        ["Home, End", "the first slice, the last; on the slider: nothing taken away, as much as can be"],
        ["wheel", "slices of the plane under the pointer; with the control key, zoom there"],
        ["scrubber", "drag beside the panels: any slice; the strip shows the strongest evidence on each"],
        [", and .", "a thinner slab, a thicker one"],
        ["< and >", "play slower, faster"],
      ]
    : [
        ["arrows up, down", "the finding before, the next"],
        ["wheel", "zoom at the pointer"],
        ["Home, End", "on the slider: nothing taken away, as much as can be"],
      ]),
  ["arrows left, right", "take away less, more (with the control key, a tenth)"],
  ["N, P", "the next scan of the list, the one before"],
  ["F2", "on the list of scans: gives the scan a label"],
  ["shift arrows", "move the crosshair"],
  ...(view.content.header.presets.length
    ? [["1 to 9", `window: ${view.content.header.presets.map(([name]) => name.toLowerCase()).join(", ")}`]]
    : []),
  ["drag", "move the picture"],
  ["right drag", "window (across) and level (up and down)"],
  ["Esc", "close, or show all panels again"],
  ["?", "this list"],
];

export function openHelp(view) {
  const row = (key, text) => make("div", "", {}, make("dt", "", {}, key), make("dd", "", {}, text));
  const of = (tool) => row(tool.keyLabel ?? tool.key.toUpperCase(), `${tool.label}: ${tool.help}`);
  const close = make("button", "", { type: "button" }, "Close");
  close.onclick = () => closeHelp(view);
  view.dom.help.replaceChildren(
    make(
      "div",
      "sheet",
      {},
      make("div", "line", {}, make("strong", "", {}, "Keys and gestures"), close),
      make(
        "dl",
        "",
        {},
        ...[...TOOLS, ...QUIET_TOOLS].filter((tool) => tool.key && has(view, tool.needs)).map(of),
        ...[...KEY_ROWS(view), ...(view.marks?.rows ?? [])].map(([key, text]) => row(key, text)),
      ),
    ),
  );
  view.dom.help.onclick = (event) => event.target === view.dom.help && closeHelp(view);
  view.dom.help.hidden = false;
  close.focus();
}

export function closeHelp(view) {
  view.dom.help.hidden = true;
  view.dom.stage.focus({ preventScroll: true });
}
