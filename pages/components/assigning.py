"""The dialog that assigns scans to readers, takes them back, and undoes what was done last."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.review.database import NotSaved, UnusableStore
from engine.review.records import Assignment, UnusableRecord
from engine.review.store import Store
from pages.components import common, desk, review_panel, worklist
from pages.components.background import counted
from pages.components.shelf import Entry

LAST = "last assignments"  # in the session's state: (verb, the assignments that began or ended)


def people(store: Store, entries: Sequence[Entry], me: str) -> list[str]:
    """Who is offered: this reader, whoever has some of the scans, and all names that are known."""
    having = [name for entry in entries for name in entry.assigned]
    return list(dict.fromkeys(filter(None, [me, *having, *store.readers()])))


def dialog(entries: Sequence[Entry]) -> None:
    """Opens it, for scans of the list."""
    st.dialog(f"Assign {counted(len(entries))}", on_dismiss=worklist.done)(_inside)(entries)


def _inside(entries: Sequence[Entry]) -> None:
    try:
        store = desk.store()
        me = review_panel.who_reads()
        if not me:
            st.text("Give your name first: the log keeps who assigned what.")
            return
        _ask(store, entries, me)
    except UnusableStore as error:
        common.line(str(error), "bad")


def _ask(store: Store, entries: Sequence[Entry], me: str) -> None:
    names = people(store, entries, me)
    chosen = st.pills("Who reads", names, key=f"assignee {len(names)}", default=None)
    other = st.text_input("Or another name", key="another assignee", max_chars=80, placeholder="Not verified")
    to = other.strip() or chosen or ""
    scans = [entry.sha256 for entry in entries]
    theirs = sum(to in entry.assigned for entry in entries)
    some = sum(bool(entry.assigned) for entry in entries)
    with st.container(horizontal=True):
        if st.button("Assign", type="primary", disabled=not to or theirs == len(entries), key="assign now"):
            _do("assigned", lambda: store.assign(scans, to, reader=me))
        if st.button(f"Take from {to}" if to else "Take away", disabled=not theirs, key="unassign now"):
            _do("unassigned", lambda: store.unassign(scans, to, reader=me))
        if st.button("Take from everybody", disabled=not some, key="unassign all"):
            _do("unassigned", lambda: store.unassign(scans, None, reader=me))
    if trouble := st.session_state.pop("assigning trouble", ""):
        common.line(trouble, "bad")
    if store.in_memory:
        st.text("Kept in memory only: it is gone when this page is closed.")


def _do(verb: str, act) -> None:
    try:
        st.session_state[LAST] = (verb, act())
        worklist.done()
    except (NotSaved, UnusableRecord) as error:
        st.session_state["assigning trouble"] = str(error)
    st.rerun()


def said(verb: str, what: Sequence[Assignment]) -> str:
    """What was done, in words."""
    names = ", ".join(dict.fromkeys(one.assignee for one in what))
    count = counted(len({one.scan_sha256 for one in what}))
    return f"{count} assigned to {names}." if verb == "assigned" else f"{count} taken from {names}."


def undo_line() -> None:
    """What was assigned last, and the button that undoes it."""
    verb, what = st.session_state.get(LAST, ("", ()))
    with st.container(key="assigned-last", horizontal=True, vertical_alignment="center", gap="small"):
        if trouble := st.session_state.pop("assigning trouble", ""):
            common.line(trouble, "bad")
        elif what:
            st.text(said(verb, what))
            st.button("Undo", type="tertiary", key="undo assigning", on_click=undo)


def undo() -> None:
    """Takes back what was done last, but for what somebody has changed since."""
    verb, what = st.session_state.pop(LAST, ("", ()))
    store, me = desk.reviews(), desk.reader()
    if store is None or not me:
        return
    try:
        for name in dict.fromkeys(one.assignee for one in what):
            scans = [one.scan_sha256 for one in what if one.assignee == name]
            if verb == "assigned":
                store.unassign(scans, name, reader=me)
            else:
                store.assign(scans, name, reader=me)
    except (NotSaved, UnusableRecord) as error:
        st.session_state["assigning trouble"] = str(error)
