// The menu of window presets.

import { buildMenu } from "./menu.js";
import { digitsFor } from "./numbers.js";
import { setWindow } from "./viewport.js";

export function buildPresets(view, button) {
  const items = () =>
    view.content.header.presets.map(([name, centre, width], index) => {
      const digits = digitsFor(width);
      const detail = `W ${width.toFixed(digits)}  L ${centre.toFixed(digits)}`;
      return { words: name, detail, hint: String(index + 1), run: () => setWindow(view, centre, width) };
    });
  buildMenu(view, button, "presets", "Window presets", items);
}
