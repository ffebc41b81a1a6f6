// One view: its state, its life from mount to unmount, and its fit into the browser window.

import { stopCine } from "./cine.js";
import { showChoice } from "./choice.js";
import { drawCurve } from "./curve.js";
import { make, setText } from "./dom.js";
import { draw } from "./drawing.js";
import { buildFindings } from "./findings.js";
import { listenToHands } from "./gestures.js";
import { listenToKeys } from "./keys.js";
import { fetchSlices } from "./arrivals.js";
import { openLayout } from "./layouts.js";
import { buildPanels, layPlanes, layoutPanels, takeMaps } from "./panels.js";
import { startAmount } from "./path.js";
import { write } from "./readout.js";
import { listenToScrubber, measureScrubber, rememberSlice } from "./scrubber.js";
import { sendSoon } from "./selection.js";
import { askSoon, goToSlice, middleOf, placeOf, showSlices } from "./slices.js";
import { listenToSlider } from "./slider.js";
import { startingLook, stateOf } from "./state.js";
import { buildToolbar } from "./toolbar.js";

export function openView(parent) {
  const root = parent.querySelector(".viewer");
  const view = stateOf(root);
  Object.assign(view.drawing, { draw, write });
  listenToHands(view);
  listenToSlider(view);
  listenToKeys(view);
  listenToScrubber(view, goToSlice);
  view.life.resized = new ResizeObserver(() => {
    fitHeight(view);
    layoutPanels(view);
    if (view.selection.finding !== null) drawCurve(view);
    measureScrubber(view);
    if (view.content.header) showSlices(view);
  });
  view.life.resized.observe(view.dom.stage);
  view.life.resized.observe(view.dom.curve);
  view.life.resized.observe(view.dom.scrubber);
  const page = root.getRootNode().host?.closest("[data-testid=stMainBlockContainer]");
  if (page) view.life.resized.observe(page);
  view.life.covered = () => document.hidden && stopCine(view);
  document.addEventListener("visibilitychange", view.life.covered);
  view.life.windowResized = () => fitHeight(view);
  window.addEventListener("resize", view.life.windowResized);
  return view;
}

/** Takes what is left of the browser window below the view's upper edge, unless Python named a height. */
function fitHeight(view) {
  const top = view.dom.root.getBoundingClientRect().top + (scrollerOf(view.dom.root)?.scrollTop ?? 0);
  const least = view.content.header.least_height ?? 520;
  const height = view.content.header.height ?? Math.max(least, Math.floor(window.innerHeight - Math.max(0, top) - 16));
  view.dom.root.style.minHeight = `${least}px`;
  if (view.dom.root.style.height !== `${height}px`) view.dom.root.style.height = `${height}px`;
}

function scrollerOf(element) {
  for (let node = element; node; node = node.parentNode ?? node.host) if (node.scrollTop > 0) return node;
  return null;
}

/** Which picture a header is about; view and window stay while it is the same. */
const pictureOf = (header) =>
  header.picture
    ? `${header.picture} ${header.volume?.shape ?? header.frame}`
    : JSON.stringify([header.frame, header.windows, digestOf(header)]);

/** What findings are about: the picture, the volume, or one slice of it. */
const digestOf = (header) =>
  `${header.arrays[header.scan]?.digest} ${header.volume?.findings_of_slice ? header.volume.index : ""}`;

const namesOf = (header) => header.findings.map((finding) => finding.name).join("\n");

/**
 * Shows the picture and findings of a new header and its grids; view, window and choice stay when the picture stayed.
 */
export function showHeader(view, header, grids) {
  const { content, dom } = view;
  const before = content.header;
  const samePicture = before && pictureOf(before) === pictureOf(header);
  const sameChoice = samePicture && digestOf(before) === digestOf(header) && namesOf(before) === namesOf(header);
  const scan = header.volume ? grids[header.scan] : null;
  Object.assign(content, { header, grids, findings: header.findings, scan, loaded: content.loaded + 1 });
  dom.root.dataset.kind = header.kind;
  dom.root.dataset.scan = header.scan_sha256 ?? "";
  dom.root.classList.toggle("alone", !header.findings.length && !header.blank);
  dom.root.classList.toggle("quiet", Boolean(header.blank));
  dom.root.classList.toggle("still", Boolean(header.blank && !header.blank.counterfactuals));
  dom.root.dataset.blank = header.blank?.words ?? "";
  if (!samePicture) beginAnew(view);
  if (!samePicture || before.model !== header.model) content.seen.clear();
  if (!sameChoice) beginChoice(view);
  writeHead(view);
  takeMaps(view);
  buildPanels(view);
  buildFindings(view);
  rememberSlice(view);
  buildToolbar(view);
  fitHeight(view);
  layoutPanels(view);
  showChoice(view);
  showSlices(view);
  fetchSlices(view);
  askSoon(view); // the hand may be further than the answer
  if (view.python.handled && !sameChoice && view.selection.finding !== null) sendSoon(view); // what Python remembers were other amounts
}

/** Another picture: look, zoom and choice begin anew. */
function beginAnew(view) {
  const { content, dom, layout } = view;
  stopCine(view);
  Object.assign(view, startingLook());
  Object.assign(view.crosshair, { at: null, on: true });
  layPlanes(view);
  openLayout(view);
  if (!content.scan) layout.three = false;
  dom.root.classList.toggle("volume", Boolean(content.scan));
  dom.root.classList.toggle("three", layout.three);
  dom.scrubber.hidden = !content.scan;
  if (content.scan) {
    Object.assign(view.slices, { at: middleOf(content.scan), axis: 0 });
    view.slices.at[0] = content.header.volume.index;
    dom.scrubber.setAttribute("aria-valuemin", 1);
    delete dom.root.dataset.firstSlice;
    if (layout.three) view.crosshair.at = placeOf(view);
  }
  view.selection.wanted = null;
  view.python.handled = false;
}

/** Other findings, or another slice: the first finding, or the one last chosen, is taken away fully. */
function beginChoice({ content, selection }) {
  const { findings } = content;
  selection.amounts = new Map(findings.map((finding) => [finding.name, startAmount(finding)]));
  selection.also = new Set();
  selection.past = [];
  content.jointTruth = null;
  selection.finding = (findings.find((finding) => finding.name === selection.wanted) ?? findings[0])?.name ?? null;
}

function writeHead(view) {
  const { title = "", badges = [] } = view.content.header;
  setText(view.dom.root.querySelector(".title"), title);
  view.dom.root.querySelector(".head").classList.toggle("bare", !title && !badges.length);
  view.dom.root
    .querySelector(".badges")
    .replaceChildren(...badges.map(([words, kind]) => make("span", `badge ${kind}`, {}, words)));
}

export function closeView(view) {
  view.life.closed = true;
  view.life.deaf();
  view.life.resized.disconnect();
  window.removeEventListener("resize", view.life.windowResized);
  document.removeEventListener("visibilitychange", view.life.covered);
  stopCine(view);
  cancelAnimationFrame(view.drawing.frame);
  clearInterval(view.timers.blinking);
  clearTimeout(view.timers.sending);
  clearTimeout(view.timers.turning);
  clearTimeout(view.timers.arriving);
}
