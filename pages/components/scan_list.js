// The list of open scans: asks the server itself how far each is, and sends Python only what the reader wishes.

const EVERY = 1000; // milliseconds between two looks, while anything is on its way
const TRIES = 5; // of a thumbnail that does not arrive
const LONGEST = 10_000; // milliseconds that an answer is waited for
const AT_REST = 1500; // while nothing is: another tab may open, label or close a scan
const WORDS = { reading: "reading", waiting: "waiting", explained: "explained", "held back": "held back", open: "no model takes it", refused: "refused" };
const OWN = "otherwise scan on show"; // of this tab: another one of the same browser may turn to another scan
const FEW = 4; // scans from which on the list can be ordered and narrowed
const SHOW = [
  ["all", "All", () => true],
  ["new", "New", (entry) => entry.step === "new" && entry.state !== "refused"],
  ["explained", "Explained", (entry) => entry.step === "explained"],
  ["above", "With findings", (entry) => entry.above > 0],
  ["mine", "Mine", (entry, me) => me !== "" && entry.assigned?.includes(me)],
  ["draft", "Draft", (entry) => entry.step === "draft"],
  ["read", "Read", (entry) => entry.step === "read"],
  ["submitted", "Submitted", (entry) => entry.step === "submitted"],
  ["accepted", "Accepted", (entry) => entry.step === "accepted"],
  ["returned", "Returned", (entry) => entry.step === "returned"],
  ["exported", "Exported", (entry) => entry.step === "exported" || Boolean(entry.exported)],
  ["refused", "Refused", (entry) => entry.state === "refused"],
];
const ORDERS = [
  ["opened", "As opened", null],
  ["above", "Most findings", (entry) => minus(entry.above)],
  ["flip", "Nearest to the flip", (entry) => entry.flip],
  ["unlike", "Most unlike", (entry) => minus(entry.unlike)],
  ["disagreement", "Most disagreement", (entry) => minus(entry.disagreement)],
];
const minus = (value) => (value === null || value === undefined ? null : -value);
const lists = new WeakMap();
let loaded = false; // the list was drawn since this page was loaded

function make(tag, className = "", attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const turnable = (entry) => entry !== undefined && entry.state !== "refused" && entry.state !== "reading";
const prefix = () => new URL(document.baseURI).pathname.replace(/[^/]*$/, "");
const addressOf = (list, entry) => `${prefix()}${list.address}/${encodeURIComponent(entry.id)}`;
const stateOf = (entry) => (entry.state === "refused" ? `refused: ${entry.why}` : entry.state === "open" && entry.why ? entry.why : WORDS[entry.state]);

/** The state, how far readers are with it, and how many findings are above their operating points. */
export function wordsOf(entry, blind = false) {
  const done = ["draft", "read", "exported", "submitted", "accepted", "returned"].includes(entry.step);
  const words = done && (blind || entry.state === "explained" || entry.state === "waiting") ? entry.step : stateOf(entry);
  return !blind && entry.above > 0 && entry.state === "explained" ? `${words}, ${entry.above} ${entry.above === 1 ? "finding" : "findings"}` : words;
}

/** The entry without what models find; `blind` is "all", "unread" (by the reader called `me`), or empty for none. */
export function veiled(entry, blind, me = "") {
  if (!blind || (blind === "unread" && me !== "" && entry.readBy?.includes(me))) return entry;
  return { ...entry, findings: [], above: null, flip: null, disagreement: null, veiled: true };
}

/** The entries that are shown to the reader called `me`, in the order that was chosen; what has no number comes last, in the order of opening. */
export function arranged(entries, show, order, me = "") {
  const narrow = SHOW.find(([id]) => id === show)?.[2] ?? (() => true);
  const shown = entries.filter((entry) => narrow(entry, me));
  const by = ORDERS.find(([id]) => id === order)?.[2];
  if (!by) return shown;
  const key = (entry) => by(entry) ?? Infinity;
  return shown.map((entry, place) => [key(entry), place, entry]).sort(([a, i], [b, j]) => (a === b ? i - j : a < b ? -1 : 1)).map(([, , entry]) => entry);
}

function open(parent) {
  const root = parent.querySelector(".scans");
  const list = { root, entries: [], rows: new Map(), chosen: null, address: "", naming: null, timer: 0, asking: false, show: "all", order: "opened" };
  list.count = make("span");
  list.far = make("span", "", { "aria-live": "polite" });
  list.box = make("div", "list", { role: "listbox", "aria-label": "Open scans", tabindex: "0" });
  list.clear = make("button", "clear", { type: "button" });
  list.clear.addEventListener("click", () => list.clearRefused());
  list.hint = make("p", "hint");
  for (const part of [make("kbd", "", {}, "N"), " next  ", make("kbd", "", {}, "P"), " previous  ", make("kbd", "", {}, "F2"), " label"]) list.hint.append(part);
  list.tools = make("div", "tools", {}, choice(list, "show", "Show scans", SHOW), choice(list, "order", "Order of scans", ORDERS));
  root.replaceChildren(make("div", "head", {}, list.count, list.far), list.tools, list.box, list.clear, list.hint);
  list.box.addEventListener("keydown", (event) => inList(list, event));
  list.key = (event) => anywhere(list, event);
  window.addEventListener("keydown", list.key);
  list.back = () => document.visibilityState === "visible" && look(list);
  document.addEventListener("visibilitychange", list.back);
  return list;
}

/** A menu of what is shown, or of the order: a button that names the choice, and the others below it while it is open. */
function choice(list, what, label, choices) {
  const button = make("button", "", { type: "button", "aria-haspopup": "menu", "aria-expanded": "false" });
  const menu = make("div", "menu", { role: "menu", "aria-label": label, hidden: "" });
  const items = choices.map(([id, words]) => make("button", "", { type: "button", role: "menuitemradio", value: id }, words));
  const box = make("div", "choice", {}, button, menu);
  const open = (on) => {
    menu.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
    if (on) items.find((item) => item.value === list[what]).focus();
  };
  box.name = () => {
    const words = choices.find(([id]) => id === list[what])[1];
    button.textContent = words;
    button.setAttribute("aria-label", `${label}: ${words}`);
    for (const item of items) item.setAttribute("aria-checked", String(item.value === list[what]));
  };
  menu.append(...items);
  button.addEventListener("click", () => open(menu.hidden));
  for (const item of items) item.addEventListener("click", () => {
    list[what] = item.value;
    open(false);
    button.focus();
    draw(list);
  });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (menu.hidden ? !step : !step && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") (open(false), button.focus());
    else if (menu.hidden) open(true);
    else items[(items.indexOf(event.composedPath()[0]) + step + items.length) % items.length].focus();
  });
  box.addEventListener("focusout", (event) => event.relatedTarget && !box.contains(event.relatedTarget) && open(false));
  return box;
}

function shut(list) {
  window.removeEventListener("keydown", list.key);
  document.removeEventListener("visibilitychange", list.back);
  clearTimeout(list.timer);
  list.closed = true;
}

/** Keys of the list itself. */
function inList(list, event) {
  if (list.naming) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) turnBy(list, step);
  else if (event.key === "F2") name(list, list.chosen);
  else if (event.key === "Delete") list.close(list.chosen);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** N and P, wherever the focus is, but where something is being written or a key is held that makes it another. */
function anywhere(list, event) {
  const target = event.composedPath()[0];
  if (event.ctrlKey || event.metaKey || event.altKey || list.naming) return;
  if (target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && !/^(checkbox|radio)$/.test(target.type))) return;
  const step = { n: 1, p: -1 }[event.key.toLowerCase()];
  if (!step) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  turnBy(list, step);
}

function turnBy(list, step) {
  const ids = arranged(veiledAll(list), list.show, list.order, list.me).filter((entry) => turnable(entry)).map((entry) => entry.id);
  const at = ids.indexOf(list.chosen), to = ids[Math.min(ids.length - 1, Math.max(0, at + step))];
  if (to !== undefined && to !== list.chosen) turnTo(list, to);
}

/** What this tab had on show, of this very shelf, before it was loaded again; null for a new tab. */
function ownChoice(list) {
  try {
    const [address, id] = JSON.parse(sessionStorage.getItem(OWN)) ?? [];
    return address === list.address ? id : null;
  } catch {
    return null;
  }
}

function remember(list) {
  try {
    sessionStorage.setItem(OWN, JSON.stringify([list.address, list.chosen]));
  } catch { /* a browser that keeps nothing */ }
}

function turnTo(list, id) {
  list.chosen = id;
  mark(list);
  remember(list);
  list.turn(id);
}

function mark(list) {
  for (const [id, row] of list.rows) row.element.setAttribute("aria-selected", String(id === list.chosen));
  const row = list.rows.get(list.chosen);
  if (!row) return list.box.removeAttribute("aria-activedescendant");
  list.box.setAttribute("aria-activedescendant", row.element.id);
  const { offsetTop: top, offsetHeight: height } = row.element, box = list.box, from = top - box.offsetTop;
  if (from < box.scrollTop) box.scrollTop = from;
  else if (from + height > box.scrollTop + box.clientHeight) box.scrollTop = from + height - box.clientHeight;
}

/** The label becomes a field; Enter keeps it, Escape does not. */
function name(list, id) {
  const row = list.rows.get(id), entry = list.entries.find((one) => one.id === id);
  if (!row || !entry || list.naming) return;
  const field = make("input", "", { "aria-label": `Label of ${entry.title}`, maxlength: "60" });
  field.value = entry.title;
  list.naming = field;
  const done = (keep) => {
    if (list.naming !== field) return;
    list.naming = null;
    field.replaceWith(row.title);
    if (keep && field.value.trim() !== entry.title) {
      entry.title = row.title.textContent = field.value.trim() || entry.title;
      list.rename([id, field.value.trim()]);
    }
    list.box.focus();
  };
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" || event.key === "Escape") done(event.key === "Enter");
  });
  field.addEventListener("blur", () => done(true));
  field.addEventListener("click", (event) => event.stopPropagation());
  row.title.replaceWith(field);
  field.focus();
  field.select();
}

function rowOf(list, entry) {
  const title = make("div", "title"), state = make("div", "state"), picture = make("div", "picture", { "aria-hidden": "true" });
  const close = make("button", "shut", { type: "button", tabindex: "-1" }, "\u00d7");
  const element = make("div", "row", { role: "option", id: `scan-${Math.random().toString(36).slice(2)}` }, picture, make("div", "", {}, title, state), close);
  element.addEventListener("click", () => turnable(list.entries.find((one) => one.id === entry.id)) && turnTo(list, entry.id));
  element.addEventListener("dblclick", () => name(list, entry.id));
  close.addEventListener("click", (event) => {
    event.stopPropagation();
    list.close(entry.id);
  });
  return { element, title, state, picture, close, pictured: false };
}

const veiledAll = (list) => list.entries.map((entry) => veiled(entry, list.blind, list.me));

function draw(list) {
  list.tools.hidden = list.entries.length < FEW;
  if (list.tools.hidden) [list.show, list.order] = ["all", "opened"];
  for (const box of list.tools.children) box.name();
  const entries = arranged(veiledAll(list), list.show, list.order, list.me);
  const known = new Set(entries.map((entry) => entry.id));
  for (const [id, row] of list.rows) {
    if (known.has(id)) continue;
    row.element.remove();
    list.rows.delete(id);
  }
  entries.forEach((entry, place) => {
    let row = list.rows.get(entry.id);
    if (!row) list.rows.set(entry.id, (row = rowOf(list, entry)));
    if (list.box.children[place] !== row.element) list.box.insertBefore(row.element, list.box.children[place] ?? null);
    const words = wordsOf(entry, entry.veiled);
    if (row.title.textContent !== entry.title) row.title.textContent = entry.title;
    if (row.state.textContent !== words) row.state.textContent = words;
    row.element.className = `row ${entry.state.replace(" ", "-")}`;
    row.element.title = entry.state === "refused" ? entry.why : "";
    row.element.setAttribute("aria-label", `${entry.title}, ${words}`);
    row.element.setAttribute("aria-disabled", String(!turnable(entry)));
    row.close.setAttribute("aria-label", `Close ${entry.title}`);
    if (entry.pictured && !row.pictured) {
      row.pictured = true;
      const image = make("img", "", { src: addressOf(list, entry), alt: "" });
      image.addEventListener("error", () => (row.pictured = (row.missed = (row.missed ?? 0) + 1) > TRIES)); // the next look asks again
      row.picture.replaceChildren(image);
    } else if (!entry.pictured) {
      row.pictured = false; // an answer that came late may be older than what stands here
      row.picture.textContent = entry.state === "refused" ? "!" : "\u2026";
    }
  });
  const open = list.entries.filter((entry) => entry.state !== "refused"), explained = open.filter((entry) => entry.state === "explained");
  list.count.textContent = `${open.length} ${open.length === 1 ? "scan" : "scans"}`;
  list.far.textContent = open.length > 1 ? `${explained.length} explained` : "";
  const refused = list.entries.length - open.length;
  list.clear.hidden = refused === 0;
  list.clear.textContent = refused === 1 ? "Clear the refused file" : `Clear ${refused} refused files`;
  list.hint.hidden = list.entries.length < 2;
  mark(list);
}

const unfinished = (list) => list.entries.some((entry) => entry.state === "reading" || entry.state === "waiting");

function lookLater(list) {
  clearTimeout(list.timer);
  if (!list.closed) list.timer = setTimeout(() => look(list), unfinished(list) ? EVERY : AT_REST);
}

/** What Python has drawn the page with: which scans there are, and their labels. */
const shelfOf = (entries) => JSON.stringify(entries.map((entry) => [entry.id, entry.title]));

/** Asks the server how far each scan is; a tab that nobody looks at asks nothing. Python hears only of a scan that another tab
 * has opened, labelled or closed, and of the last file of a drop. */
async function look(list) {
  if (list.asking || list.closed) return;
  list.asking = true;
  try {
    const answer = document.visibilityState === "visible" ? await fetch(`${prefix()}${list.address}`, { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(LONGEST) }) : null;
    if (answer?.ok) {
      const entries = await answer.json();
      const now = shelfOf(entries);
      list.entries = list.naming ? list.entries : entries;
      draw(list);
      const reading = entries.some((entry) => entry.state === "reading");
      const all = list.reading && !reading; // read: Python says which could not be opened
      if ((all || (now !== list.drawn && now !== list.told)) && !list.naming) list.changed((list.told = now));
      list.reading = reading;
    }
  } catch { /* the server is away; the next look tells */ } finally {
    list.asking = false;
  }
  lookLater(list);
}

export default function ({ data, parentElement, setTriggerValue }) {
  let list = lists.get(parentElement);
  if (!list) lists.set(parentElement, (list = open(parentElement)));
  list.turn = (id) => setTriggerValue("chosen", [id, ++list.wishes]);
  list.close = (id) => id && setTriggerValue("closed", id);
  list.rename = (both) => setTriggerValue("renamed", both);
  list.clearRefused = () => setTriggerValue("cleared", true);
  list.changed = (shelf) => setTriggerValue("changed", shelf.length);
  const said = JSON.stringify(data);
  if (list.said !== said) {
    list.said = said;
    list.address = data.address;
    list.me = data.me;
    list.blind = data.blind;
    list.entries = data.entries;
    list.reading = list.entries.some((entry) => entry.state === "reading");
    list.drawn = shelfOf(data.entries);
    list.wishes ??= data.heard;
    if (data.heard >= list.wishes) list.chosen = data.chosen; // else this was drawn before Python heard of the last wish
    if (!list.naming) draw(list);
    const own = loaded ? null : ownChoice(list);
    loaded = true;
    if (own !== null && own !== list.chosen && turnable(list.entries.find((entry) => entry.id === own))) turnTo(list, own);
    remember(list);
    lookLater(list);
  }
  const mount = (list.mount = {});
  return () => {
    if (list.mount !== mount) return; // a newer one has come: when two follow each other quickly, the older goes after it
    shut(list);
    lists.delete(parentElement);
  };
}
