"""The worklist: every open scan with its state, findings and readers; scans are chosen in it, assigned and exported."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.components import blind_reading, desk, open_scans, scan_list, shelf

KEY = "worklist"
PAGES = {"explain": "pages/explain.py", "review": "pages/review.py"}
ACTS = ("assign", "compare", "export")
_HERE = Path(__file__).parent
_TABLE = st.components.v2.component(
    "otherwise_worklist",
    html="<div class='worklist'></div>\n",
    css=(_HERE / "worklist.css").read_text(encoding="utf-8"),
    js=(_HERE / "worklist.js").read_text(encoding="utf-8"),
)


def show() -> None:
    """The table itself; a scan that the reader opens in it is turned to on its page."""
    scan_list.look_up_reviews()
    mine = shelf.mine()
    data = {
        "address": f"{scan_list.PATH[1:]}{mine.token}",
        "entries": scan_list.described(mine),
        "chosen": st.session_state.get("scan"),
        "me": desk.reader(),
        "blind": blind_reading.on(),
    }
    _TABLE(data=data, key=KEY, on_open_change=_open, on_asked_change=_ask, on_blind_change=_blind)
    if (page := st.session_state.pop("worklist opens", None)) is not None:
        st.switch_page(page)


def _sent(name: str) -> object:
    """What the table sent in this run; the browser may send anything."""
    return getattr(st.session_state.get(KEY), name, None)


def _open() -> None:
    match _sent("open"):
        case [str(identity), str(page)] if page in PAGES:
            open_scans.turn_to(identity)
            if st.session_state.get("scan") == identity:
                hidden = blind_reading.hides(identity)
                if hidden:
                    blind_reading.to_review()
                st.session_state["worklist opens"] = PAGES["review" if hidden else page]


def _blind() -> None:
    if isinstance(wanted := _sent("blind"), bool):
        blind_reading.switch(wanted)


def _ask() -> None:
    match _sent("asked"):
        case [str(act), [*ids]] if act in ACTS:
            known = shelf.mine().entries
            chosen = [one for one in ids if isinstance(one, str) and one in known and known[one].packed is not None]
            if chosen:
                st.session_state["worklist asks"] = (act, tuple(dict.fromkeys(chosen)))


def asked() -> tuple[str, tuple[str, ...]] | None:
    """What is to be done with which scans, while the dialog about it is open."""
    return st.session_state.get("worklist asks")


def done() -> None:
    """Closes that dialog."""
    st.session_state.pop("worklist asks", None)
