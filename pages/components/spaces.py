"""The same counterfactual sought among pictures and in a latent space, side by side."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from engine.checkpoints.format import Checkpoint
from engine.explanation import Explanation, full_step
from engine.preprocessing import enlarged
from engine.queue import Job
from engine.scan import Scan
from pages.components import common, thumbnails

TITLES = {"image": "Sought in the picture", "latent": "Sought in latent space"}
MEANS = {
    "image": "Every pixel may change by itself. Orange is where it changed, stronger where more.",
    "latent": "Only what an autoencoder of the training pictures can say may change. Orange is where it changed.",
}
VISIBLE = 0.01  # of the grey range


def has_spaces(checkpoint: Checkpoint) -> bool:
    """Whether counterfactuals of a checkpoint can be sought in a latent space beside the picture."""
    return bool(checkpoint.config.get("counterfactual", {}).get("latent"))


def ask_space(scan: Scan, checkpoint: Checkpoint, space: str) -> Job:
    """The worker's job for the records of a scan, their counterfactuals sought in one space."""
    device = common.device()

    def work(progress):
        return common.model_of(checkpoint, device).explain(scan, progress=progress, space=space)

    return common.ask(("space", scan.sha256, checkpoint.identity, space, device), work)


@st.fragment
def spaces(scan: Scan, checkpoint: Checkpoint) -> None:
    """The scan as it would look without the diagnosis, by both searches."""
    jobs = {space: ask_space(scan, checkpoint, space) for space in TITLES}
    for job in jobs.values():
        job.wait(0.3)
        if job.done and job.error is not None:
            common.line(common.complaint(job), "bad")
            return
    if waiting := next((job for job in jobs.values() if not job.done), None):
        common.wait_for(waiting, "Seeking the counterfactual twice")
        return
    with st.container(key="spaces"):
        for column, (space, job) in zip(st.columns(2, gap="medium"), jobs.items(), strict=True):
            with column:
                _one(scan, job.answer()[0], space)


def _one(scan: Scan, record: Explanation, space: str) -> None:
    said = f"{TITLES[space]}: the scan without {record.finding.lower()}, and where it changed"
    changed = np.abs(record.evidence)
    st.html(
        f"<h2>{escape(TITLES[space])}</h2><div class='twin'>"
        + thumbnails.figure(scan, changed / max(float(changed.max()), 1e-12), said, without(scan, record))
        + f"<div><p class='said'>{escape(change_words(record))}</p>"
        + f"<p class='said'>{escape(MEANS[space])}</p></div></div>"
    )


def without(scan: Scan, record: Explanation) -> np.ndarray:
    """The scan (H, W) with the whole change of a record."""
    assert record.path is not None, "a method of counterfactuals has a path"
    change = record.path.changes[full_step(record.path.steps)]
    return (scan.pixels + enlarged(change, scan.pixels.shape)).astype(np.float32)


def change_words(record: Explanation) -> str:
    """How far the probability falls, and how much of the picture changes for it."""
    assert record.path is not None, "a method of counterfactuals has a path"
    after = float(record.path.probabilities[full_step(record.path.steps)])
    share = float((np.abs(record.evidence) > VISIBLE).mean())
    flips = record.probability > record.threshold >= after
    said = "The call turns to no." if flips else "The call stays."
    return (
        f"The probability of {record.finding.lower()} goes from {record.probability:.2f} to {after:.2f}. {said} "
        f"{100 * share:.0f} % of the picture changes by more than {100 * VISIBLE:.0f} % of its grey range."
    )
