// What stands to be taken away, alone or together, and the model's answer to it.

import { listed, lower } from "./numbers.js";
import { along } from "./path.js";

const LONGEST_NAMES = 26; // letters beside a probability above a panel

export const takenAway = (view) =>
  !view.content.change || view.selection.finding === null || view.content.byName.get(view.selection.finding).unsure
    ? []
    : [
        view.selection.finding,
        ...view.content.findings
          .map((f) => f.name)
          .filter(
            (n) => n !== view.selection.finding && view.selection.also.has(n) && !view.content.byName.get(n).unsure,
          ),
      ];

/** Whether several findings are taken away together. */
export const together = (view) => takenAway(view).length > 1;

export const amountsNow = (view) =>
  Object.fromEntries(takenAway(view).map((name) => [name, view.selection.amounts.get(name)]));

/** The model's probabilities with everything taken away together, when Python has answered for these very amounts. */
export function jointNow(view) {
  const news = view.python.news;
  const now = amountsNow(view);
  const names = Object.keys(now);
  if (!news?.joint || names.length !== Object.keys(news.amounts).length) return null;
  return names.every((name) => Math.abs((news.amounts[name] ?? -1) - now[name]) < 1e-6) ? news.joint : null;
}

const ownProbability = (view, name) =>
  along(
    view.content.byName.get(name).steps,
    view.content.byName.get(name).probabilities,
    view.selection.amounts.get(name),
  );

/**
 * The probability of the chosen finding with all that is taken away; null while the model is asked about several
 * together.
 */
export function probabilityWithout(view) {
  return together(view)
    ? (jointNow(view)?.[view.selection.finding] ?? null)
    : ownProbability(view, view.selection.finding);
}

export function probabilityNow(view) {
  const p = probabilityWithout(view);
  return p === null ? "asking the model" : `p ${p.toFixed(2)}${together(view) ? " together" : ""}`;
}

/** What the model says of the chosen finding with several taken away together; its own sentence is about it alone. */
export function sentenceTogether(view) {
  const { name, probability, threshold } = view.content.byName.get(view.selection.finding);
  const p = probabilityWithout(view);
  const all = `With ${takenWords(view)} taken away together`;
  if (p === null) return `${all}: the model is asked.`;
  const call =
    probability > threshold
      ? p > threshold
        ? "it would still say yes"
        : "it would say no"
      : p > threshold
        ? "it would now say yes"
        : "it says no, as before";
  return `${all}, the model's probability of ${lower(name)} goes from ${probability.toFixed(2)} to ${p.toFixed(2)}; its operating point is ${threshold.toFixed(2)}: ${call}.${risenWords(view)}`;
}

/** The findings beside the selected one that rise above their operating points with all that is taken away. */
export function risen(view) {
  const joint = jointNow(view);
  if (!joint || !together(view)) return [];
  return view.content.findings.filter(
    ({ name, probability, threshold, unsure }) =>
      !unsure && name !== view.selection.finding && probability <= threshold && joint[name] > threshold,
  );
}

/** A sentence about them, " " before it; "" where there is none. */
function risenWords(view) {
  const those = risen(view);
  if (!those.length) return "";
  const joint = jointNow(view);
  const each = those.map(
    ({ name, probability }) => `${lower(name)} (from ${probability.toFixed(2)} to ${joint[name].toFixed(2)})`,
  );
  const [verb, points] = those.length > 1 ? ["rise", "their operating points"] : ["rises", "its operating point"];
  const words = `${listed(each)} ${verb} above ${points}.`;
  return ` ${words[0].toUpperCase()}${words.slice(1)}`;
}

/** "effusion", or "effusion, edema (0.80) and mass", the selected finding first; an amount stands where it is not 1. */
function takenWords(view) {
  const names = takenAway(view);
  if (names.length === 1) return lower(names[0]);
  const amount = (name) => view.selection.amounts.get(name).toFixed(2);
  return listed(names.map((name) => (amount(name) === "1.00" ? lower(name) : `${lower(name)} (${amount(name)})`)));
}

/** The same in what fits above a panel: the names of one or two, the number of more. */
export function takenBriefly(view) {
  const names = listed(takenAway(view).map(lower));
  const count = takenAway(view).length;
  return count === 1 || (count === 2 && names.length <= LONGEST_NAMES) ? names : `${count} findings`;
}

/**
 * What the model calls the counterfactual of the selected finding; of several taken away together nobody has a name.
 */
export const ownTitle = (view) =>
  together(view) ? "" : view.content.byName.get(view.selection.finding).counterfactual;

/** "Without effusion", or the counterfactual's own title, "With benign instead of malignant". */
export const titled = (view) => ownTitle(view) || `Without ${takenBriefly(view)}`;

/** The same for a screen reader, with everything that is taken away. */
export const titledInFull = (view) => ownTitle(view) || `Without ${takenWords(view)}`;

/**
 * What the true counterfactual adds to the scan with all that is taken away; null while Python is asked about several
 * together.
 */
export function truthNow(view) {
  if (!together(view)) return view.content.byName.get(view.selection.finding).truth;
  const { jointTruth } = view.content;
  return jointTruth && sameNames(jointTruth.names, takenAway(view)) ? jointTruth.source : null;
}

const sameNames = (a, b) => a.length === b.length && a.every((name) => b.includes(name));
