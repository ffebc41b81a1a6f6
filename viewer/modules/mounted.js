// The views on the page by their key, and the latest update for each: {view, hear, news}. The two components share
// this module.

export const views = new Map();

const latest = new WeakMap(); // by element: the newest mount on it

/**
 * What takes a mount down, unless a newer one stands on the same element: when two follow each other quickly, Streamlit
 * takes the older down after the newer has come.
 */
export function unlessNewer(element, takeDown) {
  const mount = {};
  latest.set(element, mount);
  return () => {
    if (latest.get(element) === mount) takeDown();
  };
}
