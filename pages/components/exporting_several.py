"""The dialog that exports several scans at once: one zip with a folder for each study and a manifest."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from engine.queue import Job, Progress
from pages.components import common, desk, open_scans, worklist
from pages.components.background import Background, counted, wait
from pages.components.checkpoint_choice import choices
from pages.components.explaining_ahead import checkpoint_for
from pages.components.exporting import IN_PIXELS, choose, result_of, size
from pages.components.grouping import places
from pages.components.shelf import Entry
from server import downloads, sessions

if TYPE_CHECKING:
    from engine.export.several import Outcome, Wanted
    from engine.review.cases import Case

FILE = "otherwise-scans.zip"
WISH, LENT = "several wish", "several"
KIND = Background("export several")
MOST_TOLD = 8  # refusals that the dialog names; the manifest has all


@dataclass(frozen=True, repr=False)
class Made:
    """A zip that is ready, and what became of each scan."""

    data: bytes
    outcomes: tuple[Outcome, ...]


def dialog(entries: Sequence[Entry]) -> None:
    """Opens it, for scans of the list."""
    st.dialog(f"Export {counted(len(entries))}", width="medium", on_dismiss=worklist.done)(_inside)(entries)


def _inside(entries: Sequence[Entry]) -> None:
    forms, without = choose("several")
    if without:
        st.text(IN_PIXELS)
    else:
        st.text("DICOM files go into the study of each scan, and name its patient.")
    kept = {entry.id: desk.kept(entry.sha256) for entry in entries}
    wish = (tuple((entry.id, kept[entry.id].stamp) for entry in entries), tuple(forms), without)
    if st.button("Export", key="several now", type="primary", disabled=not forms):
        st.session_state[WISH] = wish
    if st.session_state.get(WISH) != wish:
        return
    lent = sessions.belongings().get(LENT)
    if lent is not None and lent[0] == wish:
        _show(lent[1], lent[2], lent[3])
        return
    job = _job(entries, wish, kept)
    if not job.done and not job.wait(0.3):
        wait(job, "Exporting", lambda: KIND.stop(job, WISH), "several stop", "Nothing of it is kept")
    elif job.error is not None:
        st.text(common.complaint(job, "nothing was exported"))
        common.worker().forget(job.key)
    else:
        _keep(entries, wish, job)


def _job(entries: Sequence[Entry], wish: tuple, kept: dict[str, desk.Kept]) -> Job:
    usable, made, device = common.usable(), dict(choices()), common.device()
    shown = {entry.id: _slice_on_show(entry) for entry in entries}
    store = desk.reviews()
    cases: list[Case] = [] if store is None else [store.case(entry.sha256) for entry in entries]
    where, studies = places(entries), {}
    numbers = {
        entry.id: studies.setdefault(where[entry.id].group if where[entry.id].patient else entry.id, len(studies) + 1)
        for entry in entries
    }

    def of(number: int, entry: Entry) -> Wanted:
        from engine.export.several import NotExported, Wanted

        def make(progress: Progress):
            opened = entry.opened()
            checkpoint = checkpoint_for(opened, usable, made)
            if checkpoint is None:
                raise NotExported("No model here takes it.")
            try:
                result = result_of(opened, entry.source, checkpoint, device, shown[entry.id], kept[entry.id], progress)
            except common.EXPECTED as reason:
                raise NotExported(str(reason)) from reason
            unlike = result.explanations[0].like_training is False
            if unlike and (result.scan.sha256, checkpoint.identity) not in entry.shown_anyway:
                raise NotExported(
                    f"It is unlike what {common.label(checkpoint)} was trained on, so its result is held back; show it "
                    "first, on the page Explain."
                )
            return result

        return Wanted(number, numbers[entry.id], entry.title, entry.sha256, entry.small.scan.kind, make)

    by_sha256 = {entry.sha256: entry for entry in entries}

    def pixels_of(sha256: str) -> np.ndarray | None:
        try:
            return by_sha256[sha256].opened().scan.pixels
        except ValueError:  # closed meanwhile
            return None

    def work(progress: Progress) -> Made:
        from engine.export.several import export_several

        wanted = [of(number, entry) for number, entry in enumerate(entries, 1)]
        file = io.BytesIO()
        outcomes = export_several(file, wanted, wish[1], wish[2], progress, cases, pixels_of)
        return Made(file.getvalue(), outcomes)

    return KIND.ask(("export several", *wish, device), work)


def _slice_on_show(entry: Entry) -> int | None:
    count = entry.small.slices if entry.small is not None else 1
    return None if count == 1 else min(st.session_state.get(f"slice {entry.id}", count // 2), count - 1)


def _keep(entries: Sequence[Entry], wish: tuple, job: Job) -> None:
    """The zip is lent to this reader, and the worker lets go of it."""
    made: Made = job.answer()
    belongings = sessions.belongings()
    if (before := belongings.get(LENT)) is not None:
        downloads.take_back(before[1])
    lent = belongings[LENT] = (wish, downloads.lend(made.data, FILE), len(made.data), made.outcomes)
    common.worker().forget(job.key)
    for entry, outcome in zip(entries, made.outcomes, strict=True):
        entry.exported = entry.exported or outcome.exported
    _show(*lent[1:])


def _show(address: str, length: int, outcomes: Sequence[Outcome]) -> None:
    refused = [one for one in outcomes if not one.exported]
    st.html(f"<a class='download' href='{address}' download='{FILE}'>Save {FILE}</a> ({size(length)})")
    done = len(outcomes) - len(refused)
    st.text(f"{done} of {counted(len(outcomes))} exported.")
    for one in refused[:MOST_TOLD]:
        title = one.label or next(
            (e.title for e in open_scans.scans().values() if e.sha256 == one.scan_sha256), "A scan"
        )
        st.text(f"{title}: {one.reason}")
    if len(refused) > MOST_TOLD:
        st.text(f"{len(refused) - MOST_TOLD} further refusals stand in the manifest.")
