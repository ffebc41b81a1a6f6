// A view turned by quarters and mirrored: every film is, with all that lies on it, and hands are brought back onto it.
//
// A turn is {quarters, mirrored}: mirrored first, left for right, then turned clockwise. Sizes and places of a film are
// its own, before that.

/** The width and height that a film has itself, where it takes up `wide` x `high` on the page. */
export const ownSize = ({ quarters }, wide, high) => (quarters % 2 ? [high, wide] : [wide, high]);

/** As a CSS transform around the upper left corner of a film of `width` x `height`. */
export function transformOf({ quarters, mirrored }, width, height) {
  const [a, b, c, d, e, f] = [
    [1, 0, 0, 1, 0, 0],
    [0, 1, -1, 0, height, 0],
    [-1, 0, 0, -1, width, height],
    [0, -1, 1, 0, 0, width],
  ][quarters];
  const matrix = mirrored ? [-a, -b, c, d, e + a * width, f + b * width] : [a, b, c, d, e, f];
  return `matrix(${matrix.join(", ")})`;
}

/** What sets something on a film upright again, around its own middle. */
export const upright = ({ quarters, mirrored }) => `scaleX(${mirrored ? -1 : 1}) rotate(${-90 * quarters}deg)`;

/** Where on the film {x, y} from the upper left corner of what it takes up on the page lies. */
export function backOnto({ quarters, mirrored }, { x, y }, width, height) {
  const [own, down] = [
    [x, y],
    [y, height - x],
    [width - x, height - y],
    [width - y, x],
  ][quarters];
  return { x: mirrored ? width - own : own, y: down };
}

/** A movement on the page as a movement on the film. */
export function movedOnto({ quarters, mirrored }, dx, dy) {
  const [own, down] = [
    [dx, dy],
    [dy, -dx],
    [-dx, -dy],
    [-dy, dx],
  ][quarters];
  return [mirrored ? -own : own, down];
}

/** Where a share {u, v} of a film's own lies as it is shown. */
export function asShown({ quarters, mirrored }, { u, v }) {
  const own = mirrored ? 1 - u : u;
  const [x, y] = [
    [own, v],
    [1 - v, own],
    [1 - own, 1 - v],
    [v, 1 - own],
  ][quarters];
  return { u: x, v: y };
}

/** A quarter clockwise more, as it is shown. */
export const quarterMore = ({ quarters, mirrored }) => ({ quarters: (quarters + 1) % 4, mirrored });

/** Left for right, as it is shown. */
export const mirroredOnce = ({ quarters, mirrored }) => ({ quarters: (4 - quarters) % 4, mirrored: !mirrored });

/** "mirrored, turned by 90 degrees"; nothing where it is as stored. */
export const turnWords = ({ quarters, mirrored }) =>
  [mirrored ? "mirrored" : "", quarters ? `turned by ${90 * quarters}\u00b0` : ""].filter(Boolean).join(", ");

/** Lays every film as the turn has it, at `wide` x `high` on the page. */
export function layFilms({ turn, content, dom }, wide, high) {
  const [width, height] = ownSize(turn, wide, high);
  const plain = !turn.quarters && !turn.mirrored;
  dom.root.style.setProperty("--upright", upright(turn));
  for (const { film } of content.panels) {
    film.style.width = plain ? "" : `${width}px`;
    film.style.height = plain ? "" : `${height}px`;
    film.style.transform = plain ? "" : transformOf(turn, width, height);
  }
  dom.turned.textContent = turnWords(turn);
  dom.turned.hidden = plain;
}
