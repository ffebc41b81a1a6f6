"""What the pages about one scan share: the list of scans beside them, the notices above, and the scan on show."""

from __future__ import annotations

import streamlit as st

from pages.components import common, open_scans, scan_list
from pages.components.drop_anywhere import drop_anywhere
from pages.components.shelf import OpenScan

EMPTY = "**No scan is open**  \nDrop one anywhere on this page, or choose a drawn patient there."


def frame(blind: bool = False) -> None:
    """The list of scans, the drop over the whole page, and what there is to say of the last drop.

    Args:
        blind: the list says nothing of what models find.
    """
    with st.sidebar, st.container(key="scans"):
        scan_list.sidebar(blind)
        drop_anywhere()
    with st.container(key="notices"):
        if notice := st.session_state.get("notice"):
            common.line(notice, "warn")


def scan_on_show() -> OpenScan | None:
    """The scan on show, once it is read; without one the page says how to open it, and has nothing left to do."""
    if (entry := open_scans.next_to_show()) is not None:
        scan_list.wait_for_reading(entry)
    opened = open_scans.chosen()
    if opened is None:
        with st.container(key="empty"):
            st.markdown(EMPTY, text_alignment="center")
    return opened
