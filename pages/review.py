"""Review: draw and measure on a scan, say what you think of a model's findings, submit, accept or return the case."""

from __future__ import annotations

import streamlit as st

from engine.checkpoints.detector import only_drawn
from engine.checkpoints.format import Checkpoint
from engine.review.database import UnusableStore
from pages.components import (
    agreement_picture,
    blind_reading,
    common,
    desk,
    first_reading,
    open_scans,
    review_panel,
    review_view,
    scan_page,
    sides,
    sketching,
    words,
)
from pages.components.desk import IN_MEMORY, Desk
from pages.components.explaining import Explained, explaining
from pages.components.explaining_ahead import checkpoint_for
from pages.components.shelf import OpenScan

MODES = ("Review", blind_reading.READ_FIRST, "Agreement")


def answer(opened: OpenScan, checkpoint: Checkpoint) -> Explained | None:
    """What the checkpoint says of the scan; None while it is at work, and where it failed, which is said."""
    scan = open_scans.chosen_slice(opened)
    job = common.ask(*explaining(opened, scan, checkpoint, common.device()))
    done = job.wait(0.3)
    common.worker().keep_only(common.session(), [job.key])
    if not done:
        common.wait_for(job, "Explaining the scan")
        return None
    if job.error is not None:
        common.line(common.complaint(job, "what you drew is still here"), "bad")
        return None
    explained = job.answer()
    blind_reading.saw(opened)
    if (entry := open_scans.scans().get(opened.id)) is not None:
        entry.wanted = entry.wanted or checkpoint.identity
        entry.explained_by(checkpoint.identity, explained.unlike, explained.told)
    if checkpoint.caution:
        common.line(f"Caution: {checkpoint.caution}", "note")
    trained_on = words.noun(next(iter(common.kinds_of(checkpoint)), "unknown"))
    if unlike := words.unlike(explained.likeness, trained_on, only_drawn(checkpoint, opened.drawn_by)):
        common.line(f"{unlike} Do not rely on what it says here.", "warn")
    elif explained.likeness is None:
        common.line("Whether the scan is like those that the model was trained on is not known.", "warn")
    return explained


def review(opened: OpenScan, here: Desk, name: str, side, film) -> None:
    """Draw, say what you think, submit."""
    checkpoint = checkpoint_for(opened)
    explained = None
    with side:
        review_panel.trouble(here, name)
        review_panel.state(here, name)
        if checkpoint is not None and blind_reading.hides(opened.id):
            st.text(blind_reading.LINE)
        elif checkpoint is not None and st.toggle("Show the model's findings", key="show model"):
            explained = answer(opened, checkpoint)
            if explained is not None:
                review_panel.opinions(here, name, checkpoint, explained)
        elif checkpoint is None:
            st.text("No checkpoint here takes this scan; a review needs none.")
        review_panel.saving(here, opened.scan.pixels)
        review_panel.history(here.store.history(here.case.scan_sha256))
    with film:
        review_view.show(opened, explained)


def read_first(opened: OpenScan, here: Desk, name: str, side, film) -> None:
    """The reader's own findings before the model's."""
    checkpoint = checkpoint_for(opened)
    with side:
        review_panel.trouble(here, name)
        shown = None
        if checkpoint is None:
            common.line("No checkpoint here takes this scan, so there is nothing to reveal.", "quiet")
        elif not name:
            st.text("Give your name to read.")
        else:
            shown = first_reading.read(opened, here, name, checkpoint, lambda: answer(opened, checkpoint))
    with film:
        review_view.show(opened, shown, blind=True)


def at_the_desk(opened: OpenScan, mode: str) -> None:
    """The three columns: what draws, the scan, and what is said of it."""
    here, name = sketching.begin(opened, review_view.VIEW)
    with st.container(key="lines"):
        sides.say(opened)
    pens, film, side = st.columns([0.19, 0.55, 0.26], gap="small")
    with side, st.container(key="side"):
        review_panel.who_reads()
        part = st.container(key="part")
    with pens:
        beside = st.container(key="pens")
    {"Review": review, "Read first": read_first}[mode](opened, here, name, part, film)
    with beside:
        sketching.column(here, review_view.VIEW, review_view.labels(opened, checkpoint_for(opened)))


def main() -> None:
    scan_page.frame(blind=st.session_state.get(blind_reading.MODE) == MODES[1])
    try:
        in_memory = desk.store().in_memory
    except UnusableStore as error:
        common.line(f"{error} Nothing can be reviewed until that is mended.", "bad")
        return
    with st.container(key="mode", horizontal=True, vertical_alignment="center"):
        st.session_state.setdefault(blind_reading.MODE, MODES[0])
        mode = st.segmented_control("Mode", MODES, required=True, key=blind_reading.MODE, label_visibility="collapsed")
        if in_memory:
            st.text(IN_MEMORY)
    if mode == "Agreement":
        agreement_picture.show(desk.store().readings())
        return
    if (opened := scan_page.scan_on_show()) is None:
        return
    try:
        at_the_desk(opened, mode or MODES[0])
    except UnusableStore as error:
        common.line(str(error), "bad")


if common.inside_app_frame():
    main()
