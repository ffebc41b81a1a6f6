"""Explains the open scans in the background, those after the one on show first."""

from __future__ import annotations

from collections.abc import Sequence

from engine.checkpoints.format import Checkpoint
from engine.queue import Job
from engine.scan import frame
from pages.components import ahead, common, detectors, open_scans
from pages.components.checkpoint_choice import Choices, Scores, choices, offered, standing
from pages.components.explaining import explaining
from pages.components.shelf import Entry, OpenScan

NOT_TAKEN = "no model here takes it"


def checkpoint_for(
    opened: OpenScan,
    usable: Sequence[Checkpoint] | None = None,
    made: Choices | None = None,
    scores: Scores | None = None,
) -> Checkpoint | None:
    """The checkpoint that would be chosen for a scan; None where none takes it.

    Args:
        usable, made: which there are, and what was chosen; outside a page's run both must be said.
        scores: as for `offered`.
    """
    offers = offered(opened, usable, scores)
    takes = any(common.takes(c, opened.scan.kind, opened.slices) for c in offers.checkpoints)
    return standing(offers, made) if takes else None


def explain_ahead(first: str | None) -> None:
    """Has the open scans explained in the background, each by the checkpoint that would be chosen for it.

    Args:
        first: id of the scan on show; those after it in the list come first.
    """
    usable, made, device = common.usable(), dict(choices()), common.device()

    def work_for(other: OpenScan):
        checkpoint = checkpoint_for(other, usable, made)
        if checkpoint is None:
            return None
        index = other.slices // 2 if other.slices > 1 else 0
        return checkpoint.identity, *explaining(other, frame(other.scan, index), checkpoint, device)

    def ended(entry: Entry, work: ahead.Work, job: Job) -> None:
        if job.error is None:
            entry.explained_by(work[0], job.answer().unlike, job.answer().told)
        else:
            expected = isinstance(job.error, common.EXPECTED)
            entry.note = str(job.error) if expected else "not explained: something went wrong"

    entries = list(open_scans.scans().values())
    here = next((place for place, entry in enumerate(entries) if entry.id == first), 0)
    for entry in entries:
        if entry.small is not None:
            checkpoint = checkpoint_for(entry.small, usable, made, detectors.known_scores(entry.small.scan.sha256))
            entry.wanted, entry.note = ("", NOT_TAKEN) if checkpoint is None else (checkpoint.identity, "")
    ahead.plan(common.worker(), [*entries[here + 1 :], *entries[:here], *entries[here : here + 1]], work_for, ended)
