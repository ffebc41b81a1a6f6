import assert from "node:assert/strict";
import test from "node:test";

import { trustWords } from "../../viewer/modules/trust.js";

const trust = { steps: [0, 0.5, 1], similarity: [1, 0.98, 0.9], likeness: [0.5, 0.8, 1.2], record: "brings 13 %" };

test("what is said follows the slider between the steps that were looked at", () => {
  const finding = { name: "Effusion", trust };
  assert.equal(
    trustWords(finding, 0.75, "film"),
    "SSIM to the film 0.94 \u00b7 like the training films \u00b7 for effusion this model brings 13 %",
  );
  assert.match(trustWords(finding, 1, "film"), /SSIM to the film 0\.90 .* unlike the training films/);
  assert.match(trustWords(finding, 0, "film"), /1\.00/);
});

test("where the detector is not known nothing is said of it, and where nothing is known nothing at all", () => {
  const words = trustWords({ name: "Edema", trust: { ...trust, likeness: null } }, 1, "film");
  assert.equal(words.includes("training films"), false);
  assert.equal(trustWords({ name: "Edema", trust: null }, 1, "film"), "");
});
