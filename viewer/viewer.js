// One view: its state, its life from mount to unmount, and its fit into the browser window.

const mounted = new WeakMap();
const views = (globalThis[Symbol.for("otherwise.views")] ??= new Map());

/** How a view looks before any hand touched it. */
function startingLook() {
  return {
    shift: 0, stretch: 1, invert: false, windowMode: false,
    opacity: 0.65, overlayOn: true, threshold: 0.25, thresholdOn: false, contour: false,
    blink: false, blinkPhase: 0, swipe: false, swipeAt: 0.5, plain: false, crossOn: true,
  };
}

const startAmount = (finding) => Math.min(1, largest(finding));

function openView(parent) {
  const root = parent.querySelector(".viewer"), find = (selector) => root.querySelector(selector);
  const v = {
    root, stage: find(".stage"), tools: find(".tools"), list: find(".findings"), listbox: find(".listbox"), sentence: find(".sentence"),
    curve: find(".curve"), svg: find("svg"), thumb: find(".thumb"), done: find(".done"), flip: find(".flip"), facts: find(".facts"),
    help: find(".help"), said: find(".said"),
    digest: "", loaded: 0, seen: 0, frame: 0, panels: [], findings: [], maximised: null, under: null, change: null, finding: null, wanted: null, news: null, handled: false,
    view: { s: 1, cx: 0, cy: 0, aspect: 1, fitted: true }, cross: null, past: [], changedShare: 0, ...startingLook(),
  };
  listenToHands(v);
  listenToSlider(v);
  listenToKeys(v);
  v.resized = new ResizeObserver(() => {
    fitHeight(v);
    layoutPanels(v);
    if (v.finding !== null) drawCurve(v);
  });
  v.resized.observe(v.stage);
  v.resized.observe(v.curve);
  const page = root.getRootNode().host?.closest("[data-testid=stMainBlockContainer]");
  if (page) v.resized.observe(page);
  v.windowResized = () => fitHeight(v);
  window.addEventListener("resize", v.windowResized);
  return v;
}

/** Takes what is left of the browser window below the view's upper edge, unless Python named a height. */
function fitHeight(v) {
  const top = v.root.getBoundingClientRect().top + (scrollerOf(v.root)?.scrollTop ?? 0);
  const least = v.header.least_height ?? 520;
  const height = v.header.height ?? Math.max(least, Math.floor(window.innerHeight - Math.max(0, top) - 16));
  v.root.style.minHeight = `${least}px`;
  if (v.root.style.height !== `${height}px`) v.root.style.height = `${height}px`;
}

function scrollerOf(element) {
  for (let node = element; node; node = node.parentNode ?? node.host)
    if (node.scrollTop > 0) return node;
  return null;
}

/** Shows the picture and findings of a new header and its grids; view, window and choice stay when the picture stayed. */
function showHeader(v, header, grids) {
  const which = (h) => (h.picture ? `${h.picture} ${h.frame}` : JSON.stringify([h.frame, h.windows, h.arrays[h.scan]?.digest]));
  const samePicture = v.header && which(v.header) === which(header);
  const sameSlice = samePicture && v.header.arrays[v.header.scan]?.digest === header.arrays[header.scan]?.digest, sameNames = v.header && v.findings.map((f) => f.name).join("\n") === header.findings.map((f) => f.name).join("\n");
  v.header = header;
  v.loaded++;
  v.grids = grids;
  v.findings = header.findings;
  v.root.dataset.kind = header.kind;
  v.root.classList.toggle("alone", !header.findings.length && !header.blank);
  v.root.classList.toggle("quiet", Boolean(header.blank));
  v.root.classList.toggle("still", Boolean(header.blank && !header.blank.counterfactuals));
  v.root.dataset.blank = header.blank?.words ?? "";
  if (!samePicture) v.wanted = null;
  if (!samePicture || v.slice === header.slices?.index) v.slice = null; // until then the hand is ahead of the pictures
  if (!samePicture) v.handled = false;
  writeHead(v);
  if (!samePicture) Object.assign(v, startingLook(), { cross: null });
  const spacing = header.spacing_mm;
  v.view = samePicture ? v.view : { s: 1, cx: 0, cy: 0, aspect: spacing ? spacing[0] / spacing[1] : header.pixel_aspect ?? 1, fitted: true };
  if (!sameNames || !sameSlice) {
    v.amounts = new Map(v.findings.map((finding) => [finding.name, startAmount(finding)]));
    v.also = new Set();
    v.past = [];
    v.finding = (v.findings.find((finding) => finding.name === v.wanted) ?? v.findings[0])?.name ?? null;
  }
  buildPanels(v);
  buildFindings(v);
  buildToolbar(v);
  fitHeight(v);
  layoutPanels(v);
  showChoice(v);
  if (v.handled && (!sameNames || !sameSlice) && v.finding !== null) sendSoon(v); // what Python remembers were other amounts
}

function writeHead(v) {
  const { title = "", badges = [] } = v.header;
  setText(v.root.querySelector(".title"), title);
  v.root.querySelector(".head").hidden = !title && !badges.length;
  v.root.querySelector(".badges").replaceChildren(...badges.map(([words, kind]) => make("span", `badge ${kind}`, {}, words)));
}

function closeView(v) {
  v.closed = true;
  v.deaf();
  v.resized.disconnect();
  window.removeEventListener("resize", v.windowResized);
  cancelAnimationFrame(v.frame);
  clearInterval(v.blinking);
  clearTimeout(v.sending);
  clearTimeout(v.turning);
  if (views.get(v.header.key)?.view === v) views.delete(v.header.key);
}

/** Fetches what a header shows and the mount does not have yet, and shows it, unless another header has come meanwhile. */
async function load(mount, parent, header, wanted) {
  let all;
  if (!mount.view) setText(parent.querySelector(".title"), header.title ?? "");
  try {
    all = await fetchGrids(header.arrays, mount.kept);
  } catch (reason) {
    if (mount.wanted !== wanted) return;
    mount.wanted = "";
    if (mount.tries++ < 2) mount.askAgain(); // the tokens have ended: Python gives new ones
    else setText(parent.querySelector(".title"), "The pixels could not be fetched. Reload the page.");
    return;
  }
  if (mount.wanted !== wanted) return;
  mount.kept = all;
  mount.tries = 0;
  const v = (mount.view ??= openView(parent));
  Object.assign(v, { send: mount.send, turn: mount.turn });
  showHeader(v, header, header.arrays.map((entry) => all.get(nameOf(entry))));
  v.root.dataset.blobs = Number(v.root.dataset.blobs ?? 0) + 1;
  mount.shown = wanted;
  const slot = views.get(header.key) ?? {};
  Object.assign(slot, { view: v, hear: (news) => mount.shown === mount.wanted && hearNews(v, news) });
  views.set(header.key, slot);
  if (slot.news && slot.news !== v.news) hearNews(v, slot.news);
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const header = structuredClone(data); // the view writes into it
  let mount = mounted.get(parentElement);
  if (!mount) mounted.set(parentElement, (mount = { view: null, wanted: "", shown: "", kept: new Map(), tries: 0 }));
  mount.send = (state) => setStateValue("view", state);
  mount.turn = (index) => setTriggerValue("slice", index);
  mount.askAgain = () => setTriggerValue("again", true);
  if (mount.view) Object.assign(mount.view, { send: mount.send, turn: mount.turn });
  const wanted = JSON.stringify({ ...header, arrays: header.arrays.map(nameOf) });
  if (mount.wanted !== wanted) {
    mount.wanted = wanted;
    if (mount.shown !== wanted) load(mount, parentElement, header, wanted);
  }
  return () => {
    mount.wanted = null;
    mounted.delete(parentElement);
    if (mount.view) closeView(mount.view);
  };
}
