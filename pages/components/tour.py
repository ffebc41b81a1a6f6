"""The guided tour: cases that show each method at its best and at its worst, with the truth beside them. It is asked
for by `?tour=1`, needs no typing and takes less than five minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from engine.checkpoints.format import Checkpoint
from pages.components import checkpoint_choice, common, open_scans

PARAMETER = "tour"
EXPLAIN, LEARNED, SIMILAR, BIAS = "pages/explain.py", "pages/learned.py", "pages/similar.py", "pages/bias.py"


@dataclass(frozen=True)
class Step:
    """One stop.

    Attributes:
        page: where it is.
        words: what to look at, in two sentences or three.
        scan: one of the drawn scans, or "" for the sample radiograph; None where the page shows no scan.
        checkpoint: whose answer is shown; the stop is left out where it is not at hand.
    """

    page: str
    words: str
    scan: str | None = None
    checkpoint: str = ""


STEPS = (
    Step(
        EXPLAIN,
        "A drawn chest with fluid at the patient's right base, on the left of the picture. The map lies on it. Move "
        "the slider to take it away; press G to see the same patient drawn without it.",
        "Phantom patient 7",
        "attri-net-phantom",
    ),
    Step(
        EXPLAIN,
        "The same model where it fails: it calls the large heart rightly, but its picture without it is farther from "
        "the true one than the film itself. Press G to compare the two.",
        "Phantom patient 2",
        "attri-net-phantom",
    ),
    Step(
        EXPLAIN,
        "Another method, CX-GAN, at its best: it takes nearly half of this fluid away as it was drawn, and changes "
        "little else. Press G for the truth.",
        "Phantom patient 4",
        "cx-gan-phantom",
    ),
    Step(
        EXPLAIN,
        "CX-GAN at its worst: there is no effusion in this chest. It takes an atelectasis for fluid and changes it; "
        "the truth (press G) is the film as it is.",
        "Phantom patient 3",
        "cx-gan-phantom",
    ),
    Step(
        EXPLAIN,
        "This film carries the text CXR-ROOM1. The model learned that the text goes along with a large heart: its "
        "strongest evidence lies on the letters.",
        "Phantom patient 2 with a tag",
        "attri-net-phantom-tag",
    ),
    Step(
        EXPLAIN,
        "The same film, and a model that was guided away from the text. Its map is free of the letters; its answer "
        "still moves with them, as its card says.",
        "Phantom patient 2 with a tag",
        "attri-net-phantom-tag-guided",
    ),
    Step(
        LEARNED,
        "What the two learned from all films: the class centre of the first shows the text itself, that of the guided "
        "one does not.",
        None,
        "attri-net-phantom-tag-guided",
    ),
    Step(
        EXPLAIN,
        "A real film, and a model of real films. Read its caution: the map is a verdict laid over the chest, not a "
        "place.",
        "",
        "attri-net-nih",
    ),
    Step(
        EXPLAIN,
        "The same real film with fluid put in, so that the truth is known. This model learned nothing sure of "
        "effusion: it cannot tell, and the page says so instead of a number. It calls pneumonia.",
        open_scans.IMPLANTED,
        "attri-net-nih",
    ),
    Step(
        EXPLAIN,
        "ACAT reads a whole CT of the head and names the territory, left MCA. Its map lies on this large infarct. Its "
        "counterfactual brightens it by far more than the truth beside it.",
        "Stroke phantom head",
        "acat-stroke-phantom",
    ),
    Step(
        EXPLAIN,
        "ACAT at its worst: a small infarct in the left thalamus, which the true difference shows. The model says no, "
        "and its map and its change lie elsewhere.",
        "Stroke phantom head, small infarct",
        "acat-stroke-phantom",
    ),
    Step(
        SIMILAR,
        "Which drawn patients does a model see as like the one on show? Choose a finding, or the whole picture.",
        "Phantom patient 7",
        "attri-net-phantom",
    ),
    Step(
        BIAS,
        "Does a model lean on a person's sex, the scanner or a marker? The bias report asks it with the same patients "
        "under another value. This is the end of the tour.",
        None,
        "attri-net-phantom-tag",
    ),
)


def steps(at_hand: list[Checkpoint]) -> list[Step]:
    """The stops whose checkpoints are at hand."""
    names = {checkpoint.name for checkpoint in at_hand}
    return [step for step in STEPS if not step.checkpoint or step.checkpoint in names]


def current(count: int) -> int | None:
    """Which stop the address asks for, from 0; None without a tour. What is no stop is the nearest one."""
    asked = st.query_params.get(PARAMETER)
    if asked is None or not count:
        return None
    try:
        return min(max(int(asked), 1), count) - 1
    except ValueError:
        return 0


def prepare(step: Step) -> None:
    """Shows the stop's scan with the stop's checkpoint, once: what the reader does afterwards stands."""
    opened = None
    if step.scan is not None:
        film = open_scans.sample() if step.scan == "" else None
        opened = film or open_scans.drawn(step.scan or "Phantom patient 1")
        open_scans.show(opened)
    checkpoint = next((c for c in common.usable() if c.name == step.checkpoint), None)
    if opened is not None and checkpoint is not None:
        offers = checkpoint_choice.offered(opened)
        if checkpoint.identity in {c.identity for c in offers.checkpoints}:
            checkpoint_choice.take(offers, checkpoint)


def under_way() -> bool:
    """Whether the page is one of the tour's."""
    return PARAMETER in st.query_params


def go(page: str, place: int | None) -> None:
    """To another stop; None ends the tour where it is."""
    if place is None:
        st.session_state.pop("tour prepared", None)
        del st.query_params[PARAMETER]
        return
    st.session_state["tour to"] = (page, place)


def bar() -> None:
    """The line of the tour above a page, where one is under way; to be called before the page runs."""
    if (target := st.session_state.pop("tour to", None)) is not None:
        page, place = target
        st.switch_page(page, query_params={PARAMETER: str(place + 1)})
    if not under_way():
        return
    stops = steps(common.usable())
    place = current(len(stops))
    if place is None:
        return
    step = stops[place]
    if st.session_state.get("tour prepared") != place:
        st.session_state["tour prepared"] = place
        prepare(step)
    with st.container(key="tour", horizontal=True, vertical_alignment="center", gap="small"):
        st.text(f"{place + 1} of {len(stops)}. {step.words}", width="stretch")
        before, after = place - 1, place + 1
        st.button(
            "Back",
            key="tour back",
            disabled=before < 0,
            on_click=go,
            args=(stops[max(before, 0)].page, before),
            shortcut="Alt+Left",
        )
        last = after == len(stops)
        st.button(
            "End" if last else "Next",
            key="tour next",
            type="primary",
            on_click=go,
            args=(step.page, None) if last else (stops[after].page, after),
            shortcut="Alt+Right",
        )
        if not last:
            st.button("End", key="tour end", type="tertiary", on_click=go, args=(step.page, None))
