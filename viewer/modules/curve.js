// The curve of probability above the slider, and the numbers beside it.

import { probabilityWithout, together } from "./counterfactual.js";
import { make, setText } from "./dom.js";
import { lower } from "./numbers.js";
import { flipOf, largest } from "./path.js";
import { trustWords } from "./trust.js";

const SVG = "http://www.w3.org/2000/svg";

export const CURVE = { side: 10, top: 10, bottom: 34 };

function shape(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Draws the chosen finding's curve when it or the width changed, then puts thumb, dot and words where they belong. */
export function drawCurve(view) {
  const finding = view.content.byName.get(view.selection.finding);
  const width = view.dom.curve.clientWidth;
  const height = view.dom.curve.clientHeight;
  if (!view.content.change || !width || !height) return;
  const most = largest(finding);
  const right = width - CURVE.side;
  const floor = height - CURVE.bottom;
  const x = (a) => CURVE.side + (a / most) * (right - CURVE.side);
  const y = (p) => floor - p * (floor - CURVE.top);
  const drawn = `${view.content.loaded} ${view.selection.finding} ${width} ${height}`;
  if (view.drawing.curveDrawn !== drawn) {
    view.drawing.curveDrawn = drawn;
    const flip = flipOf(finding);
    const line = finding.steps.map((a, k) => `${k ? "L" : "M"}${x(a)} ${y(finding.probabilities[k])}`);
    view.dom.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const end = finding.counterfactual ? "otherwise" : "without";
    const high = finding.probabilities.at(-1) > finding.threshold;
    view.dom.svg.replaceChildren(
      shape("line", { class: "operating", x1: x(0), x2: right, y1: y(finding.threshold), y2: y(finding.threshold) }),
      shape(
        "text",
        { class: "quiet", x: right, y: y(finding.threshold) + (high ? 13 : -5), "text-anchor": "end" },
        `operating point ${finding.threshold.toFixed(2)}`,
      ),
      ...(flip === null
        ? []
        : [
            shape("line", { class: "flips alone", x1: x(flip), x2: x(flip), y1: 2, y2: floor + 8 }),
            shape("text", { class: "flipname alone", x: x(flip) + 5, y: 11 }, "flips"),
          ]),
      shape("path", { class: "probability alone", d: line.join(" ") }),
      shape("circle", { class: "here", r: 3.5 }),
      shape("text", { class: "quiet joint", x: x(0), y: 11 }, "Taken away together: the model is asked at one point"),
      shape("text", { class: "quiet", x: x(0) - 4, y: height - 2 }, "0 scan"),
      ...(most > 1
        ? [shape("text", { class: "quiet", x: x(1), y: height - 2, "text-anchor": "middle" }, `1 ${end}`)]
        : []),
      shape(
        "text",
        { class: "quiet", x: right + 4, y: height - 2, "text-anchor": "end" },
        most > 1 ? most.toFixed(1) : `${most} ${end}`,
      ),
    );
  }
  const a = view.selection.amounts.get(view.selection.finding);
  const p = probabilityWithout(view);
  const several = together(view);
  const here = view.dom.svg.querySelector(".here");
  here.setAttribute("cx", x(a));
  here.setAttribute("cy", y(p ?? 0));
  here.toggleAttribute("hidden", p === null);
  writeFlip(view, finding, p, several);
  view.dom.thumb.style.left = `${x(a)}px`;
  view.dom.done.style.width = `${(100 * a) / most}%`;
  for (const [name, value] of [
    ["valuemin", 0],
    ["valuemax", most],
    ["valuenow", a],
    [
      "valuetext",
      `${a.toFixed(2)} of ${lower(view.selection.finding)} taken away, ${p === null ? "the model is asked" : `probability ${p.toFixed(2)}`}, operating point ${finding.threshold.toFixed(2)}`,
    ],
  ])
    view.dom.thumb.setAttribute(`aria-${name}`, value);
  view.dom.root.dataset.amount = a;
  writeFacts(view, finding, p);
  const { noun, volume } = view.content.header;
  const what = volume && !volume.findings_of_slice ? "volume" : noun;
  setText(view.dom.trust, several ? "" : trustWords(finding, a, what));
}

/**
 * Where the decision flips: along the chosen finding's own path, or whether it does with several taken away together.
 */
function writeFlip(view, finding, p, several) {
  const flip = flipOf(finding);
  const call = finding.probability > finding.threshold;
  view.dom.curve.classList.toggle("together", several);
  setText(view.dom.question, `How much of ${several ? lower(finding.name) : "the finding"} to take away`);
  if (!call) return setText(view.dom.flip, "Below its operating point as it is");
  if (several)
    return setText(
      view.dom.flip,
      p === null
        ? "The model is asked"
        : p > finding.threshold
          ? "Together they do not flip the decision"
          : "Together they flip the decision",
    );
  setText(
    view.dom.flip,
    flip === null
      ? `The decision does not flip up to a = ${largest(finding)}`
      : `The decision flips at a = ${flip.toFixed(2)}`,
  );
}

function writeFacts(view, finding, p) {
  const several = together(view);
  const rows = [
    [
      several ? `${lower(finding.name)}, all together` : "probability",
      p === null ? "not asked yet" : `${finding.probability.toFixed(2)} to ${p.toFixed(2)}`,
    ],
  ];
  const all = several ? rows : [...rows, ...finding.facts]; // the facts are about one finding alone
  const drawn = JSON.stringify(all);
  if (view.drawing.factsDrawn === drawn) return;
  view.drawing.factsDrawn = drawn;
  view.dom.facts.replaceChildren(
    ...all.map(([label, value]) => make("div", "", {}, make("dt", "", {}, label), make("dd", "", {}, value))),
  );
}
