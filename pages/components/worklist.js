// The worklist: every open scan as a row, by study, narrowed and ordered; asks the server itself how far each is.

const EVERY = 1000; // milliseconds between two looks, while anything is on its way
const AT_REST = 2500;
const LONGEST = 10_000; // milliseconds that an answer is waited for
const KEPT = "otherwise worklist"; // how this tab has narrowed and ordered it
const STEPS = ["new", "explained", "draft", "read", "exported", "submitted", "accepted", "returned"];
const DONE = STEPS.slice(STEPS.indexOf("read")); // a reader has said what he sees, or it was exported
const ALL = { step: "all", finding: "all", who: "all", order: "opened", down: false, grouped: true, text: "" };
const COLUMNS = [
  ["title", "Scan", (entry) => entry.title.toLowerCase()],
  ["step", "State", (entry) => STEPS.indexOf(entry.step)],
  ["above", "Findings", (entry) => -(entry.above ?? NaN)],
  ["flip", "To the flip", (entry) => entry.flip],
  ["unlike", "Unlikeness", (entry) => -(entry.unlike ?? NaN)],
  ["disagreement", "Disagreement", (entry) => -(entry.disagreement ?? NaN)],
  ["assigned", "Assigned to", (entry) => entry.assigned.join(", ").toLowerCase() || null],
];
const TITLES = {
  flip: "Share of a finding that must be taken away until its positive call turns; the smallest of the scan",
  unlike: "How unlike what the checkpoint was trained on, in shares of its limit; above 1 the result is held back",
  disagreement: "How far methods disagree about where, from 0 to 1; known once they were compared",
};
const WORDS = { reading: "reading", waiting: "waiting", "held back": "held back", open: "no model takes it", refused: "refused" };
const lists = new WeakMap();

function make(tag, className = "", attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const prefix = () => new URL(document.baseURI).pathname.replace(/[^/]*$/, "");
const openable = (entry) => entry !== undefined && entry.state !== "refused" && entry.state !== "reading";

/** The entry without what models find, for a reader called `me` who is to say first what is there; once that is said, as it is. */
export function veiled(entry, blind, me = "") {
  if (!blind || (me !== "" && entry.readBy.includes(me))) return entry;
  return { ...entry, findings: [], above: null, flip: null, disagreement: null };
}

/** Whether work on an entry has come to that state; one that was exported is so whatever its case is. */
const isAt = (entry, step) => (step === "refused" || entry.state === "refused" ? step === entry.state : entry.step === step || (step === "exported" && Boolean(entry.exported)));

/** Whether a reader called `me` wants to see an entry. */
export function wanted(entry, choice, me = "") {
  if (choice.step !== "all" && !isAt(entry, choice.step)) return false;
  if (choice.finding !== "all" && !entry.findings.includes(choice.finding)) return false;
  if (choice.who === "mine" && !(me && entry.assigned.includes(me))) return false;
  if (choice.who === "nobody" && entry.assigned.length > 0) return false;
  if (choice.who.startsWith("to ") && !entry.assigned.includes(choice.who.slice(3))) return false;
  return `${entry.title} ${entry.kind}`.toLowerCase().includes(choice.text.trim().toLowerCase());
}

/** The entries that are shown, in order; what has no number comes last whichever way it goes, and equal ones as they were opened. */
export function ordered(entries, choice, me = "") {
  const shown = entries.filter((entry) => wanted(entry, choice, me));
  const by = COLUMNS.find(([id]) => id === choice.order)?.[2];
  if (!by) return shown;
  const missing = (key) => key === null || key === undefined || Number.isNaN(key);
  const compare = ([a, i], [b, j]) => {
    if (missing(a) || missing(b)) return missing(a) - missing(b) || i - j;
    return a === b ? i - j : a < b !== choice.down ? -1 : 1;
  };
  return shown.map((entry, place) => [by(entry), place, entry]).sort(compare).map(([, , entry]) => entry);
}

/** [what the group is called, its entries], in the order in which the first of each patient comes; of a patient the newest study first, or `asOrdered` the one whose first entry comes first. */
export function groups(entries, asOrdered = false) {
  const found = new Map(), patients = new Map();
  for (const entry of entries) found.set(entry.group, [...(found.get(entry.group) ?? []), entry]);
  for (const part of found) {
    const whose = part[1][0].patient || part[0];
    patients.set(whose, [...(patients.get(whose) ?? []), part]);
  }
  return [...patients.values()].flatMap((parts) => (asOrdered ? parts : parts.sort(([, [a]], [, [b]]) => (a.age ?? 0) - (b.age ?? 0))));
}

/** How many of the entries are scans, and how many files were refused. */
export function counted(entries, of = entries) {
  const open = (some) => some.filter((entry) => entry.state !== "refused").length;
  const refused = entries.length - open(entries);
  const scans = entries.length === of.length ? `${open(of)}` : `${open(entries)} of ${open(of)}`;
  return `${scans} ${open(of) === 1 ? "scan" : "scans"}${refused ? `, ${refused} refused` : ""}`;
}

export function said(entries) {
  const series = new Set(entries.map((entry) => entry.series).filter((number) => number > 0)).size;
  const scans = counted(entries);
  return series > 1 ? `${scans} in ${series} series` : scans;
}

const stateOf = (entry) => {
  if (entry.state === "refused") return `refused: ${entry.why}`;
  if (entry.step === "draft" || DONE.includes(entry.step)) return entry.exported && entry.step !== "exported" ? `${entry.step}, exported` : entry.step;
  return entry.state === "open" && entry.why ? entry.why : (WORDS[entry.state] ?? entry.step);
};
const cells = (entry) => ({
  title: entry.title,
  kind: [entry.kind === "unknown" ? "" : entry.kind, entry.slices > 1 ? `${entry.slices} slices` : "", entry.series ? `series ${entry.series}` : ""].filter(Boolean).join(", "),
  step: stateOf(entry),
  above: entry.findings.length ? entry.findings.join(", ") : entry.above === 0 ? "none" : "",
  flip: entry.flip === null ? "" : `${Math.round(100 * entry.flip)} %`,
  unlike: entry.unlike === null ? "" : entry.unlike.toFixed(2),
  disagreement: entry.disagreement === null ? "" : entry.disagreement.toFixed(2),
  assigned: entry.assigned.join(", "),
});

function open(parent) {
  const root = parent.querySelector(".worklist");
  const list = { root, entries: [], rows: new Map(), heads: new Map(), picked: new Set(), choice: { ...ALL, ...kept() }, at: null, timer: 0, me: "", readers: [] };
  const select = (what, label) => {
    const box = make("select", "", { "aria-label": label });
    box.addEventListener("change", () => change(list, { [what]: box.value }));
    return box;
  };
  list.text = make("input", "find", { type: "search", placeholder: "Label or kind", "aria-label": "Show scans whose label or kind holds" });
  list.text.value = list.choice.text;
  list.text.addEventListener("input", () => change(list, { text: list.text.value }));
  list.step = select("step", "State");
  list.finding = select("finding", "Finding");
  list.who = select("who", "Assigned to");
  list.grouped = make("button", "toggle", { type: "button" }, "By study");
  list.grouped.addEventListener("click", () => change(list, { grouped: !list.choice.grouped }));
  list.blind = make("button", "toggle", { type: "button", title: "Findings, distance to the flip and disagreement are shown of scans that you have read, on every page" }, "Blind until read");
  list.blind.addEventListener("click", () => {
    list.veil = !list.veil;
    draw(list);
    list.wish("blind", list.veil);
  });
  list.reset = make("button", "quiet", { type: "button" }, "Show all");
  list.reset.addEventListener("click", () => {
    list.text.value = "";
    change(list, { step: "all", finding: "all", who: "all", text: "" });
  });
  list.count = make("span", "count", { "aria-live": "polite" });
  const act = (name, label, key) => {
    const button = make("button", "act", { type: "button", "aria-keyshortcuts": key, title: `${label} what is chosen (${key})` }, label);
    button.addEventListener("click", () => list.send(name));
    return button;
  };
  list.acts = [act("assign", "Assign", "A"), act("compare", "Compare methods", "C"), act("export", "Export", "E")];
  const filters = make("div", "filters", {}, list.text, list.step, list.finding, list.who, list.grouped, list.blind, list.reset);
  list.every = make("input", "", { type: "checkbox", "aria-label": "Choose all that are shown" });
  list.every.addEventListener("change", () => pick(list, shown(list).map((entry) => entry.id), list.every.checked));
  const head = make("tr", "", {}, make("th", "tick", { scope: "col" }, list.every), make("th", "", { scope: "col", "aria-label": "Picture" }));
  list.columns = COLUMNS.map(([id, words]) => {
    const button = make("button", "", { type: "button" }, words);
    if (TITLES[id]) button.title = TITLES[id];
    button.addEventListener("click", () => order(list, id));
    const cell = make("th", id, { scope: "col" }, button);
    head.append(cell);
    return [id, cell];
  });
  list.body = make("tbody");
  list.empty = make("p", "empty", { hidden: "" });
  list.table = make("table", "", { "aria-label": "Open scans" }, make("thead", "", {}, head), list.body);
  list.box = make("div", "box", {}, list.table, list.empty);
  root.replaceChildren(make("div", "bar", {}, filters, make("div", "acts", {}, list.count, ...list.acts)), list.box);
  list.body.addEventListener("keydown", (event) => inTable(list, event));
  return list;
}

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

function change(list, more) {
  list.choice = { ...list.choice, ...more };
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(list.choice));
  } catch { /* a browser that keeps nothing */ }
  draw(list);
}

/** A click on a column orders by it, the next one the other way, the third as opened. */
function order(list, id) {
  const { order: now, down } = list.choice;
  change(list, now !== id ? { order: id, down: false } : down ? { order: "opened", down: false } : { down: true });
}

const seen = (list) => list.entries.map((entry) => veiled(entry, list.veil, list.me));
const shown = (list) => ordered(seen(list), list.choice, list.me);

function inOrder(list) {
  const entries = shown(list);
  return list.choice.grouped ? groups(entries, list.choice.order !== "opened").flatMap(([, ones]) => ones) : entries;
}

function pick(list, ids, on) {
  for (const id of ids) on ? list.picked.add(id) : list.picked.delete(id);
  draw(list);
}

function inTable(list, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const row = event.target.closest("tr[data-id]");
  if (!row) return;
  const id = row.dataset.id, ids = inOrder(list).map((entry) => entry.id), at = ids.indexOf(id);
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -ids.length, End: ids.length }[event.key];
  const key = event.key.toLowerCase();
  if (step) {
    const to = ids[Math.min(ids.length - 1, Math.max(0, at + step))];
    if (event.shiftKey) pick(list, [id, to], true);
    tabStop(list, to);
    list.rows.get(to)?.element.focus();
  } else if (key === " " || key === "x") pick(list, [id], !list.picked.has(id));
  else if (key === "enter" && event.target === row) list.wish("open", [id, "explain"]);
  else if (key === "r") list.wish("open", [id, "review"]);
  else if (key === "a") list.send("assign", id);
  else if (key === "e") list.send("export", id);
  else if (key === "c") list.send("compare", id);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** The one row that Tab reaches. */
function tabStop(list, id) {
  list.at = id;
  for (const [other, row] of list.rows) row.element.tabIndex = other === id ? 0 : -1;
}

function rowOf(list, id) {
  const tick = make("input", "", { type: "checkbox" });
  const picture = make("td", "picture", { "aria-hidden": "true" });
  const title = make("button", "title", { type: "button", tabindex: "-1" }), kind = make("span", "kind");
  const element = make("tr", "", { "data-id": id, tabindex: "-1" }, make("td", "tick", {}, tick), picture);
  const parts = {};
  for (const [name] of COLUMNS) {
    parts[name] = make("td", name);
    element.append(parts[name]);
  }
  parts.title.append(title, kind);
  tick.tabIndex = -1;
  tick.addEventListener("click", (event) => {
    const ids = inOrder(list).map((entry) => entry.id);
    const [a, b] = [ids.indexOf(event.shiftKey && list.last ? list.last : id), ids.indexOf(id)].sort((one, other) => one - other);
    list.last = id;
    pick(list, a < 0 ? [id] : ids.slice(a, b + 1), tick.checked);
  });
  title.addEventListener("click", () => list.wish("open", [id, "explain"]));
  element.addEventListener("dblclick", (event) => event.target.closest("button, input") ?? list.wish("open", [id, "explain"]));
  element.addEventListener("focus", () => tabStop(list, id));
  return { element, tick, picture, title, kind, parts, pictured: false, drawn: "" };
}

function headOf(list, group) {
  const tick = make("input", "", { type: "checkbox", "aria-label": `Choose ${group}` }), words = make("td", "words", { colspan: String(COLUMNS.length + 1) });
  tick.addEventListener("change", () => pick(list, shown(list).filter((entry) => entry.group === group).map((entry) => entry.id), tick.checked));
  return { element: make("tr", "group", {}, make("td", "tick", {}, tick), words), tick, words };
}

function options(box, choices, value) {
  const now = JSON.stringify(choices);
  if (box.drawn !== now) {
    box.drawn = now;
    box.replaceChildren(...choices.map(([id, words]) => make("option", "", { value: id }, words)));
  }
  box.value = choices.some(([id]) => id === value) ? value : "all";
}

function drawRow(list, entry) {
  let row = list.rows.get(entry.id);
  if (!row) list.rows.set(entry.id, (row = rowOf(list, entry.id)));
  const text = JSON.stringify(entry);
  if (row.drawn !== text) {
    row.drawn = text;
    const words = cells(entry);
    row.title.textContent = words.title;
    row.kind.textContent = words.kind;
    row.title.disabled = !openable(entry);
    row.tick.disabled = !openable(entry);
    row.tick.setAttribute("aria-label", `Choose ${entry.title}`);
    for (const [name] of COLUMNS.slice(1)) row.parts[name].textContent = words[name];
    if (entry.pictured && !row.pictured) {
      row.pictured = true;
      const image = make("img", "", { src: `${prefix()}${list.address}/${encodeURIComponent(entry.id)}`, alt: "", loading: "lazy" });
      image.addEventListener("error", () => ([row.pictured, row.drawn] = [false, ""]));
      row.picture.replaceChildren(image);
    } else if (!entry.pictured) {
      row.pictured = false; // an answer that came late may be older than what stands here
      row.picture.textContent = entry.state === "refused" ? "!" : "\u2026";
    }
  }
  row.tick.checked = list.picked.has(entry.id);
  row.element.className = `${entry.state.replace(" ", "-")} ${entry.step}${entry.exported && entry.step !== "exported" ? " exported" : ""}${entry.id === list.chosen ? " here" : ""}`;
  row.element.setAttribute("aria-selected", String(list.picked.has(entry.id)));
  return row.element;
}

function draw(list) {
  const known = new Set(list.entries.filter(openable).map((entry) => entry.id)), choice = list.choice;
  for (const id of [...list.picked]) if (!known.has(id)) list.picked.delete(id);
  const findings = [...new Set(seen(list).flatMap((entry) => entry.findings))].sort();
  const people = [...new Set(list.entries.flatMap((entry) => entry.assigned))].sort();
  const inState = (id) => list.entries.filter((entry) => wanted(entry, { ...ALL, step: id })).length;
  options(list.step, [["all", "Every state"], ...[...STEPS, "refused"].map((id) => [id, `${id[0].toUpperCase()}${id.slice(1)} (${inState(id)})`])], choice.step);
  options(list.finding, [["all", "Every finding"], ...findings.map((name) => [name, name])], choice.finding);
  options(list.who, [["all", "Everybody"], ["mine", list.me ? `Mine (${list.me})` : "Mine"], ["nobody", "Nobody"], ...people.filter((name) => name !== list.me).map((name) => [`to ${name}`, name])], choice.who);
  list.choice.finding = list.finding.value;
  list.choice.who = list.who.value;
  const entries = shown(list), parts = choice.grouped ? groups(entries, choice.order !== "opened") : [["", entries]];
  list.grouped.setAttribute("aria-pressed", String(choice.grouped));
  list.blind.setAttribute("aria-pressed", String(list.veil));
  const wantedRows = [];
  for (const [group, ones] of parts) {
    if (choice.grouped) {
      if (!list.heads.has(group)) list.heads.set(group, headOf(list, group));
      const head = list.heads.get(group), takable = ones.filter(openable);
      head.words.textContent = `${group}: ${said(ones)}`;
      head.tick.checked = takable.length > 0 && takable.every((entry) => list.picked.has(entry.id));
      wantedRows.push(head.element);
    }
    wantedRows.push(...ones.map((entry) => drawRow(list, entry)));
  }
  const focused = list.root.getRootNode().activeElement;
  wantedRows.forEach((row, place) => list.body.children[place] !== row && list.body.insertBefore(row, list.body.children[place] ?? null));
  while (list.body.children.length > wantedRows.length) list.body.lastChild.remove();
  if (focused && focused !== list.root.getRootNode().activeElement && list.body.contains(focused)) focused.focus();
  const all = new Set(list.entries.map((entry) => entry.id));
  for (const id of [...list.rows.keys()]) if (!all.has(id)) list.rows.delete(id);
  const order_ = inOrder(list);
  tabStop(list, order_.some((entry) => entry.id === list.at) ? list.at : (order_[0]?.id ?? null));
  for (const [id, cell] of list.columns) cell.setAttribute("aria-sort", choice.order !== id ? "none" : choice.down ? "descending" : "ascending");
  const takable = entries.filter(openable);
  list.every.checked = takable.length > 0 && takable.every((entry) => list.picked.has(entry.id));
  list.every.indeterminate = !list.every.checked && takable.some((entry) => list.picked.has(entry.id));
  const total = list.entries.length, count = list.picked.size;
  list.count.textContent = `${counted(entries, list.entries)}, ${count} chosen`;
  list.reset.disabled = choice.step === "all" && choice.finding === "all" && choice.who === "all" && choice.text === "";
  for (const button of list.acts) button.disabled = count === 0;
  list.empty.hidden = entries.length > 0;
  list.empty.textContent = total === 0 ? "No scan is open. Drop files, a folder or a zip anywhere on this page." : choice.who === "mine" && !list.me ? "Give your name under Assign, or on the page Review, to see what is yours." : "No scan is like that.";
}

function lookLater(list) {
  clearTimeout(list.timer);
  const busy = list.entries.some((entry) => entry.state === "reading" || entry.state === "waiting");
  if (!list.closed) list.timer = setTimeout(() => look(list), busy ? EVERY : AT_REST);
}

async function look(list) {
  if (list.asking || list.closed) return;
  list.asking = true;
  try {
    const answer = document.visibilityState === "visible" ? await fetch(`${prefix()}${list.address}`, { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(LONGEST) }) : null;
    if (answer?.ok) {
      list.entries = await answer.json();
      draw(list);
    }
  } catch { /* the server is away; the next look tells */ } finally {
    list.asking = false;
  }
  lookLater(list);
}

export default function ({ data, parentElement, setTriggerValue }) {
  let list = lists.get(parentElement);
  if (!list) lists.set(parentElement, (list = open(parentElement)));
  list.wish = setTriggerValue;
  list.send = (name, id = null) => {
    const ids = list.picked.size ? inOrderOfList(list) : id === null ? [] : [id];
    if (ids.length) setTriggerValue("asked", [name, ids]);
  };
  const now = JSON.stringify(data);
  if (list.said !== now) {
    list.said = now;
    ({ address: list.address, entries: list.entries, chosen: list.chosen, me: list.me, blind: list.veil } = data);
    draw(list);
    lookLater(list);
  }
  const mount = (list.mount = {});
  return () => {
    if (list.mount !== mount) return;
    clearTimeout(list.timer);
    list.closed = true;
    lists.delete(parentElement);
  };
}

const inOrderOfList = (list) => list.entries.filter((entry) => list.picked.has(entry.id)).map((entry) => entry.id);
