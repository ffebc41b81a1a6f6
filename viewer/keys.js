// Keys, and the list of them.

const KEY_ROWS = (v) => [
  ...(v.header.slices
    ? [["arrows up, down", "the slice before, the next (on the list: the finding)"], ["Page up, down", "ten slices"], ["wheel", "slices; with the control key, zoom at the pointer"]]
    : [["arrows up, down", "the finding before, the next"], ["wheel", "zoom at the pointer"]]),
  ["arrows left, right", "take away less, more (with the control key, a tenth)"],
  ["Home, End", "on the slider: nothing taken away, as much as can be"],
  ["N, P", "the next scan of the list, the one before"],
  ["drag", "move the picture"],
  ["right drag", "window (across) and level (up and down)"],
  ["Esc", "close, or show all panels again"],
  ["?", "this list"],
];

/** The view that keys go to: the one with the focus, or, when nothing has it, the one last pointed at. */
function ownsKeys(v, event) {
  const path = event.composedPath();
  if (path.includes(v.root)) return true;
  const target = path[0];
  const beside = isListed(target) ? !OF_LISTS.has(event.key) : target === document.body || target === document.documentElement || isScroller(target);
  if (!beside) return false;
  return (listening.last ?? v) === v;
}

/** Streamlit's own page wrapper takes the focus on a click beside everything. */
const isScroller = (element) => element.tagName === "SECTION" || element.tagName === "MAIN" || (element.tagName === "DIV" && !element.isContentEditable && !element.hasAttribute("role"));
/** A list of scans keeps the focus after a click; it needs these keys itself, and all others are the viewer's. */
const OF_LISTS = new Set(["ArrowUp", "ArrowDown", "Home", "End", "Enter", "Tab", "Delete", "F2", "n", "p", "N", "P"]);
const isListed = (element) => !element.isContentEditable && element.tagName !== "INPUT" && element.matches?.("[role=listbox], [role=listbox] *") === true;
const listening = { last: null };

function listenToKeys(v) {
  const down = (event) => {
    if (v.closed || !v.root.isConnected || !ownsKeys(v, event)) return;
    if (pressed(v, event)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  };
  const up = (event) => {
    if (event.key !== " " || !v.holding) return;
    v.holding = false;
    setPlain(v, false);
    event.preventDefault();
  };
  const leave = () => {
    v.holding = false;
    setPlain(v, false);
  };
  const point = () => (listening.last = v);
  window.addEventListener("keydown", down, true);
  window.addEventListener("keyup", up, true);
  window.addEventListener("blur", leave);
  v.root.addEventListener("pointerover", point);
  v.deaf = () => {
    window.removeEventListener("keydown", down, true);
    window.removeEventListener("keyup", up, true);
    window.removeEventListener("blur", leave);
    if (listening.last === v) listening.last = null;
  };
}

/** Acts on a key; true when it was one of ours. */
function pressed(v, event) {
  const target = event.composedPath()[0], key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const typing = target.tagName === "INPUT" && target.type !== "range";
  if (typing || target.tagName === "TEXTAREA" || target.tagName === "SELECT") return false;
  if (!v.help.hidden) {
    if (key === "Escape" || key === "?") closeHelp(v);
    else if (key === "Tab") return true; // the dialog has one button, which keeps the focus
    else return key !== " " && key !== "Enter";
    return true;
  }
  if ((event.ctrlKey || event.metaKey) && key === "z") return v.change && (undo(v), true);
  if (event.metaKey || event.altKey || (event.ctrlKey && !key.startsWith("Arrow"))) return false;
  if (key.startsWith("Arrow")) return arrow(v, event, target);
  if (key === " " && target.matches("button:focus-visible, [role=menuitem]")) return false;
  if (key === " ") {
    if (!v.holding) setPlain(v, true);
    return (v.holding = true);
  }
  if (key === "?") return openHelp(v), true;
  if (key === "Escape") return v.maximised !== null && (maximise(v, null), true);
  if (key === "f") return fitView(v), true;
  if (key === "[" || key === "]") return fade(v, key === "]" ? 0.05 : -0.05), true;
  if (/^[1-9]$/.test(key)) return preset(v, Number(key) - 1);
  if ((key === "PageUp" || key === "PageDown") && v.header.slices) return turnSlices(v, key === "PageUp" ? -10 : 10), true;
  if ((key === "Home" || key === "End") && target === v.thumb) return stepAmount(v, key === "Home" ? -2 : 2), true;
  const tool = [...TOOLS, ...QUIET_TOOLS].find((tool) => tool.key === key && has(v, tool.needs));
  if (!tool) return false;
  useTool(v, tool);
  return true;
}

function arrow(v, event, target) {
  const across = { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0, down = { ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0;
  if (target.closest(".tools, .menu") || target.tagName === "INPUT") return false;
  if (target.classList.contains("divider") && across) return setSwipe(v, v.swipeAt + across * 0.02), true;
  if (event.shiftKey) {
    const step = 4 / v.view.s, [height, width] = v.header.frame, cross = v.cross ?? { u: 0.5, v: 0.5 };
    return moveCross(v, cross.u + (across * step) / width, cross.v + (down * step) / height), true;
  }
  if (v.header.slices && down && target !== v.thumb && target !== v.listbox) return turnSlices(v, down), true;
  if (!v.findings.length) return false;
  if (target === v.thumb && down) return stepAmount(v, -down * 0.05), true;
  if (down) return selectNext(v, down), true;
  return v.change && stepAmount(v, across * (event.ctrlKey ? 0.1 : 0.01)), true;
}

function preset(v, index) {
  const [name, centre, width] = v.header.presets[index] ?? [];
  if (!name) return false;
  setWindow(v, centre, width);
  say(v, `Window ${name}`);
  return true;
}

function fade(v, by) {
  v.opacity = Math.round(Math.min(1, Math.max(0, v.opacity + by)) * 100) / 100;
  v.overlayOn = true;
  touch(v);
  showTools(v);
}

function openHelp(v) {
  const row = (key, text) => make("div", "", {}, make("dt", "", {}, key), make("dd", "", {}, text));
  const of = (tool) => row(tool.keyLabel ?? tool.key.toUpperCase(), `${tool.label}: ${tool.help}`);
  const close = make("button", "", { type: "button" }, "Close");
  close.onclick = () => closeHelp(v);
  v.help.replaceChildren(
    make("div", "sheet", {}, make("div", "line", {}, make("strong", "", {}, "Keys and gestures"), close),
      make("dl", "", {}, ...[...TOOLS, ...QUIET_TOOLS].filter((tool) => has(v, tool.needs)).map(of), ...KEY_ROWS(v).map(([key, text]) => row(key, text)))));
  v.help.onclick = (event) => event.target === v.help && closeHelp(v);
  v.help.hidden = false;
  close.focus();
}

function closeHelp(v) {
  v.help.hidden = true;
  v.stage.focus({ preventScroll: true });
}

/** Says something to a screen reader. */
function say(v, words) {
  setText(v.said, words);
}
