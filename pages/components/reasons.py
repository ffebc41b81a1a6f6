"""The reasons of a classifier that reads attributes: what it sees in the picture, which attributes follow, and which
diagnosis from these; every attribute can be set by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import streamlit as st

from engine.checkpoints.format import Checkpoint
from engine.look import AttributeEffect, Look
from engine.queue import Job
from engine.regions import Region
from engine.scan import Scan
from pages.components import common, thumbnails, words

SHOWN_EFFECTS = 6
STEP = 0.05  # of a slider
WHOLE = "diagnosis"  # the choice of the first column that is no attribute


def has_reasons(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint's method explains in a hierarchy and this one reads attributes."""
    return common.method_of(checkpoint).has_regions and bool(checkpoint.config.get("concepts"))


def ask_look(scan: Scan, checkpoint: Checkpoint, symbols: Sequence[str] = ("",)) -> Job:
    """The worker's job for where a model looks, under each value of a symbol."""
    device, asked = common.device(), tuple(symbols)

    def work(progress):
        return common.model_of(checkpoint, device).look(scan, asked)

    return common.ask(("look", scan.sha256, checkpoint.identity, asked, device), work)


def ask_diagnosis(checkpoint: Checkpoint, values: Mapping[str, float]) -> Job:
    """The worker's job for the diagnosis from attributes, and what they account for."""
    device, given = common.device(), dict(values)

    def work(progress):
        return common.model_of(checkpoint, device).diagnosis(given)

    return common.ask(("diagnosis", checkpoint.identity, tuple(sorted(given.items())), device), work)


@st.fragment
def reasons(scan: Scan, checkpoint: Checkpoint, regions: Region | None) -> None:
    """Three columns; what the reader sets here asks for the diagnosis alone, and the scan is not read again."""
    job = ask_look(scan, checkpoint)
    if not _answered(job, "Looking at the scan"):
        return
    (look,) = job.answer()
    otherwise = {part.name: part.counterfactual for part in regions.parts} if regions is not None else {}
    prefix = f"attribute {checkpoint.identity[:12]} {scan.sha256[:12]}"
    with st.container(key="reasons"):
        picture, attributes, diagnosis = st.columns([0.29, 0.39, 0.32], gap="medium")
        with picture:
            _picture(scan, look)
        with attributes:
            values = _attributes(look, otherwise, prefix)
        with diagnosis:
            asked = ask_diagnosis(checkpoint, values)
            if _answered(asked, "Asking for the diagnosis"):
                p, effects = asked.answer()
                _diagnosis(look, p, effects, changed=any(abs(values[n] - v) > 1e-9 for n, v in look.attributes.items()))


def _answered(job: Job, what: str) -> bool:
    job.wait(0.3)
    if not job.done:
        common.wait_for(job, what)
        return False
    if job.error is not None:
        common.line(common.complaint(job), "bad")
        return False
    return True


def _picture(scan: Scan, look: Look) -> None:
    """The scan under the map of what is chosen: where the model looks for the diagnosis, or for an attribute."""
    st.html("<h2>In the picture</h2>")
    chosen = st.pills(
        "Where it looks for",
        [WHOLE, *look.attributes],
        default=WHOLE,
        format_func=words.literal,
        key="reason shown",
        help="Grad-CAM of the diagnosis, or of one attribute",
    )
    cam = look.cam if chosen in (None, WHOLE) else look.attribute_cams[chosen]
    of = look.finding.lower() if chosen in (None, WHOLE) else chosen
    found = words.whereabouts(cam)
    where = f"{100 * found[0]:.0f} % of it lies in the {found[1]} of the picture" if found else "nowhere in particular"
    said = f"Where it looks for {of}: {where}."
    st.html(
        thumbnails.figure(scan, cam, said)
        + f"<p class='said'>{escape(said)} Stronger colour counts more; the strongest is the same in every map.</p>"
    )


def _attributes(look: Look, otherwise: Mapping[str, float | None], prefix: str) -> dict[str, float]:
    """A bar and a slider for each attribute; what the sliders say."""
    st.html(
        "<h2>Attributes</h2><p class='said'>The bar is what the model reads, the mark what it would have to read "
        "to say no. Set one by hand on the right.</p>"
    )
    values = {}
    for name, read in look.attributes.items():
        key = f"{prefix} {name}"
        bar, slider = st.columns([0.56, 0.44], gap="small", vertical_alignment="center")
        with slider:
            given = st.slider(
                f"{words.literal(name)}, from 0 to 1",
                0.0,
                1.0,
                round(read / STEP) * STEP,
                STEP,
                key=key,
                label_visibility="collapsed",
            )
        untouched = abs(given - round(read / STEP) * STEP) < 1e-9
        values[name] = read if untouched else float(given)
        with bar:
            st.html(_bar(name, read, otherwise.get(name), None if untouched else float(given)))
    if any(abs(values[name] - read) > 1e-9 for name, read in look.attributes.items()):
        st.button("Back to what it reads", key="reasons reset", type="tertiary", on_click=_reset, args=(look, prefix))
    return values


def _reset(look: Look, prefix: str) -> None:
    for name, read in look.attributes.items():
        st.session_state[f"{prefix} {name}"] = round(read / STEP) * STEP


def _bar(name: str, read: float, otherwise: float | None, given: float | None) -> str:
    """One attribute: its name, the numbers in words, and both as a bar."""
    numbers = f"{read:.2f}" + ("" if otherwise is None else f" \u2192 {otherwise:.2f}")
    mark = "" if otherwise is None else f"<i class='mark' style='left:{100 * min(max(otherwise, 0), 1):.1f}%'></i>"
    set_to = "" if given is None else f"<i class='set' style='left:{100 * given:.1f}%'></i>"
    by_hand = "" if given is None else f", set to {given:.2f}"
    said = f"{name}: read {read:.2f}" + ("" if otherwise is None else f", otherwise {otherwise:.2f}") + by_hand
    return (
        f"<div class='attribute' role='img' aria-label='{escape(said, quote=True)}'>"
        f"<span>{escape(name)}</span><span>{numbers}{by_hand}</span>"
        f"<b><u style='width:{100 * read:.1f}%'></u>{mark}{set_to}</b></div>"
    )


def _diagnosis(look: Look, p: float, effects: Sequence[AttributeEffect], changed: bool) -> None:
    """The diagnosis as it is read and as it is set, and what the attributes account for."""
    positive = p > look.threshold
    verdict = look.finding.lower() if positive else f"not {look.finding.lower()}"
    whose = "With these attributes" if changed else "As it reads the picture"
    flips = "" if positive == look.positive else " The call is another one."
    before = f" It was {look.probability:.2f} as it reads the picture.{flips}" if changed else ""
    st.html(
        "<h2>Diagnosis</h2>"
        f"<div class='call {'yes' if positive else 'no'}'><strong>{p:.2f}</strong><span>{escape(verdict)}</span></div>"
        + _probability(p, look.threshold, look.probability if changed else None)
        + f"<p class='said'>{whose} the probability is {p:.2f}; above {look.threshold:.2f} it is called "
        f"{escape(look.finding.lower())}.{before}</p>"
        + "<h2>What accounts for it</h2>"
        + effects_chart(effects, positive)
    )


def _probability(p: float, threshold: float, before: float | None) -> str:
    was = "" if before is None else f"<i class='set' style='left:{100 * before:.1f}%'></i>"
    return (
        f"<div class='attribute' role='img' aria-label='probability {p:.2f}, operating point {threshold:.2f}'>"
        f"<b><u style='width:{100 * p:.1f}%'></u><i class='mark' style='left:{100 * threshold:.1f}%'></i>{was}</b>"
        "</div>"
    )


def effects_chart(effects: Sequence[AttributeEffect], positive: bool) -> str:
    """The best sets as bars with their numbers, and the first of them in a sentence; HTML."""
    shown = [effect for effect in effects if effect.effect > 0.005][:SHOWN_EFFECTS]
    if not shown:
        none_is = "none that it reads is there" if positive else "all of them are there already"
        if effects:
            none_is = "without any of them the answer stays"
        return f"<p class='said'>No set of up to three attributes accounts for this answer: {none_is}.</p>"
    rated = any(effect.in_ratings is not None for effect in shown)
    rows = "".join(_effect(effect) for effect in shown)
    mark = " The mark is the same share in the radiologists' ratings that it learned from." if rated else ""
    return (
        f"<p class='said first'>{escape(effect_words(shown[0], positive))}</p>{rows}"
        f"<p class='said'>CCCE: the share of the answer's probability that would be gone.{mark}</p>"
    )


def effect_words(effect: AttributeEffect, positive: bool) -> str:
    """A sentence: 'Spiculation and lobulation together account for 0.62 of this answer.'."""
    names = joined(effect.attributes)
    verb = "accounts" if len(effect.attributes) == 1 else "together account"
    missing = "" if positive else "The absence of "
    start = f"{missing}{names}" if missing else names[0].upper() + names[1:]
    return f"{start} {verb} for {effect.effect:.2f} of this answer."


def joined(names: Sequence[str]) -> str:
    """'a, b and c'."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _effect(effect: AttributeEffect) -> str:
    name, share = joined(effect.attributes), float(np.clip(effect.effect, 0, 1))
    rated = effect.in_ratings
    mark = "" if rated is None else f"<i class='mark' style='left:{100 * float(np.clip(rated, 0, 1)):.1f}%'></i>"
    said = f"{name}: {effect.effect:.2f}" + ("" if rated is None else f", in the ratings {rated:.2f}")
    return (
        f"<div class='attribute effect' role='img' aria-label='{escape(said, quote=True)}'>"
        f"<span>{escape(name)}</span><span>{effect.effect:.2f}</span>"
        f"<b><u style='width:{100 * share:.1f}%'></u>{mark}</b></div>"
    )
