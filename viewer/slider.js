// The counterfactual slider under its own curve of probability.

const SVG = "http://www.w3.org/2000/svg";
const CURVE = { side: 10, top: 10, bottom: 34 };

function shape(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Draws the chosen finding's curve when it or the width changed, then puts thumb, dot and words where they belong. */
function drawCurve(v) {
  const finding = v.byName.get(v.finding), width = v.curve.clientWidth, height = v.curve.clientHeight;
  if (!v.change || !width || !height) return;
  const most = largest(finding), right = width - CURVE.side, floor = height - CURVE.bottom;
  const x = (a) => CURVE.side + (a / most) * (right - CURVE.side), y = (p) => floor - p * (floor - CURVE.top);
  const drawn = `${v.loaded} ${v.finding} ${width} ${height}`;
  if (v.curveDrawn !== drawn) {
    v.curveDrawn = drawn;
    const flip = flipOf(finding), line = finding.steps.map((a, k) => `${k ? "L" : "M"}${x(a)} ${y(finding.probabilities[k])}`);
    v.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const end = finding.counterfactual ? "otherwise" : "without";
    const high = finding.probabilities.at(-1) > finding.threshold;
    v.svg.replaceChildren(
      shape("line", { class: "operating", x1: x(0), x2: right, y1: y(finding.threshold), y2: y(finding.threshold) }),
      shape("text", { class: "quiet", x: right, y: y(finding.threshold) + (high ? 13 : -5), "text-anchor": "end" }, `operating point ${finding.threshold.toFixed(2)}`),
      ...(flip === null ? [] : [
        shape("line", { class: "flips alone", x1: x(flip), x2: x(flip), y1: 2, y2: floor + 8 }),
        shape("text", { class: "flipname alone", x: x(flip) + 5, y: 11 }, "flips"),
      ]),
      shape("path", { class: "probability alone", d: line.join(" ") }),
      shape("circle", { class: "here", r: 3.5 }),
      shape("text", { class: "quiet", x: x(0) - 4, y: height - 2 }, "0 scan"),
      ...(most > 1 ? [shape("text", { class: "quiet", x: x(1), y: height - 2, "text-anchor": "middle" }, `1 ${end}`)] : []),
      shape("text", { class: "quiet", x: right + 4, y: height - 2, "text-anchor": "end" }, most > 1 ? most.toFixed(1) : `${most} ${end}`),
    );
  }
  const a = v.amounts.get(v.finding), p = probabilityWithout(v), several = takenAway(v).length > 1;
  const here = v.svg.querySelector(".here");
  here.setAttribute("cx", x(a));
  here.setAttribute("cy", y(p ?? 0));
  here.toggleAttribute("hidden", p === null);
  writeFlip(v, finding, p, several);
  v.thumb.style.left = `${x(a)}px`;
  v.done.style.width = `${(100 * a) / most}%`;
  for (const [name, value] of [["valuemin", 0], ["valuemax", most], ["valuenow", a],
    ["valuetext", `${a.toFixed(2)} of ${lower(v.finding)} taken away, ${p === null ? "the model is asked" : `probability ${p.toFixed(2)}`}, operating point ${finding.threshold.toFixed(2)}`]])
    v.thumb.setAttribute(`aria-${name}`, value);
  v.root.dataset.amount = a;
  writeFacts(v, finding, p);
}

/** Where the decision flips: along the chosen finding's own path, or whether it does with several taken away together. */
function writeFlip(v, finding, p, several) {
  const flip = flipOf(finding), call = finding.probability > finding.threshold;
  v.curve.classList.toggle("together", several);
  if (!call) return setText(v.flip, "Below its operating point as it is");
  if (several) return setText(v.flip, p === null ? "The model is asked" : p > finding.threshold ? "Together they do not flip the decision" : "Together they flip the decision");
  setText(v.flip, flip === null ? `The decision does not flip up to a = ${largest(finding)}` : `The decision flips at a = ${flip.toFixed(2)}`);
}

function writeFacts(v, finding, p) {
  const several = takenAway(v).length > 1;
  const rows = [[several ? "all together" : "probability", p === null ? "not asked yet" : `${finding.probability.toFixed(2)} to ${p.toFixed(2)}`]];
  const all = several ? rows : [...rows, ...finding.facts]; // the facts are about one finding alone
  const drawn = JSON.stringify(all);
  if (v.factsDrawn === drawn) return;
  v.factsDrawn = drawn;
  v.facts.replaceChildren(...all.map(([label, value]) => make("div", "", {}, make("dt", "", {}, label), make("dd", "", {}, value))));
}

function listenToSlider(v) {
  const { curve, thumb } = v;
  let dragging = false;
  const follow = (event) => {
    const box = curve.getBoundingClientRect(), finding = v.byName.get(v.finding);
    const share = (event.clientX - box.left - CURVE.side) / (box.width - 2 * CURVE.side);
    setAmount(v, v.finding, share * largest(finding));
  };
  curve.onpointerdown = (event) => {
    if (event.button !== 0 || !v.change) return;
    event.preventDefault();
    thumb.focus({ preventScroll: true });
    curve.setPointerCapture(event.pointerId);
    dragging = v.moving = true;
    remember(v);
    follow(event);
  };
  curve.onpointermove = (event) => dragging && follow(event);
  curve.onpointerup = curve.onpointercancel = () => {
    if (!dragging) return;
    dragging = false;
    rest(v);
    sendSoon(v);
  };
}

/** Moves the slider from the keyboard. */
function stepAmount(v, by) {
  if (!v.change) return;
  remember(v, `step ${v.finding}`);
  setAmount(v, v.finding, v.amounts.get(v.finding) + by);
  sendSoon(v);
}
