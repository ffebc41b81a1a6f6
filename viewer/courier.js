// Carries small news (what is chosen, joint probabilities) from Python to a view that already has its pixels.

const views = (globalThis[Symbol.for("otherwise.views")] ??= new Map());

export default function ({ data }) {
  const slot = views.get(data.to) ?? {};
  slot.news = data;
  views.set(data.to, slot);
  slot.hear?.(data);
}
