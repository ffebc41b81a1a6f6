import assert from "node:assert/strict";
import test from "node:test";

import * as counterfactual from "../../viewer/modules/counterfactual.js";
import { listed } from "../../viewer/modules/numbers.js";

const finding = (name, probability, more = {}) => ({
  name,
  probability,
  threshold: 0.5,
  steps: [0, 1],
  probabilities: [probability, probability / 4],
  truth: `truth of ${name}`,
  counterfactual: "",
  ...more,
});

/** A view of three findings with `names` taken away, the first of them selected. */
function viewOf(
  names,
  amounts = {},
  findings = [finding("Effusion", 0.8), finding("Edema", 0.6), finding("Mass", 0.3)],
) {
  return {
    content: { change: {}, findings, byName: new Map(findings.map((f) => [f.name, f])), jointTruth: null },
    selection: {
      finding: names[0],
      also: new Set(names.slice(1)),
      amounts: new Map(findings.map((f) => [f.name, amounts[f.name] ?? 1])),
    },
    python: { news: null },
  };
}

test("names are listed as a sentence lists them", () => {
  assert.deepEqual(
    [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])],
    ["", "a", "a and b", "a, b and c"],
  );
});

test("the selected finding comes first, and one whose answer means nothing is never taken away", () => {
  assert.deepEqual(counterfactual.takenAway(viewOf(["Mass", "Effusion", "Edema"])), ["Mass", "Effusion", "Edema"]);
  const unsure = [finding("Effusion", 0.8), finding("Edema", 0.6, { unsure: true })];
  assert.deepEqual(counterfactual.takenAway(viewOf(["Effusion", "Edema"], {}, unsure)), ["Effusion"]);
  assert.deepEqual(counterfactual.takenAway(viewOf(["Edema"], {}, unsure)), []);
});

test("one finding has the probability of its own path", () => {
  assert.ok(Math.abs(counterfactual.probabilityWithout(viewOf(["Effusion"])) - 0.2) < 1e-12);
  assert.ok(Math.abs(counterfactual.probabilityWithout(viewOf(["Effusion"], { Effusion: 0.5 })) - 0.5) < 1e-12);
});

test("several have the model's own answer, and only while it is about these very amounts", () => {
  const view = viewOf(["Effusion", "Edema"], { Edema: 0.5 });
  assert.equal(counterfactual.probabilityWithout(view), null);
  assert.equal(counterfactual.probabilityNow(view), "asking the model");
  view.python.news = { amounts: { Effusion: 1, Edema: 0.5 }, joint: { Effusion: 0.1, Edema: 0.3, Mass: 0.25 } };
  assert.equal(counterfactual.probabilityWithout(view), 0.1);
  assert.equal(counterfactual.jointNow(view).Mass, 0.25);
  assert.equal(counterfactual.probabilityNow(view), "p 0.10 together");
  view.selection.amounts.set("Edema", 0.51);
  assert.equal(counterfactual.probabilityWithout(view), null);
  view.selection.amounts.set("Edema", 0.5);
  view.selection.also.add("Mass");
  assert.equal(counterfactual.probabilityWithout(view), null);
});

test("the truth of several is the joint one, not that of the selected finding", () => {
  const view = viewOf(["Effusion"]);
  assert.equal(counterfactual.truthNow(view), "truth of Effusion");
  view.selection.also.add("Edema");
  assert.equal(counterfactual.truthNow(view), null);
  view.content.jointTruth = { names: ["Edema", "Effusion"], source: "both" };
  assert.equal(counterfactual.truthNow(view), "both");
  view.selection.finding = "Mass";
  view.selection.also = new Set(["Effusion"]);
  assert.equal(counterfactual.truthNow(view), null);
});

test("a title names one or two findings and counts more, and a screen reader hears all", () => {
  assert.equal(counterfactual.titled(viewOf(["Effusion"])), "Without effusion");
  assert.equal(counterfactual.titled(viewOf(["Effusion", "Mass"])), "Without effusion and mass");
  const three = viewOf(["Effusion", "Edema", "Mass"], { Edema: 0.8 });
  assert.equal(counterfactual.titled(three), "Without 3 findings");
  assert.equal(counterfactual.titledInFull(three), "Without effusion, edema (0.80) and mass");
  const long = [finding("Enlarged cardiomediastinum", 0.8), finding("Pleural thickening", 0.6)];
  assert.equal(
    counterfactual.titled(
      viewOf(
        long.map((f) => f.name),
        {},
        long,
      ),
    ),
    "Without 2 findings",
  );
});

test("a finding told from another has a title of its own, but not together with a second one", () => {
  const named = [
    finding("Malignant", 0.8, { counterfactual: "With benign instead of malignant" }),
    finding("Mass", 0.6),
  ];
  assert.equal(counterfactual.titled(viewOf(["Malignant"], {}, named)), "With benign instead of malignant");
  assert.equal(counterfactual.titled(viewOf(["Malignant", "Mass"], {}, named)), "Without malignant and mass");
});

test("the sentence says what becomes of the call", () => {
  const said = (probability, joint) => {
    const view = viewOf(["Effusion", "Edema"], {}, [finding("Effusion", probability), finding("Edema", 0.6)]);
    view.python.news = { amounts: { Effusion: 1, Edema: 1 }, joint: { Effusion: joint } };
    return counterfactual.sentenceTogether(view);
  };
  assert.match(
    said(0.8, 0.2),
    /^With effusion and edema taken away together, .* from 0\.80 to 0\.20; .* it would say no\.$/,
  );
  assert.match(said(0.8, 0.7), /it would still say yes\.$/);
  assert.match(said(0.3, 0.2), /it says no, as before\.$/);
  assert.match(said(0.3, 0.7), /it would now say yes\.$/);
});

test("a finding that rises above its operating point when others are taken away is named", () => {
  const all = [finding("Effusion", 0.8), finding("Edema", 0.6), finding("Mass", 0.3), finding("Nodule", 0.2)];
  const view = viewOf(["Effusion", "Edema"], {}, all);
  const saying = (joint) => {
    view.python.news = { amounts: { Effusion: 1, Edema: 1 }, joint };
    return counterfactual.sentenceTogether(view);
  };
  const calm = { Effusion: 0.2, Edema: 0.1, Mass: 0.4, Nodule: 0.1 };
  assert.match(saying(calm), /it would say no\.$/);
  assert.deepEqual(counterfactual.risen(view), []);
  assert.match(
    saying({ ...calm, Mass: 0.7 }),
    /it would say no\. Mass \(from 0\.30 to 0\.70\) rises above its operating point\.$/,
  );
  assert.match(
    saying({ ...calm, Mass: 0.7, Nodule: 0.9 }),
    / Mass \(from 0\.30 to 0\.70\) and nodule \(from 0\.20 to 0\.90\) rise above their operating points\.$/,
  );
  assert.deepEqual(
    counterfactual.risen(view).map((f) => f.name),
    ["Mass", "Nodule"],
  );
  view.content.byName.get("Mass").unsure = true;
  assert.deepEqual(
    counterfactual.risen(view).map((f) => f.name),
    ["Nodule"],
  );
  view.selection.also.clear();
  assert.deepEqual(counterfactual.risen(view), []);
});
