// The column beside a view that is drawn on: its instruments, the list of what is drawn, and the fields of what is chosen.

import { changed, edited, lockedBy, unsaved, wordsOf } from "./annotating.js";
import { make, setText } from "./dom.js";
import { replace, selectedOf } from "./history.js";
import { AIDS, PENS } from "./instruments.js";
import { goToSlice } from "./slices.js";

const LOOKING = ["choose", "lens", "shutter", "rotate", "flip"]; // what may be used where nobody may draw
const NAMES = {
  ...{ box: "Box", polygon: "Polygon", freehand: "Freehand", brush: "Brush" },
  ...{ length: "Length", angle: "Angle", area: "Ellipse" },
};

/** Builds the column once; returns what writes it anew. */
export function buildColumn(root, drawing) {
  const find = (name) => root.querySelector(name);
  const buttons = new Map();
  for (const [place, instruments] of [
    [find(".pens"), PENS],
    [find(".aids"), AIDS],
  ]) {
    place.replaceChildren();
    for (const one of instruments) {
      const button = make(
        "button",
        "instrument",
        { type: "button", title: `${one.label}: ${one.help} (${one.hint})`, "data-instrument": one.id },
        make("span", "", {}, one.label),
        make("kbd", "", {}, one.hint),
      );
      button.onclick = () => {
        one.run(drawing);
        drawing.view?.dom.stage.focus({ preventScroll: true });
      };
      buttons.set(one, button);
      place.append(button);
    }
  }
  const label = find(".label");
  const comment = find(".comment");
  const takeWords = () => {
    const mark = selectedOf(drawing.history);
    if (!mark || lockedBy(drawing)) return;
    const [words, said] = [label.value.trim().slice(0, 200), comment.value.trim().slice(0, 4000)];
    if (mark.label === words && mark.comment === said) return;
    replace(drawing.history, { ...mark, label: words, comment: said });
    edited(drawing);
  };
  label.onchange = takeWords;
  comment.onchange = takeWords;
  label.onkeydown = (event) => event.key === "Enter" && label.blur();
  const rows = new Map();
  let wroteFor = null;

  const write = () => {
    const { given, history } = drawing;
    if (!given) return;
    const locked = lockedBy(drawing);
    for (const [one, button] of buttons) {
      if (one.on) button.setAttribute("aria-pressed", String(Boolean(one.on(drawing))));
      button.disabled = Boolean(locked) && !LOOKING.includes(one.id);
    }
    setText(find(".state"), stateWords(drawing));
    find(".state").className = `state ${given.trouble || (unsaved(drawing) && drawing.late) ? "bad" : ""}`;
    setText(find(".why"), locked);
    writeRows(drawing, find(".list"), rows);
    setText(find(".none"), history.list.length ? "" : "Nothing is drawn yet.");
    const mark = selectedOf(history);
    find(".fields").hidden = !mark;
    if (!mark) return void (wroteFor = null);
    const active = root.getRootNode().activeElement;
    if (wroteFor !== mark.id || active !== label) label.value = mark.label;
    if (wroteFor !== mark.id || active !== comment) comment.value = mark.comment;
    wroteFor = mark.id;
    label.disabled = comment.disabled = Boolean(locked);
    setText(find(".of"), mark.reader ? `drawn by ${mark.reader}` : "");
    const labels = find("datalist");
    if (labels.dataset.of !== String(given.labels)) {
      labels.dataset.of = String(given.labels);
      labels.replaceChildren(...given.labels.map((value) => make("option", "", { value })));
    }
  };
  return write;
}

const UNANSWERED = "Not saved: no connection; it is sent again";

/** What stands under the list: whether all that is drawn is saved. */
export function stateWords(drawing) {
  const { given } = drawing;
  if (given.trouble) return given.trouble;
  if (unsaved(drawing)) return drawing.late ? UNANSWERED : "Saving \u2026";
  return given.saved;
}

/** One line for each mark, kept while the mark is there. */
function writeRows(drawing, list, rows) {
  const { list: marks, selected } = drawing.history;
  for (const [id, row] of rows)
    if (!marks.some((mark) => mark.id === id)) {
      row.element.remove();
      rows.delete(id);
    }
  marks.forEach((mark, place) => {
    let row = rows.get(mark.id);
    if (!row) {
      const [name, words] = [make("b"), make("span")];
      row = { name, words, element: make("button", "mark", { type: "button", role: "option" }, name, words) };
      row.element.onclick = () => {
        drawing.history.selected = mark.id;
        const now = drawing.history.list.find(({ id }) => id === mark.id);
        if (now) show(drawing.view, now);
        changed(drawing);
      };
      rows.set(mark.id, row);
    }
    if (list.children[place] !== row.element) list.insertBefore(row.element, list.children[place] ?? null);
    setText(row.name, mark.label || NAMES[mark.kind]);
    const where = mark.slice === null ? "" : `, slice ${mark.slice + 1}`;
    setText(row.words, `${wordsOf(drawing.view, drawing, mark)}${where}`);
    row.element.setAttribute("aria-selected", String(mark.id === selected));
    if (mark.id === selected) row.element.scrollIntoView({ block: "nearest" });
  });
}

/** Turns a volume to the slice that a mark lies on. */
function show(view, { slice, axis }) {
  if (view?.content.scan && slice !== null) goToSlice(view, slice, axis);
}
