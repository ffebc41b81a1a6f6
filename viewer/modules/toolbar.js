// The toolbar.

import { showTools } from "./compare.js";
import { make } from "./dom.js";
import { openHelp } from "./help.js";
import { buildLayouts } from "./layouts.js";
import { buildPresets } from "./presets.js";
import { showSlices } from "./slices.js";
import { TOOLS, has, useTool } from "./tools.js";

export function buildToolbar(view) {
  view.dom.tools.replaceChildren();
  view.dom.buttons = new Map();
  for (const tool of TOOLS) {
    if (tool.bar && !has(view, tool.bar)) continue;
    const waits =
      view.content.header.blank &&
      !has(view, tool.needs) &&
      tool.needs !== "volume" &&
      tool.needs !== "layouts" && // what is a volume is known from the first moment
      (tool.needs !== "change" || view.content.header.blank.counterfactuals);
    if (!has(view, tool.needs) && !waits) continue;
    if (tool.id === "presets" && view.content.header.presets.length < 2) continue;
    const hint = tool.keyLabel ?? tool.key.toUpperCase();
    const name = make("span", tool.short ? "long" : "", {}, tool.label);
    const button = make(
      "button",
      "tool",
      {
        type: "button",
        title: `${tool.help} (${hint})`,
        "data-tool": tool.id,
        ...(tool.short ? { "aria-label": tool.label } : {}),
        tabindex: view.dom.buttons.size ? "-1" : "0",
      },
      name,
      ...(tool.short ? [make("span", "short", {}, tool.short)] : []),
      ...(tool.id === "presets" ? [] : [make("kbd", "", {}, hint)]),
    );
    button.disabled = Boolean(waits);
    if (tool.id === "presets") buildPresets(view, button);
    else if (tool.id === "layout") buildLayouts(view, button, showTools);
    else button.onclick = () => useTool(view, tool);
    view.dom.tools.append(button);
    const entry = { button, name };
    if (tool.range) {
      entry.range = make("input", "small", {
        type: "range",
        min: String(tool.range.least ?? 0),
        max: String(tool.range.most ?? 1),
        step: String(tool.range.step ?? 0.05),
        "aria-label": tool.range.name,
      });
      entry.range.oninput = () => {
        tool.range.set(view, Number(entry.range.value));
        showTools(view);
      };
      view.dom.tools.append(entry.range);
    }
    view.dom.buttons.set(tool, entry);
  }
  view.dom.slices = null;
  if (view.content.scan) {
    view.dom.slices = make("span", "tool slice");
    view.dom.tools.append(view.dom.slices);
    showSlices(view);
  }
  const more = make(
    "button",
    "tool more",
    { type: "button", title: "all keys (?)", "aria-label": "Keys", "data-tool": "help", tabindex: "-1" },
    make("span", "", {}, "Keys"),
    make("kbd", "", {}, "?"),
  );
  more.onclick = () => openHelp(view);
  view.dom.tools.append(more);
  // A click leaves the keys with the pictures, so that Space shows the plain scan and does not press the button again.
  view.dom.tools.onpointerdown = (event) => {
    if (event.target.tagName === "INPUT") return;
    event.preventDefault();
    view.dom.stage.focus({ preventScroll: true });
  };
  view.dom.tools.onkeydown = (event) => rove(view.dom.tools, event);
  showTools(view);
}

/** Left and right walk along a toolbar, as its role promises. */
function rove(toolbar, event) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by || event.target.tagName !== "BUTTON") return;
  const buttons = [...toolbar.querySelectorAll("button.tool")];
  const next = buttons[(buttons.indexOf(event.target) + by + buttons.length) % buttons.length];
  for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
  next.focus();
  event.preventDefault();
  event.stopPropagation();
}
