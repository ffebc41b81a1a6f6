"""The dialog that has several methods explain chosen scans, so that the worklist can be ordered by how far they
disagree.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.checkpoints.format import Checkpoint
from engine.queue import Job, Progress
from engine.scan import frame
from pages.components import common, comparing, worklist
from pages.components.background import Background, counted, wait
from pages.components.checkpoint_choice import offered
from pages.components.comparing import Said, same_finding
from pages.components.explaining import explaining
from pages.components.shelf import Entry

WISH = "disagreement wish"
KIND = Background("disagreement")


def dialog(entries: Sequence[Entry]) -> None:
    """Opens it, for scans of the list."""
    st.dialog(f"Compare methods on {counted(len(entries))}", on_dismiss=worklist.done)(_inside)(entries)


def _inside(entries: Sequence[Entry]) -> None:
    st.text(
        f"Up to {comparing.FIRST} methods explain each scan, in the background. The column Disagreement then says how "
        "far they differ about where its first finding lies: 0 is the same places, about 0.95 unrelated ones."
    )
    wish = tuple(entry.id for entry in entries)
    if st.button("Compare", type="primary", key="compare now"):
        st.session_state[WISH] = wish
    if st.session_state.get(WISH) != wish:
        return
    job = _job(entries)
    if not job.done and not job.wait(0.3):
        wait(job, "Comparing", lambda: KIND.stop(job, WISH), "compare stop", "What was compared so far stays")
        return
    st.session_state.pop(WISH)
    common.worker().forget(job.key)
    if job.error is not None:
        st.text(common.complaint(job, "the scans are still open"))
        return
    known = sum(one is not None for one in job.answer())
    st.text(f"Compared on {known} of {len(entries)}." if known < len(entries) else "Compared. The list has it.")
    if known < len(entries):
        st.text("The others have fewer than two methods that predict one finding and know the like of them.")


def _job(entries: Sequence[Entry]) -> Job:
    usable, device = common.usable(), common.device()

    def work(progress: Progress) -> list[float | None]:
        found = []
        for place, entry in enumerate(entries):

            def step(done: int, every: int, before: int = 100 * place) -> None:
                progress(before + (100 * done // every if every else 0), 100 * len(entries))

            entry.disagreement = disagreement_of(entry, usable, device, step)
            found.append(entry.disagreement)
        return found

    key = ("disagreement", tuple((entry.id, entry.sha256) for entry in entries), device)
    return KIND.ask(key, work, background=True)


def _predicts(checkpoint: Checkpoint, finding: str) -> bool:
    return any(same_finding(finding, name) for name in checkpoint.config["findings"])


def disagreement_of(entry: Entry, usable: Sequence[Checkpoint], device: str, progress: Progress) -> float | None:
    """How far methods disagree about where a finding lies, the first that several of them predict, in [0, 1]; None
    where fewer than two say.

    To be called on the worker.
    """
    opened = entry.opened()
    offers = offered(opened, usable)
    able = [c for c in offers.checkpoints if common.takes(c, opened.scan.kind, opened.slices)]
    names = comparing.one_a_method(able, offers, opened.drawn_by)[: comparing.FIRST]
    chosen = [c for c in able if c.identity in names]
    told = entry.told.get(entry.wanted)
    findings = [*(told.above if told is not None else ()), *comparing.findings_of(chosen)]
    by_finding = ((name, [c for c in chosen if _predicts(c, name)]) for name in findings)
    finding, asked = next(((name, able) for name, able in by_finding if len(able) > 1), ("", []))
    scan, said = frame(opened.scan, opened.slices // 2), []
    for place, checkpoint in enumerate(asked):
        _, work = explaining(opened, scan, checkpoint, device)
        explained = work(lambda done, every, place=place: progress(place * every + done, len(asked) * every))
        if explained.unlike and (scan.sha256, checkpoint.identity) not in entry.shown_anyway:
            continue
        view = next((one for one in explained.findings if same_finding(one.name, finding)), None)
        said.append(Said(common.label(checkpoint), view))
    return comparing.disagreement(said)
