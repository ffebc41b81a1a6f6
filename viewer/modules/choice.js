// Brings list, sentence and slider in line with what is chosen.

import { sentenceTogether, takenAway } from "./counterfactual.js";
import { drawCurve } from "./curve.js";
import { setText } from "./dom.js";

/** Brings list, sentence and slider in line with what is chosen. */
export function showChoice(view) {
  if (view.selection.finding === null) {
    setText(view.dom.sentence, view.content.header.blank?.sentence ?? "");
    return;
  }
  const several = takenAway(view).length > 1;
  for (const [name, { card, option, also, range, value, row }] of view.dom.cards) {
    const chosen = name === view.selection.finding;
    const taken = view.selection.also.has(name) && !chosen;
    card.classList.toggle("selected", chosen);
    card.classList.toggle("taken", taken);
    option.setAttribute("aria-selected", String(chosen));
    also.hidden = chosen || view.content.byName.get(name).unsure;
    also.setAttribute("aria-pressed", String(taken));
    setText(also, taken ? "taken away too" : "also take away");
    row.hidden = !taken;
    if (range.value !== String(view.selection.amounts.get(name))) range.value = view.selection.amounts.get(name);
    range.style.setProperty("--share", `${(100 * view.selection.amounts.get(name)) / range.max}%`);
    setText(value, `a ${view.selection.amounts.get(name).toFixed(2)}`);
    if (chosen) view.dom.listbox.setAttribute("aria-activedescendant", option.id);
  }
  view.dom.root.classList.toggle("still", !view.content.change);
  view.dom.root.classList.toggle("quiet", view.content.byName.get(view.selection.finding).unsure);
  setText(
    view.dom.sentence,
    several ? sentenceTogether(view) : view.content.byName.get(view.selection.finding).sentence,
  );
  view.dom.root.dataset.finding = view.selection.finding;
  view.dom.root.classList.toggle("several", several);
  drawCurve(view);
}
