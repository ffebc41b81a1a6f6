"""What the model learned: its class centres and weights, finding by finding, for one checkpoint or two side by side."""

from __future__ import annotations

import numpy as np
import streamlit as st

from engine.answers import not_shown_to_know
from engine.checkpoints.format import Checkpoint
from engine.explanation import ClassCentres
from engine.queue import Job
from engine.shortcuts import both_numbers
from pages.components import common
from pages.components.words import literal
from viewer import PanelView, linked_panels

CELL = 24  # pixels a side that one weight is drawn with
PAIR = ("attri-net-phantom-tag", "attri-net-phantom-tag-guided")  # the same films and tag, without and with guidance
TAGGED = "Cardiomegaly"  # the finding that the tag goes along with
HOW_TO_READ = (
    "A class centre is the average map that the model draws on films with a finding, and on films without it. The "
    "weights say how much each place counts towards the finding (orange) or against it (blue). What is strong here is "
    "what the model has learned to look for, on any film; a letter or a frame in it is a shortcut."
)


def ask_centres(checkpoint: Checkpoint) -> Job:
    """The worker's job: every `ClassCentres` of a checkpoint, by finding."""
    device = common.device()

    def work(progress):
        return {record.finding: record for record in common.model_of(checkpoint, device).centres()}

    return common.ask(("centres", checkpoint.identity, device), work)


def choose(offers: list[Checkpoint]) -> tuple[Checkpoint, Checkpoint | None]:
    """One checkpoint, and another beside it or none; the pair with and without guidance where both are here."""
    names = {c.identity: common.label(c) for c in offers}
    by_name = {c.name: c.identity for c in offers}
    pair = [by_name.get(name) for name in PAIR]
    default = pair if all(pair) else [offers[0].identity, None]
    selection = st.session_state.setdefault("learned", default)
    if selection[0] not in names or selection[1] not in (None, *names):
        selection = st.session_state.learned = default
    left, right, _ = st.columns([1, 1, 1.6], gap="small")
    first = left.selectbox("Checkpoint", list(names), list(names).index(selection[0]), format_func=lambda s: names[s])
    others = [None, *(other for other in names if other != first)]
    place = others.index(selection[1]) if selection[1] in others else 0
    second = right.selectbox("Beside it", others, place, format_func=lambda s: "nothing" if s is None else names[s])
    st.session_state.learned = [first, second]
    known = {c.identity: c for c in offers}
    return known[first], known.get(second)


def choose_finding(shown: list[tuple[Checkpoint, dict[str, ClassCentres]]]) -> str | None:
    """A finding that every shown checkpoint knows."""
    findings = [name for name in shown[0][1] if all(name in centres for _, centres in shown)]
    if not findings:
        return None
    before = st.session_state.get("learned finding")
    default = before if before in findings else TAGGED if TAGGED in findings else findings[0]
    st.session_state["finding on show"] = default
    finding = st.segmented_control(
        "Finding",
        findings,
        format_func=literal,
        key="finding on show",
        required=True,
        on_change=_keep_finding,
        label_visibility="collapsed",
    )
    st.session_state["learned finding"] = finding
    return finding


def _keep_finding() -> None:
    st.session_state["learned finding"] = st.session_state["finding on show"]


def one_scale(shown: list[tuple[Checkpoint, dict[str, ClassCentres]]]) -> tuple[float, float]:
    """Where the colour bars of all centres and of all weights end, the same for every checkpoint on show: what is
    paler in one of them is less.
    """
    records = [record for _, centres in shown for record in centres.values()]
    heaviest = max(float(np.abs(record.weights).max()) for record in records) or 1e-6
    return max(record.limit for record in records), heaviest


def not_learned(shown: list[tuple[Checkpoint, dict[str, ClassCentres]]], finding: str) -> list[str]:
    """A sentence for each checkpoint of which nobody has shown that it knows the finding."""
    return [
        f"{common.label(checkpoint)} has not been shown to know {finding.lower()}: on films that it was not trained on "
        f"the interval of its AUC is {auc.low:.2f} to {auc.high:.2f}. What is drawn here need not mean anything."
        for checkpoint, _ in shown
        if (auc := not_shown_to_know(finding, checkpoint.metrics.rows)) is not None
    ]


def panels(
    checkpoint: Checkpoint,
    centres: dict[str, ClassCentres],
    finding: str,
    named: bool,
    scale: tuple[float, float],
) -> list[PanelView]:
    """Positive centre, negative centre and weights of one finding.

    Args:
        scale: see `one_scale`.
    """
    record = centres[finding]
    limit, heaviest = scale
    whose = common.label(checkpoint)
    after = whose if named else ""
    lower = finding.lower()
    return [
        PanelView(
            f"Films with {lower}",
            after,
            map=record.positive,
            map_limit=limit,
            map_unit="mean change",
            alt=f"Class centre of films with {lower}, {whose}",
        ),
        PanelView(
            f"Films without {lower}",
            after,
            map=record.negative,
            map_limit=limit,
            map_unit="mean change",
            alt=f"Class centre of films without {lower}, {whose}",
        ),
        PanelView(
            f"Weights for {lower}",
            after,
            map=in_cells(record.weights),
            map_limit=heaviest,
            map_unit="log-odds per unit",
            alt=f"Weights of the classifier for {lower}, {whose}, {record.weights.shape[0]} x "
            f"{record.weights.shape[1]} cells",
        ),
    ]


def in_cells(weights: np.ndarray) -> np.ndarray:
    """(h, w) with every weight as a square of its own: the viewer enlarges smoothly, the classifier's grid
    has edges.
    """
    return weights.repeat(CELL, axis=0).repeat(CELL, axis=1)


def on_the_marker(shown: list[tuple[Checkpoint, dict]], finding: str) -> list[str]:
    """For each checkpoint whose card holds its map against a marker, how much of it the map covers and how far the
    answer moves with it.
    """
    said = [
        (common.label(checkpoint), words)
        for checkpoint, _ in shown
        for words in both_numbers(checkpoint.metrics.rows, [finding])
    ]
    return [f"{whose}. {words}" for whose, words in said]


@st.fragment
def result(chosen: list[Checkpoint]) -> None:
    jobs = [ask_centres(checkpoint) for checkpoint in chosen]
    common.worker().keep_only(common.session(), [job.key for job in jobs])
    for job in jobs:
        job.wait(0.3)
        if job.done and job.error is not None:
            common.line(common.complaint(job), "bad")
            return
    unfinished = next((job for job in jobs if not job.done), None)
    if unfinished is not None:
        common.wait_for(unfinished, "Opening the model")
        return
    shown = [(checkpoint, job.answer()) for checkpoint, job in zip(chosen, jobs)]
    finding = choose_finding(shown)
    if finding is None:
        common.line("These two have no finding in common; choose another second checkpoint.", "quiet")
        return
    for words in on_the_marker(shown, finding):
        common.line(words, "quiet")
    for words in not_learned(shown, finding):
        common.line(words, "warn")
    scale = one_scale(shown)
    views = [
        view for checkpoint, centres in shown for view in panels(checkpoint, centres, finding, len(shown) > 1, scale)
    ]
    linked_panels(views, key="learned view")


def main() -> None:
    st.html(f"<h1 class='title'>What the model learned</h1><p class='lead'>{HOW_TO_READ}</p>")
    offers = [c for c in common.usable() if common.method_of(c).has_centres]
    if not offers:
        common.line("No checkpoint with class centres is here; open one on the page Models.", "quiet")
        return
    first, second = choose(offers)
    result([first] if second is None else [first, second])


if common.inside_app_frame():
    main()
