// A list of marks, which of them is selected, and what stood before, for undo and redo: {list, selected, past, future}.

const LONGEST = 100;

export const startHistory = (list = []) => ({ list, selected: null, past: [], future: [] });

export const selectedOf = ({ list, selected }) => list.find((mark) => mark.id === selected) ?? null;

/** Makes `list` what stands; what stood can be had back. */
export function commit(history, list, selected = history.selected) {
  history.past.push(history.list);
  if (history.past.length > LONGEST) history.past.shift();
  history.future = [];
  history.list = list;
  history.selected = list.some((mark) => mark.id === selected) ? selected : null;
}

export function add(history, mark) {
  commit(history, [...history.list, mark], mark.id);
}

export function replace(history, mark) {
  commit(
    history,
    history.list.map((own) => (own.id === mark.id ? mark : own)),
  );
}

export function remove(history, id) {
  commit(
    history,
    history.list.filter((mark) => mark.id !== id),
  );
}

/** Takes the last change back; false where there is none. */
export const undo = (history) => turn(history, history.past, history.future);

/** Makes the last change that was taken back again; false where there is none. */
export const redo = (history) => turn(history, history.future, history.past);

function turn(history, from, to) {
  const list = from.pop();
  if (!list) return false;
  to.push(history.list);
  history.list = list;
  if (!selectedOf(history)) history.selected = null;
  return true;
}
