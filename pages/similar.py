"""Similar cases: what else looked like this to the checkpoint, by evidence map or by embedding, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from engine.checkpoints.format import Checkpoint
from engine.queue import Job
from engine.scan import Scan
from engine.similar.describe import Description
from engine.similar.index import EMBEDDING, CaseIndex, Neighbour, UnusableIndex, open_index, picture_of
from engine.similar.shipped import indexes
from pages.components import blind_reading, common, open_scans, words
from viewer import PanelView, linked_panels

NEIGHBOURS = 5
LEAD = (
    "The cases of an index that the checkpoint sees most like the scan on show: with evidence for a finding in the "
    "same places, or with the nearest embedding, which is what its network makes of the whole picture. Alike to the "
    "model is not alike to a reader; that is what this page is for."
)


@st.cache_resource(max_entries=4, show_spinner=False)
def opened_index(folder: str, changed: int) -> CaseIndex | str:
    """The index in a folder, or the sentence that says why it does not open."""
    try:
        return open_index(Path(folder))
    except UnusableIndex as reason:
        return str(reason)


def with_index(kind: str, slices: int) -> list[tuple[Checkpoint, Path]]:
    """Checkpoints that take such a scan and have an index, each with its first."""
    made = indexes()
    suited = [c for c in common.usable() if common.takes(c, kind, slices) and c.identity in made]
    return [(c, made[c.identity][0]) for c in suited]


def ask(scan: Scan, checkpoint: Checkpoint, index: CaseIndex) -> Job:
    """The worker's job: what the checkpoint makes of the scan."""
    device = common.device()

    def work(progress):
        return common.model_of(checkpoint, device).described(scan, index.layer)

    return common.ask(("described", scan.sha256, checkpoint.identity, index.layer, device), work)


def choose_space(index: CaseIndex, described: Description) -> str:
    """A finding, the most likely one first chosen, or the embedding."""
    likely = index.findings[int(np.argmax(described.probabilities))]
    return (
        st.segmented_control(
            "Alike by the evidence for",
            index.spaces,
            default=likely,
            format_func=lambda space: "Whole picture" if space == EMBEDDING else words.literal(space),
            key="similar by",
            required=True,
        )
        or likely
    )


def known_of(index: CaseIndex, place: int) -> str:
    """The findings that a case is known to have, in words."""
    present = [f.lower() for f, label in zip(index.findings, index.labels[place], strict=True) if label == 1]
    return ", ".join(present) or "no finding"


def panels(scan: Scan, described: Description, index: CaseIndex, space: str) -> list[PanelView]:
    """The scan and its neighbours, each with the evidence map of the finding over it."""
    c = index.findings.index(space) if space != EMBEDDING else int(np.argmax(described.probabilities))
    finding = index.findings[c]

    def panel(title: str, subtitle: str, picture: np.ndarray, evidence: np.ndarray) -> PanelView:
        return PanelView(
            title,
            subtitle,
            base=picture.astype(np.float32),
            window=(127.5, 255.0),
            map=evidence,
            map_limit=float(index.limits[c]),
            map_unit=index.unit,
            sequential=not bool((index.evidence < 0).any()),
            alt=f"{title}, {subtitle}",
        )

    def neighbour(found: Neighbour) -> PanelView:
        return panel(
            f"Case {found.place + 1}, similarity {found.similarity:.2f}",
            f"{finding} {index.probabilities[found.place, c]:.2f}; {known_of(index, found.place)}",
            index.pictures[found.place],
            index.evidence[found.place, c],
        )

    nearest = index.nearest(described, space, NEIGHBOURS)
    here = panel("This scan", f"{finding} {described.probabilities[c]:.2f}", picture_of(scan), described.evidence[c])
    return [here, *map(neighbour, nearest)]


@st.fragment
def result() -> None:
    opened = open_scans.chosen()
    if opened is None:
        common.line("No scan is open; open one on the page Explain.", "quiet")
        return
    if blind_reading.instead(opened):
        return
    scan = open_scans.chosen_slice(opened)
    offers = with_index(scan.kind, opened.slices)
    if not offers:
        common.line(
            f"No checkpoint that takes a {words.noun(scan.kind)} has an index here. "
            "Build one with: python -m engine index --checkpoint NAME --data COLLECTION",
            "quiet",
        )
        return
    by_identity = {c.identity: (c, folder) for c, folder in offers}
    left, right = st.columns([1, 3], gap="small", vertical_alignment="bottom")
    chosen = left.selectbox(
        "Checkpoint", list(by_identity), format_func=lambda i: common.label(by_identity[i][0]), key="similar checkpoint"
    )
    checkpoint, folder = by_identity[chosen]
    index = opened_index(str(folder), (folder / "index.json").stat().st_mtime_ns)
    if isinstance(index, str):
        common.line(index, "bad")
        return
    job = ask(scan, checkpoint, index)
    common.worker().keep_only(common.session(), [job.key])
    job.wait(0.3)
    if job.done and job.error is not None:
        common.line(common.complaint(job), "bad")
        return
    if not job.done:
        common.wait_for(job, "Looking at the scan")
        return
    described = job.answer()
    blind_reading.saw(opened)
    with right:
        space = choose_space(index, described)
    common.line(f"{opened.name}, among {len(index)} cases of {index.description}.", "note")
    linked_panels(panels(scan, described, index, space), key="similar view")


def main() -> None:
    st.html(f"<h1 class='title'>Similar cases</h1><p class='lead'>{LEAD}</p>")
    result()


if common.inside_app_frame():
    main()
