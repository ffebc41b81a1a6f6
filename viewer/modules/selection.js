// Acts on the selection: which finding is shown, which are taken away, and how much of each.

import { showChoice } from "./choice.js";
import { stopCine } from "./cine.js";
import { amountsNow } from "./counterfactual.js";
import { say } from "./dom.js";
import { changeMoved, touch } from "./frames.js";
import { showSlices } from "./slices.js";
import { takeTruth } from "./truth.js";
import { largest } from "./path.js";

export function selectFinding(view, name) {
  if (name === view.selection.finding || !view.content.byName.has(name)) return;
  if (!view.content.scan) stopCine(view);
  view.selection.finding = view.selection.wanted = name;
  view.dom.cards.get(name).card.scrollIntoView({ block: "nearest" });
  showChoice(view);
  changeMoved(view);
  touch(view);
  showSlices(view);
  sendSoon(view);
}

export function selectNext(view, by) {
  const at = view.content.findings.findIndex((finding) => finding.name === view.selection.finding);
  const next = view.content.findings[Math.min(view.content.findings.length - 1, Math.max(0, at + by))];
  if (next) selectFinding(view, next.name);
}

export function toggleAlso(view, name) {
  remember(view);
  if (!view.selection.also.delete(name)) view.selection.also.add(name);
  showChoice(view);
  changeMoved(view);
  touch(view, "truth", "true-difference");
  sendSoon(view);
}

/** Sets how much of a finding is taken away; pictures follow at once, Python hears of it when the hand rests. */
export function setAmount(view, name, amount) {
  const rounded = Math.round(Math.min(largest(view.content.byName.get(name)), Math.max(0, amount)) * 100) / 100;
  if (rounded === view.selection.amounts.get(name)) return;
  view.selection.amounts.set(name, rounded);
  showChoice(view);
  changeMoved(view);
}

/** Keeps what stands, for undo, before the hand changes it; one burst of the same gesture is kept once. */
export function remember(view, burst = null) {
  stopCine(view);
  const now = performance.now();
  if (burst && view.selection.burst?.name === burst && now - view.selection.burst.at < 800)
    return void (view.selection.burst.at = now);
  view.selection.burst = burst && { name: burst, at: now };
  view.selection.past.push({
    finding: view.selection.finding,
    amounts: new Map(view.selection.amounts),
    also: new Set(view.selection.also),
  });
  if (view.selection.past.length > 50) view.selection.past.shift();
}

export function undo(view) {
  if (!view.content.change) return;
  stopCine(view);
  const last = view.selection.past.pop();
  if (!last) return say(view, "Nothing to undo");
  Object.assign(view.selection, last, { burst: null });
  showChoice(view);
  changeMoved(view);
  touch(view);
  sendSoon(view);
  say(view, "Undone");
}

export function sendSoon(view) {
  view.python.handled = true;
  clearTimeout(view.timers.sending);
  view.timers.sending = setTimeout(
    () =>
      !view.life.closed &&
      view.selection.finding !== null &&
      view.python.send({
        picture: view.content.header.picture,
        finding: view.selection.finding,
        amounts: amountsNow(view),
      }),
    180,
  );
}

/** Takes over what Python says: the choice that it remembers (once, for a fresh view) and joint probabilities. */
export function hearNews(view, news) {
  if ((news.picture ?? "") !== (view.content.header.picture ?? "")) return;
  view.python.news = news;
  if (!view.python.handled && view.content.byName.has(news.finding)) {
    view.selection.finding = news.finding;
    for (const [name, amount] of Object.entries(news.amounts)) {
      if (!view.content.byName.has(name)) continue;
      view.selection.amounts.set(name, amount);
      if (name !== view.selection.finding) view.selection.also.add(name);
    }
    changeMoved(view);
  }
  if (view.selection.finding === null) return;
  showChoice(view);
  touch(view, "without");
  takeTruth(view, news);
}
