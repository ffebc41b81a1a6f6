// The menu of window presets.

import { make } from "./dom.js";
import { digitsFor } from "./numbers.js";
import { setWindow } from "./viewport.js";

export function buildPresets(view, button) {
  const menu = make("div", "menu", { role: "menu", "aria-label": "Window presets", hidden: "" });
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  const open = (on) => {
    menu.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
    if (!on) return;
    const box = button.getBoundingClientRect();
    const around = view.dom.root.getBoundingClientRect();
    menu.style.left = `${box.left - around.left}px`;
    menu.style.top = `${box.bottom - around.top + 4}px`;
    menu.firstChild.focus();
  };
  view.content.header.presets.forEach(([name, centre, width], index) => {
    const digits = digitsFor(width);
    const item = make(
      "button",
      "",
      { type: "button", role: "menuitem" },
      make("span", "", {}, name),
      make("span", "number", {}, `W ${width.toFixed(digits)}  L ${centre.toFixed(digits)}`),
      make("kbd", "", {}, String(index + 1)),
    );
    item.onclick = () => {
      setWindow(view, centre, width);
      open(false);
      view.dom.stage.focus({ preventScroll: true });
    };
    menu.append(item);
  });
  menu.onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const items = [...menu.children];
    if (by) items[(items.indexOf(event.target) + by + items.length) % items.length].focus();
    else if (event.key === "Escape") {
      open(false);
      button.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  menu.onfocusout = (event) => menu.contains(event.relatedTarget) || open(false);
  button.onclick = () => open(menu.hidden);
  view.dom.root.querySelector(":scope > .menu")?.remove();
  view.dom.root.append(menu);
}
