// A component of its own: passes what is small (the choice, joint probabilities) from Python to a view that already
// has its pixels.

import { views } from "./mounted.js";

export default function update({ data }) {
  const slot = views.get(data.to) ?? {};
  slot.news = data;
  views.set(data.to, slot);
  slot.hear?.(data);
}
