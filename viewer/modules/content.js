// What a panel shows at the moment.

/** What a panel shows right now: the blink and the plain scan replace its content. */
export function contentOf(view, panel) {
  if (panel.kind === "free") return view.compare.plain && panel.base ? "scan" : "free";
  if (view.compare.plain || panel.kind === "scan") return "scan";
  if (blankWords(view)) return "blank";
  return panel.kind === "without" && view.compare.blink && view.compare.blinkPhase ? "scan" : panel.kind;
}

/** What stands on the panels where there is no result to show; "" where there is one. */
export const blankWords = (view) =>
  view.content.header.blank?.words ?? (view.content.byName?.get(view.selection.finding)?.unsure ? "no result" : "");

/** The map over a panel with its colour limit: evidence for the chosen finding, or the panel's own. */
export function mapOf(view, panel) {
  if (panel.kind === "free")
    return { map: panel.map, limit: panel.spec.limit, unit: panel.spec.unit, sequential: panel.spec.sequential };
  if (["difference", "true-difference"].includes(panel.kind))
    return {
      map: panel.kind === "difference" ? view.content.change : view.content.byName.get(view.selection.finding).truth,
      limit: view.content.header.difference_limit,
      unit: "of the grey range",
      sequential: false,
      percent: 100 / view.content.header.grey_range,
    };
  const finding = view.content.byName.get(view.selection.finding);
  return { map: finding.evidence, limit: finding.limit, unit: finding.unit, sequential: finding.sequential };
}
