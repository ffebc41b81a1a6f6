// Brings list, sentence and slider in line with what is chosen.

import { jointNow, risen, sentenceTogether, takenBriefly, together } from "./counterfactual.js";
import { drawCurve } from "./curve.js";
import { setText } from "./dom.js";

/** Brings list, sentence and slider in line with what is chosen. */
export function showChoice(view) {
  if (view.selection.finding === null) {
    setText(view.dom.sentence, view.content.header.blank?.sentence ?? "");
    return;
  }
  const several = together(view);
  const joint = several ? jointNow(view) : null;
  for (const [name, { card, option, also, range, value, row, number, mark }] of view.dom.cards) {
    const chosen = name === view.selection.finding;
    const taken = view.selection.also.has(name) && !chosen;
    card.classList.toggle("selected", chosen);
    card.classList.toggle("taken", taken);
    option.setAttribute("aria-selected", String(chosen));
    also.hidden = chosen || view.content.byName.get(name).unsure;
    also.setAttribute("aria-pressed", String(taken));
    setText(also, taken ? "taken away too" : "also take away");
    row.hidden = !taken;
    showJoint(view, name, { option, number, mark }, several, joint);
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

/** The probability of one finding on its card: of the scan, and of the scan without all that is taken away together. */
function showJoint(view, name, { option, number, mark }, several, joint) {
  const { probability, verdict, unsure } = view.content.byName.get(name);
  if (unsure) return;
  const now = probability.toFixed(2);
  const then = joint?.[name]?.toFixed(2);
  setText(number, several ? `${now} \u2192 ${then ?? "\u2026"}` : now);
  mark.hidden = then === undefined;
  mark.style.left = `${100 * (joint?.[name] ?? 0)}%`;
  const above = risen(view).some((finding) => finding.name === name);
  const rises = above ? ", now above its operating point" : "";
  const later = then === undefined ? "" : `, ${then} without ${takenBriefly(view)}${rises}`;
  option.setAttribute("aria-label", `${name}, probability ${now}${later}, ${verdict}`);
}
