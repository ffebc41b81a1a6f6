"""Worklist: every open scan by study, with its state, findings and readers; some are chosen, assigned and exported."""

from __future__ import annotations

import streamlit as st

from engine.review.database import UnusableStore
from pages.components import (
    assigning,
    common,
    desk,
    disagreeing,
    exporting_several,
    open_scans,
    scan_page,
    shelf,
    worklist,
)
from pages.components.explaining_ahead import explain_ahead

DIALOGS = {"assign": assigning.dialog, "compare": disagreeing.dialog, "export": exporting_several.dialog}


def main() -> None:
    scan_page.frame()
    explain_ahead(st.session_state.get("scan"))
    with st.container(key="worklist-head", horizontal=True, vertical_alignment="center"):
        st.html("<h1 class='title'>Worklist</h1>")
        try:
            st.text(f"{desk.kept_how()} {open_scans.kept_how()}")
        except UnusableStore as error:
            common.line(str(error), "bad")
        assigning.undo_line()
    if not common.usable():
        common.line("No checkpoint is here, so no scan is explained; open one on the page Models.", "quiet")
    worklist.show()
    if (wish := worklist.asked()) is not None:
        act, ids = wish
        known = shelf.mine().entries
        entries = [known[one] for one in ids if one in known]
        if entries and act in DIALOGS:
            DIALOGS[act](entries)


if common.inside_app_frame():
    main()
