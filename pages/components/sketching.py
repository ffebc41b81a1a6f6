"""Drawing and measuring on a page's view, kept in the reader's desk."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.review.database import UnusableStore
from engine.review.measurements import ScanFacts
from pages.components import common, desk, tour
from pages.components.desk import Desk
from pages.components.shelf import OpenScan
from viewer.marks import drawing, latest_drawn


def begin(opened: OpenScan, view: str) -> tuple[Desk, str]:
    """The desk of a scan, once it has what the browser drew on the view of that key; and the reader's name.

    What was drawn just before the reader turned here from another scan is saved with that one.

    Raises:
        UnusableStore: the reviews cannot be read.
    """
    here, name = desk.desk(opened.scan.sha256, lambda: ScanFacts.of(opened.scan)), desk.reader()
    if name:
        here.named(name)
    drawn = latest_drawn(view)
    if drawn is not None and (of := desk.known(drawn.picture)) is not None:
        of.receive(drawn, name)
    here.look()
    return here, name


def column(here: Desk, view: str, labels: Sequence[str] = ()) -> None:
    """What draws, and what is drawn."""
    drawing(
        view,
        picture=here.case.scan_sha256,
        facts=here.facts,
        annotations=here.drawn,
        loaded=here.loaded,
        revision=here.case.revision,
        acked=here.acked,
        saved=here.saved,
        trouble=here.trouble,
        locked=f"The case is {here.case.state}. It can be drawn on again once it is returned."
        if here.case.locked
        else "",
        labels=labels,
    )


def beside(opened: OpenScan, view: str, labels: Sequence[str] = ()) -> None:
    """The same in the sidebar, beside a view that is about something else. On the tour nothing is drawn on it: what
    readers drew here would lie over what the tour shows.
    """
    with st.container(key="sketching"), st.expander("Draw and measure"):
        try:
            here, _ = begin(opened, view)
            if tour.under_way():
                st.text("Not on the tour: what is drawn on this scan stands here again after it.")
                return
            if here.theirs is not None:
                common.line("Decide on the page Review which of the two drawings to keep.", "warn")
            column(here, view, labels)
        except UnusableStore as error:
            common.line(str(error), "bad")
