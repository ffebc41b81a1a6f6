// Elements of the page: strings become text, never markup.

/** An element with a class, attributes and children; strings become text, never markup. */
export function make(tag, className = "", attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Says something to a screen reader. */
export function say(view, words) {
  setText(view.dom.said, words);
}
