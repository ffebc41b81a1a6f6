// A menu that opens below a button of the toolbar.

import { make } from "./dom.js";

/**
 * Gives a button a menu.
 *
 * items()  is asked each time it opens: {words, detail, hint, checked, run} of each; `checked` only where one of several is
 */
export function buildMenu(view, button, id, label, items) {
  const menu = make("div", "menu", { role: "menu", "aria-label": label, "data-of": id, hidden: "" });
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  const open = (on) => {
    menu.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
    if (!on) return;
    menu.replaceChildren(...items().map((item) => itemOf(view, item, () => open(false))));
    const box = button.getBoundingClientRect();
    const around = view.dom.root.getBoundingClientRect();
    menu.style.left = `${Math.min(box.left, around.right - menu.offsetWidth) - around.left}px`;
    menu.style.top = `${box.bottom - around.top + 4}px`;
    (menu.querySelector("[aria-checked=true]") ?? menu.firstChild).focus();
  };
  menu.onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const all = [...menu.children];
    if (by) all[(all.indexOf(event.target) + by + all.length) % all.length].focus();
    else if (event.key === "Escape") {
      open(false);
      button.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  menu.onfocusout = (event) => menu.contains(event.relatedTarget) || open(false);
  button.onclick = () => open(menu.hidden);
  view.dom.root.querySelector(`:scope > .menu[data-of=${id}]`)?.remove();
  view.dom.root.append(menu);
}

function itemOf(view, { words, detail = "", hint = "", checked, run }, close) {
  const role =
    checked === undefined ? { role: "menuitem" } : { role: "menuitemradio", "aria-checked": String(checked) };
  const item = make(
    "button",
    "",
    { type: "button", ...role },
    make("span", "", {}, words),
    ...(detail ? [make("span", "number", {}, detail)] : []),
    ...(hint ? [make("kbd", "", {}, hint)] : []),
  );
  item.onclick = () => {
    run();
    close();
    view.dom.stage.focus({ preventScroll: true });
  };
  return item;
}
