// The list of findings, which are chosen and taken away, and how much of each.

const takenAway = (v) => (!v.change || v.finding === null || v.byName.get(v.finding).unsure ? []
  : [v.finding, ...v.findings.map((f) => f.name).filter((n) => n !== v.finding && v.also.has(n) && !v.byName.get(n).unsure)]);
const amountsNow = (v) => Object.fromEntries(takenAway(v).map((name) => [name, v.amounts.get(name)]));
const largest = (finding) => finding.steps?.at(-1) ?? 1;

/** The model's probabilities with everything taken away together, when Python has answered for these very amounts. */
function jointNow(v) {
  const news = v.news, now = amountsNow(v), names = Object.keys(now);
  if (!news?.joint || names.length !== Object.keys(news.amounts).length) return null;
  return names.every((name) => Math.abs((news.amounts[name] ?? -1) - now[name]) < 1e-6) ? news.joint : null;
}

const ownProbability = (v, name) => along(v.byName.get(name).steps, v.byName.get(name).probabilities, v.amounts.get(name));

/** The probability of the chosen finding with all that is taken away; null while the model is asked about several together. */
function probabilityWithout(v) {
  return takenAway(v).length > 1 ? jointNow(v)?.[v.finding] ?? null : ownProbability(v, v.finding);
}

function probabilityNow(v) {
  const p = probabilityWithout(v);
  return p === null ? "asking the model" : `p ${p.toFixed(2)}${takenAway(v).length > 1 ? " together" : ""}`;
}

/** What the model says of the chosen finding with several taken away together; its own sentence is about it alone. */
function sentenceTogether(v) {
  const { name, probability, threshold } = v.byName.get(v.finding), p = probabilityWithout(v);
  const all = `With ${takenWords(v)} taken away together`;
  if (p === null) return `${all}: the model is asked.`;
  const call = probability > threshold
    ? p > threshold ? "it would still say yes" : "it would say no"
    : p > threshold ? "it would now say yes" : "it says no, as before";
  return `${all}, the model's probability of ${lower(name)} goes from ${probability.toFixed(2)} to ${p.toFixed(2)}; its operating point is ${threshold.toFixed(2)}: ${call}.`;
}

/** Where along its path the model's call turns from yes to no; null when it never does. */
function flipOf({ steps, probabilities, threshold }) {
  if (!(probabilities[0] > threshold)) return null;
  const k = probabilities.findIndex((p) => !(p > threshold));
  if (k < 0) return null;
  const [p0, p1] = [probabilities[k - 1], probabilities[k]];
  return steps[k - 1] + ((p0 - threshold) / Math.max(p0 - p1, 1e-9)) * (steps[k] - steps[k - 1]);
}

function buildFindings(v) {
  v.byName = new Map(v.findings.map((finding) => [finding.name, finding]));
  v.list.replaceChildren();
  v.list.classList.toggle("many", v.findings.length > 6);
  v.cards = new Map();
  v.findings.forEach((finding, index) => {
    const { name, probability, threshold, verdict } = finding, positive = probability > threshold && !finding.unsure;
    const fill = make("div", "fill"), tick = make("div", "tick");
    fill.style.width = `${100 * probability}%`;
    tick.style.left = `${100 * threshold}%`;
    const said = finding.unsure ? verdict : `probability ${probability.toFixed(2)}, ${verdict}`;
    const option = make("div", "option", { role: "option", id: `finding-${index}`, "aria-label": `${name}, ${said}` },
      make("div", "line", {}, make("span", "", {}, name), ...(finding.unsure ? [] : [make("span", "number", {}, probability.toFixed(2))])),
      finding.unsure ? make("div", "spacer") : make("div", "meter", {}, fill, tick), make("div", "verdict", {}, verdict));
    const also = make("button", "also", { type: "button", "aria-pressed": "false", title: `Also take away ${lower(name)}` }, "also take away");
    also.setAttribute("aria-label", `Also take away ${lower(name)}`);
    const range = make("input", "", { type: "range", min: "0", max: String(largest(finding)), step: "0.01",
      "aria-label": `How much of ${lower(name)} to take away` });
    const value = make("output", "number"), row = make("div", "row", { hidden: "" }, range, value);
    const card = make("div", `card${positive ? " positive" : ""}${finding.unsure ? " unsure" : ""}`, { "data-name": name }, option, also, row);
    option.onclick = () => selectFinding(v, name);
    also.onclick = () => toggleAlso(v, name);
    range.onpointerdown = range.onkeydown = () => remember(v, `range ${name}`);
    range.oninput = () => setAmount(v, name, Number(range.value));
    range.onchange = () => sendSoon(v);
    v.list.append(card);
    v.cards.set(name, { card, option, also, range, value, row });
  });
  v.list.append(...(v.header.blank?.names ?? []).map((name) => make("div", "card blank", { "data-name": name },
    make("div", "option", {}, make("div", "line", {}, make("span", "", {}, name)), make("div", "meter"), make("div", "verdict", {}, v.header.blank.words)))));
  v.listbox.setAttribute("aria-owns", v.findings.map((_, index) => `finding-${index}`).join(" "));
}

/** Brings list, sentence and slider in line with what is chosen. */
function showChoice(v) {
  if (v.finding === null) {
    setText(v.sentence, v.header.blank?.sentence ?? "");
    return;
  }
  const several = takenAway(v).length > 1;
  for (const [name, { card, option, also, range, value, row }] of v.cards) {
    const chosen = name === v.finding, taken = v.also.has(name) && !chosen;
    card.classList.toggle("selected", chosen);
    card.classList.toggle("taken", taken);
    option.setAttribute("aria-selected", String(chosen));
    also.hidden = chosen || v.byName.get(name).unsure;
    also.setAttribute("aria-pressed", String(taken));
    setText(also, taken ? "taken away too" : "also take away");
    row.hidden = !taken;
    if (range.value !== String(v.amounts.get(name))) range.value = v.amounts.get(name);
    range.style.setProperty("--share", `${(100 * v.amounts.get(name)) / range.max}%`);
    setText(value, `a ${v.amounts.get(name).toFixed(2)}`);
    if (chosen) v.listbox.setAttribute("aria-activedescendant", option.id);
  }
  v.root.classList.toggle("still", !v.change);
  v.root.classList.toggle("quiet", v.byName.get(v.finding).unsure);
  setText(v.sentence, several ? sentenceTogether(v) : v.byName.get(v.finding).sentence);
  v.root.dataset.finding = v.finding;
  v.root.classList.toggle("several", several);
  drawCurve(v);
}

function selectFinding(v, name) {
  if (name === v.finding || !v.byName.has(name)) return;
  v.finding = v.wanted = name;
  v.cards.get(name).card.scrollIntoView({ block: "nearest" });
  showChoice(v);
  changeMoved(v);
  touch(v);
  sendSoon(v);
}

function selectNext(v, by) {
  const at = v.findings.findIndex((finding) => finding.name === v.finding);
  const next = v.findings[Math.min(v.findings.length - 1, Math.max(0, at + by))];
  if (next) selectFinding(v, next.name);
}

function toggleAlso(v, name) {
  remember(v);
  if (!v.also.delete(name)) v.also.add(name);
  showChoice(v);
  changeMoved(v);
  sendSoon(v);
}

/** Sets how much of a finding is taken away; pictures follow at once, Python hears of it when the hand rests. */
function setAmount(v, name, amount) {
  const rounded = Math.round(Math.min(largest(v.byName.get(name)), Math.max(0, amount)) * 100) / 100;
  if (rounded === v.amounts.get(name)) return;
  v.amounts.set(name, rounded);
  showChoice(v);
  changeMoved(v);
}

/** Keeps what stands, for undo; one burst of the same gesture is kept once. */
function remember(v, burst = null) {
  const now = performance.now();
  if (burst && v.burst?.name === burst && now - v.burst.at < 800) return void (v.burst.at = now);
  v.burst = burst && { name: burst, at: now };
  v.past.push({ finding: v.finding, amounts: new Map(v.amounts), also: new Set(v.also) });
  if (v.past.length > 50) v.past.shift();
}

function undo(v) {
  if (!v.change) return;
  const last = v.past.pop();
  if (!last) return say(v, "Nothing to undo");
  Object.assign(v, last, { burst: null });
  showChoice(v);
  changeMoved(v);
  touch(v);
  sendSoon(v);
  say(v, "Undone");
}

function sendSoon(v) {
  v.handled = true;
  clearTimeout(v.sending);
  v.sending = setTimeout(() => !v.closed && v.finding !== null && v.send({ picture: v.header.picture, finding: v.finding, amounts: amountsNow(v) }), 180);
}

/** Takes over what Python says: the choice that it remembers (once, for a fresh view) and joint probabilities. */
function hearNews(v, news) {
  if ((news.picture ?? "") !== (v.header.picture ?? "")) return;
  v.news = news;
  if (!v.handled && v.byName.has(news.finding)) {
    v.finding = news.finding;
    for (const [name, amount] of Object.entries(news.amounts)) {
      if (!v.byName.has(name)) continue;
      v.amounts.set(name, amount);
      if (name !== v.finding) v.also.add(name);
    }
    changeMoved(v);
  }
  if (v.finding === null) return;
  showChoice(v);
  touch(v, "without");
}
