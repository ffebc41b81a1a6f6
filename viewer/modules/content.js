// What a panel shows at the moment.

import { truthNow } from "./counterfactual.js";
import { answerArrived, changeOf, evidenceOf, truthOf } from "./cuts.js";
import { elsewhere } from "./slices.js";

/** What a panel shows right now: the blink and the plain scan replace its content. */
export function contentOf(view, panel) {
  if (panel.kind === "free") return view.compare.plain && panel.base ? "scan" : "free";
  if (panel.kind === "prior") return "prior";
  if (view.compare.plain || panel.kind === "scan") return "scan";
  if (blankWords(view, panel)) return "blank";
  return panel.kind === "without" && view.compare.blink && view.compare.blinkPhase ? "scan" : panel.kind;
}

const OF_THE_TRUTH = ["truth", "true-difference"];

/** What stands on a panel that has no result to show; "" where there is one. */
export function blankWords(view, panel) {
  const { header, byName } = view.content;
  if (header.blank) return header.blank.words;
  if (elsewhere(view)) return view.cine.playing ? "not asked while slices play" : "the model is asked about this slice";
  if (byName.get(view.selection.finding)?.unsure) return "no result";
  if (view.content.scan && !answerArrived(view, panel)) return "on its way";
  return OF_THE_TRUTH.includes(panel.kind) && truthNow(view) === null ? "working" : "";
}

/** The map over a panel with its colour limit: evidence for the chosen finding, or the panel's own. */
export function mapOf(view, panel) {
  if (panel.kind === "free")
    return { map: panel.map, limit: panel.spec.limit, unit: panel.spec.unit, sequential: panel.spec.sequential };
  if (["difference", "true-difference"].includes(panel.kind))
    return {
      map: panel.kind === "difference" ? changeOf(view, panel.plane) : truthOf(view, panel.plane),
      limit: view.content.header.difference_limit,
      unit: "of the grey range",
      sequential: false,
      percent: 100 / view.content.header.grey_range,
    };
  const finding = view.content.byName.get(view.selection.finding);
  const { limit, unit, sequential } = finding;
  return { map: evidenceOf(view, finding, panel.plane), limit, unit, sequential };
}
