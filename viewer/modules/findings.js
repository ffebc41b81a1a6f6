// The list of findings.

import { make } from "./dom.js";
import { lower } from "./numbers.js";
import { largest } from "./path.js";
import { remember, selectFinding, sendSoon, setAmount, toggleAlso } from "./selection.js";

export function buildFindings(view) {
  view.content.byName = new Map(view.content.findings.map((finding) => [finding.name, finding]));
  view.dom.list.replaceChildren();
  view.dom.list.classList.toggle("many", view.content.findings.length > 6);
  view.dom.cards = new Map();
  view.content.findings.forEach((finding, index) => {
    const { name, probability, threshold, verdict } = finding;
    const positive = probability > threshold && !finding.unsure;
    const fill = make("div", "fill");
    const tick = make("div", "tick");
    fill.style.width = `${100 * probability}%`;
    tick.style.left = `${100 * threshold}%`;
    const mark = make("div", "mark", { hidden: "" });
    const number = make("span", "number");
    const option = make(
      "div",
      "option",
      { role: "option", id: `finding-${index}`, "aria-label": `${name}, ${verdict}` },
      make("div", "line", {}, make("span", "", {}, name), number),
      finding.unsure ? make("div", "spacer") : make("div", "meter", {}, fill, tick, mark),
      make("div", "verdict", {}, verdict),
    );
    const also = make(
      "button",
      "also",
      { type: "button", "aria-pressed": "false", title: `Also take away ${lower(name)}` },
      "also take away",
    );
    also.setAttribute("aria-label", `Also take away ${lower(name)}`);
    const range = make("input", "", {
      type: "range",
      min: "0",
      max: String(largest(finding)),
      step: "0.01",
      "aria-label": `How much of ${lower(name)} to take away`,
    });
    const value = make("output", "number");
    const row = make("div", "row", { hidden: "" }, range, value);
    const card = make(
      "div",
      `card${positive ? " positive" : ""}${finding.unsure ? " unsure" : ""}`,
      { "data-name": name },
      option,
      also,
      row,
    );
    option.onclick = () => selectFinding(view, name);
    also.onclick = () => toggleAlso(view, name);
    range.onpointerdown = range.onkeydown = () => remember(view, `range ${name}`);
    range.oninput = () => setAmount(view, name, Number(range.value));
    range.onchange = () => sendSoon(view);
    view.dom.list.append(card);
    view.dom.cards.set(name, { card, option, also, range, value, row, number, mark });
  });
  view.dom.list.append(
    ...(view.content.header.blank?.names ?? []).map((name) =>
      make(
        "div",
        "card blank",
        { "data-name": name },
        make(
          "div",
          "option",
          {},
          make("div", "line", {}, make("span", "", {}, name)),
          make("div", "meter"),
          make("div", "verdict", {}, view.content.header.blank.words),
        ),
      ),
    ),
  );
  view.dom.listbox.setAttribute("aria-owns", view.content.findings.map((_, index) => `finding-${index}`).join(" "));
}
