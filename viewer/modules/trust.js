// How far to trust a counterfactual, in one line: the same scan still, like a scan at all, and what the model's record is.

import { lower } from "./numbers.js";
import { along } from "./path.js";

/** What is said of the chosen finding's counterfactual at amount `a`; "" where nothing is known of it. */
export function trustWords(finding, a, noun) {
  const { trust } = finding;
  if (!trust) return "";
  const alike = along(trust.steps, trust.similarity, a);
  const words = [`SSIM to the ${noun} ${alike.toFixed(2)}`];
  if (trust.likeness) {
    const distance = along(trust.steps, trust.likeness, a);
    words.push(distance <= 1 ? `like the training ${noun}s` : `unlike the training ${noun}s`);
  }
  words.push(`for ${lower(finding.name)} this model ${trust.record}`);
  return words.join(" \u00b7 ");
}
