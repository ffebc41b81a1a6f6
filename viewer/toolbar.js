// The toolbar: one table of tools, from which buttons, keys and the list of keys are made.

/** Every tool: its key as pressed and as written, its name, what it does, and, for switches, whether it is on. */
const TOOLS = [
  { id: "window", key: "w", label: "Window", needs: "base", help: "drag sets window and level (the right button always does)", on: (v) => v.windowMode, run: (v) => { v.windowMode = !v.windowMode; } },
  { id: "presets", label: "Presets", needs: "base", help: "window presets", keyLabel: "1 to 9", menu: true },
  { id: "invert", key: "i", label: "Invert", needs: "base", help: "invert the greys", on: (v) => v.invert, run: (v) => { v.invert = !v.invert; touch(v); } },
  { id: "overlay", key: "o", label: "Overlay", help: "overlay on or off; [ and ] change its opacity", needs: "overlay", on: (v) => v.overlayOn, run: (v) => { v.overlayOn = !v.overlayOn; touch(v); },
    range: { name: "Overlay opacity", get: (v) => v.opacity, set: (v, x) => { v.opacity = x; v.overlayOn = true; touch(v); } } },
  { id: "threshold", key: "t", label: "Threshold", help: "hide evidence below the threshold", needs: "map", on: (v) => v.thresholdOn, run: (v) => { v.thresholdOn = !v.thresholdOn; touch(v); },
    range: { name: "Threshold, as a share of the scale", shown: (v) => v.thresholdOn || v.contour, get: (v) => v.threshold, set: (v, x) => { v.threshold = Math.max(0.02, x); touch(v); } } },
  { id: "contour", key: "c", label: "Contour", help: "outline the evidence at the threshold; dotted where it speaks against", needs: "map", on: (v) => v.contour, run: (v) => { v.contour = !v.contour; touch(v); } },
  { id: "blink", key: "b", label: "Blink", help: "scan against counterfactual", needs: "change", on: (v) => v.blink, run: toggleBlink },
  { id: "swipe", key: "s", label: "Swipe", help: "a line to drag between scan and panel", needs: "findings", on: (v) => v.swipe, run: (v) => { v.swipe = !v.swipe; touch(v); } },
  { id: "plain", key: " ", keyLabel: "hold space", label: "Plain scan", needs: "base", help: "the scan alone in every panel, while held", on: (v) => v.plain, run: (v) => setPlain(v, !v.plain) },
  { id: "fit", key: "0", label: "Fit", help: "the whole picture (also F)", run: (v) => fitView(v) },
];

/** Tools that live on keys and in the list of keys only. */
const QUIET_TOOLS = [
  { id: "actual", key: "a", label: "1:1", help: "one screen pixel for each pixel, at the crosshair", run: actualSize },
  { id: "crosshair", key: "x", label: "Crosshair", help: "crosshair on or off; shift and arrows move it", on: (v) => v.crossOn, run: (v) => { v.crossOn = !v.crossOn; crossMoved(v); } },
  { id: "maximise", key: "m", label: "One panel", help: "the panel under the pointer alone, and back (also a double click)", run: (v) => maximise(v, v.under ?? v.panels[0]) },
  { id: "undo", key: "u", keyLabel: "U or Ctrl Z", label: "Undo", help: "the last change of an amount", needs: "change", run: undo },
  { id: "reset", key: "r", label: "Reset", help: "view, window, overlay and amounts as they began", run: resetAll },
];

function has(v, need) {
  if (v.header.blank && need !== "base") return !need; // their buttons stand there, and wait
  if (need === "findings") return v.findings.length > 0;
  if (need === "change") return Boolean(v.change);
  if (need === "base") return v.panels.some((panel) => panel.base);
  if (need === "overlay") return v.findings.length > 0 || v.panels.some((panel) => panel.map && panel.base);
  if (need === "map") return v.findings.length > 0 || v.panels.some((panel) => panel.map);
  return true;
}

function buildToolbar(v) {
  v.tools.replaceChildren();
  v.buttons = new Map();
  for (const tool of TOOLS) {
    const waits = v.header.blank && !has(v, tool.needs) && (tool.needs !== "change" || v.header.blank.counterfactuals);
    if ((!has(v, tool.needs) && !waits) || (tool.menu && v.header.presets.length < 2)) continue;
    const hint = tool.keyLabel ?? tool.key.toUpperCase(), name = make("span", "", {}, tool.label);
    const button = make("button", "tool", { type: "button", title: `${tool.help} (${hint})`, "data-tool": tool.id, tabindex: v.buttons.size ? "-1" : "0" },
      name, ...(tool.menu ? [] : [make("kbd", "", {}, hint)]));
    button.disabled = Boolean(waits);
    if (tool.menu) buildPresets(v, button);
    else button.onclick = () => useTool(v, tool);
    v.tools.append(button);
    const entry = { button, name };
    if (tool.range) {
      entry.range = make("input", "small", { type: "range", min: "0", max: "1", step: "0.05", "aria-label": tool.range.name });
      entry.range.oninput = () => { tool.range.set(v, Number(entry.range.value)); showTools(v); };
      v.tools.append(entry.range);
    }
    v.buttons.set(tool, entry);
  }
  v.slices = null;
  if (v.header.slices) {
    const range = make("input", "small slices", { type: "range", min: "0", max: String(v.header.slices.count - 1), step: "1", "aria-label": "Slice" });
    range.oninput = () => turnSlices(v, Number(range.value) - (v.slice ?? v.header.slices.index));
    v.slices = { range, words: make("span", "tool slice") };
    v.tools.append(v.slices.words, range);
    showSlice(v);
  }
  const more = make("button", "tool more", { type: "button", title: "all keys (?)", "aria-label": "Keys", "data-tool": "help", tabindex: "-1" }, make("span", "", {}, "Keys"), make("kbd", "", {}, "?"));
  more.onclick = () => openHelp(v);
  v.tools.append(more);
  // A click leaves the keys with the pictures, so that Space shows the plain scan and does not press the button again.
  v.tools.onpointerdown = (event) => {
    if (event.target.tagName === "INPUT") return;
    event.preventDefault();
    v.stage.focus({ preventScroll: true });
  };
  v.tools.onkeydown = (event) => rove(v.tools, event);
  showTools(v);
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

function showSlice(v) {
  const { index, count } = v.header.slices, at = v.slice ?? index;
  setText(v.slices.words, `Slice ${at + 1} of ${count}`);
  v.slices.range.value = at;
  v.slices.range.style.setProperty("--share", `${(100 * at) / Math.max(1, count - 1)}%`);
  v.slices.range.setAttribute("aria-valuetext", `${at + 1} of ${count}`);
}

function useTool(v, tool) {
  tool.run(v);
  showTools(v);
  if (tool.on) say(v, `${tool.label} ${tool.on(v) ? "on" : "off"}`);
}

function showTools(v) {
  for (const [tool, { button, name, range }] of v.buttons) {
    if (tool.on) button.setAttribute("aria-pressed", String(Boolean(tool.on(v))));
    if (tool.id === "overlay") setText(name, `Overlay ${Math.round(100 * v.opacity)} %`);
    if (tool.id === "threshold") setText(name, v.thresholdOn || v.contour ? `Threshold ${Math.round(100 * v.threshold)} %` : "Threshold");
    if (!range) continue;
    range.hidden = !(tool.range.shown?.(v) ?? tool.on(v));
    range.value = tool.range.get(v);
    range.style.setProperty("--share", `${100 * tool.range.get(v)}%`);
  }
  v.stage.classList.toggle("windowing", v.windowMode);
}

function buildPresets(v, button) {
  const menu = make("div", "menu", { role: "menu", "aria-label": "Window presets", hidden: "" });
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  const open = (on) => {
    menu.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
    if (!on) return;
    const box = button.getBoundingClientRect(), around = v.root.getBoundingClientRect();
    menu.style.left = `${box.left - around.left}px`;
    menu.style.top = `${box.bottom - around.top + 4}px`;
    menu.firstChild.focus();
  };
  v.header.presets.forEach(([name, centre, width], index) => {
    const digits = digitsFor(width);
    const item = make("button", "", { type: "button", role: "menuitem" }, make("span", "", {}, name),
      make("span", "number", {}, `W ${width.toFixed(digits)}  L ${centre.toFixed(digits)}`), make("kbd", "", {}, String(index + 1)));
    item.onclick = () => { setWindow(v, centre, width); open(false); v.stage.focus({ preventScroll: true }); };
    menu.append(item);
  });
  menu.onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key], items = [...menu.children];
    if (by) items[(items.indexOf(event.target) + by + items.length) % items.length].focus();
    else if (event.key === "Escape") { open(false); button.focus(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  menu.onfocusout = (event) => menu.contains(event.relatedTarget) || open(false);
  button.onclick = () => open(menu.hidden);
  v.root.querySelector(":scope > .menu")?.remove();
  v.root.append(menu);
}

/** Blinks a little slower than once a second; whoever prefers reduced motion changes over by hand with the same key. */
function toggleBlink(v) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  clearInterval(v.blinking);
  if (still && v.blink && !v.blinkPhase) {
    v.blinkPhase = 1;
    return touch(v, "without");
  }
  v.blink = !v.blink;
  v.blinkPhase = 0;
  if (v.blink && !still) {
    v.blinking = setInterval(() => {
      v.blinkPhase = 1 - v.blinkPhase;
      touch(v, "without");
    }, 650);
  }
  touch(v, "without");
}

function setPlain(v, on) {
  if (v.plain === on) return;
  v.plain = on;
  touch(v);
  showTools(v);
}

function resetAll(v) {
  if (v.change) remember(v);
  Object.assign(v, startingLook());
  clearInterval(v.blinking);
  for (const finding of v.findings) v.amounts.set(finding.name, startAmount(finding));
  v.also.clear();
  v.maximised = null;
  if (v.findings.length) {
    showChoice(v);
    changeMoved(v);
    sendSoon(v);
  }
  layoutPanels(v);
  fitView(v);
  say(v, "Reset");
}
