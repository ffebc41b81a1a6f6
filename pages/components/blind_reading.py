"""Blind until read: of a scan that the reader has not read, no page says what a model finds; and who has seen it."""

from __future__ import annotations

import streamlit as st

from engine.review.database import UnusableStore
from pages.components import common, desk, shelf
from pages.components.shelf import OpenScan

KEY = "blind until read"
MODE, READ_FIRST = "review mode", "Read first"  # of the page Review
LINE = "Blind until read: read it first on Review, or switch it off on Worklist."


def on() -> bool:
    """Whether the reader of this session has switched it on."""
    return bool(st.session_state.get(KEY, shelf.mine().blind))


def switch(wanted: bool) -> None:
    """Switches it on or off, also for the pages that this browser opens later."""
    st.session_state[KEY] = shelf.mine().blind = wanted


def hides(identity: str) -> bool:
    """Whether nothing is said of what models find in an open scan, by its place on the shelf: it is switched on, and
    this reader has not given a first reading of it.
    """
    entry = shelf.mine().entries.get(identity)
    if not on() or entry is None or entry.state == "open":  # no model says anything of that one
        return False
    store, name = desk.reviews(), desk.reader()
    if store is None or not name:
        return True
    try:
        return not any(reading.reader == name for reading in store.readings(entry.sha256))
    except UnusableStore:
        return True


def instead(opened: OpenScan) -> bool:
    """Says so in one line, where a result would stand; whether it did."""
    if not hides(opened.id):
        return False
    common.line(LINE, "quiet")
    common.worker().keep_only(common.session(), [])
    if st.button("Read it first", key="read it first"):
        to_review()
        st.switch_page("pages/review.py")
    return True


def to_review() -> None:
    """The page Review opens in its mode Read first."""
    st.session_state[MODE] = READ_FIRST


def saw(opened: OpenScan) -> None:
    """A model's answer of this scan was shown in this session."""
    shelf.mine().seen.add(opened.scan.sha256)


def has_seen(scan_sha256: str) -> bool:
    """Whether a model's answer of the scan was shown to who reads here."""
    return scan_sha256 in shelf.mine().seen
