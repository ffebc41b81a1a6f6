// The component as Streamlit mounts it: fetches what a header shows, and shows it.

import { fetchSlices } from "./arrivals.js";
import { fetchGrids, nameOf, renewTokens } from "./arrays.js";
import { setText } from "./dom.js";
import { equip } from "./equipping.js";
import { unlessNewer, views } from "./mounted.js";
import { hearNews } from "./selection.js";
import { closeView, openView, showHeader } from "./view.js";

const mounted = new WeakMap();

/**
 * Fetches what a header shows and the mount does not have yet, and shows it, unless another header has come meanwhile.
 */
async function load(mount, parent, header, wanted) {
  let all;
  if (!mount.view) setText(parent.querySelector(".title"), header.title ?? "");
  try {
    all = await fetchGrids(header.arrays, mount.kept);
  } catch {
    if (mount.wanted !== wanted) return;
    mount.wanted = "";
    if (mount.tries++ < 2)
      mount.askAgain(); // the tokens have ended: Python gives new ones
    else setText(parent.querySelector(".title"), "The pixels could not be fetched. Reload the page.");
    return;
  }
  if (mount.wanted !== wanted) return;
  mount.kept = all;
  mount.tries = 0;
  const view = (mount.view ??= openView(parent));
  Object.assign(view.python, { send: mount.send, turn: mount.turn, again: mount.askAgain });
  showHeader(
    view,
    header,
    header.arrays.map((entry) => all.get(nameOf(entry))),
  );
  view.dom.root.dataset.blobs = Number(view.dom.root.dataset.blobs ?? 0) + 1;
  mount.shown = wanted;
  const slot = views.get(header.key) ?? {};
  Object.assign(slot, { view, hear: (news) => mount.shown === mount.wanted && hearNews(view, news) });
  views.set(header.key, slot);
  equip(view, header.key);
  if (slot.news && slot.news !== view.python.news) hearNews(view, slot.news);
}

export default function mountViewer({ data, parentElement, setStateValue, setTriggerValue }) {
  const header = structuredClone(data); // the view writes into it
  let mount = mounted.get(parentElement);
  if (!mount) mounted.set(parentElement, (mount = { view: null, wanted: "", shown: "", kept: new Map(), tries: 0 }));
  mount.send = (state) => setStateValue("view", state);
  mount.turn = (index) => setTriggerValue("slice", index);
  mount.askAgain = () => setTriggerValue("again", true);
  if (mount.view) Object.assign(mount.view.python, { send: mount.send, turn: mount.turn, again: mount.askAgain });
  renewTokens(header.arrays, mount.kept);
  if (mount.view) fetchSlices(mount.view);
  const wanted = JSON.stringify({ ...header, arrays: header.arrays.map(nameOf) });
  if (mount.wanted !== wanted) {
    mount.wanted = wanted;
    if (mount.shown !== wanted) load(mount, parentElement, header, wanted);
  }
  return unlessNewer(parentElement, () => {
    mount.wanted = null;
    mounted.delete(parentElement);
    if (!mount.view) return;
    closeView(mount.view);
    if (views.get(header.key)?.view === mount.view) views.delete(header.key);
  });
}
