"""An aligned classifier and its unaligned twin on the same scan, the symbol of their training added by a switch."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st

from engine.checkpoints.format import Checkpoint
from engine.datasets.crop import CROPS
from engine.datasets.symbols import KINDS, draw_symbol
from engine.look import Look
from engine.scan import Scan
from engine.shortcuts import both_numbers
from pages.components import common, thumbnails
from pages.components.reasons import ask_look

PLAIN = "without"


def is_aligned(checkpoint: Checkpoint) -> bool:
    """Whether the alignment took part in its training."""
    training = checkpoint.config.get("training", {})
    return bool(
        training.get("lambda_image") or (training.get("lambda_attributes") and checkpoint.config.get("concepts"))
    )


def symbol_values(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The values of the symbol that its training pictures carried; none without."""
    return KINDS.get(str(checkpoint.config.get("data", {}).get("options", {}).get("symbol", "none")), ())


def twin_of(checkpoint: Checkpoint, others: Sequence[Checkpoint]) -> Checkpoint | None:
    """The checkpoint that was trained on the same pictures with the same symbols and the other way in one thing: with
    alignment or without. Of several, the one whose name is most like it.
    """
    values, data = symbol_values(checkpoint), checkpoint.config.get("data", {})
    if not values or not common.method_of(checkpoint).has_regions:
        return None
    same = [
        other
        for other in others
        if other.method == checkpoint.method
        and other.config.get("data", {}).get("collection") == data.get("collection")
        and symbol_values(other) == values
        and list(other.config["findings"]) == list(checkpoint.config["findings"])
        and bool(other.config.get("concepts")) == bool(checkpoint.config.get("concepts"))
        and is_aligned(other) != is_aligned(checkpoint)
    ]
    return min(same, key=lambda other: (not other.name.startswith(checkpoint.name), other.name), default=None)


@st.fragment
def twins(scan: Scan, checkpoint: Checkpoint, twin: Checkpoint) -> None:
    """Both models side by side; the switch draws a symbol into the scan and asks nobody again."""
    values = symbol_values(checkpoint)
    pair = sorted((checkpoint, twin), key=is_aligned, reverse=True)
    jobs = [ask_look(scan, model, ("", *values)) for model in pair]
    for job in jobs:
        job.wait(0.3)
        if job.done and job.error is not None:
            common.line(common.complaint(job), "bad")
            return
    if waiting := next((job for job in jobs if not job.done), None):
        common.wait_for(waiting, "Looking at the scan twice")
        return
    looks = [dict(zip(("", *values), job.answer(), strict=True)) for job in jobs]
    with st.container(key="twins"):
        chosen = st.segmented_control(
            "Symbol in the corner",
            [PLAIN, *values],
            default=PLAIN,
            key="symbol shown",
            help="In training it went along with the diagnosis. It says nothing of the patient.",
        )
        value = "" if chosen in (None, PLAIN) else str(chosen)
        for column, model, seen in zip(st.columns(2, gap="medium"), pair, looks, strict=True):
            with column:
                _one(scan, model, seen, value, values)


def _one(scan: Scan, model: Checkpoint, seen: dict[str, Look], value: str, values: tuple[str, ...]) -> None:
    """One model under the symbol that is on show, and how far the symbol alone moves it."""
    look, aligned = seen[value], is_aligned(model)
    title = f"{'Aligned' if aligned else 'Unaligned'}: {common.label(model)}"
    verdict = look.finding.lower() if look.positive else f"not {look.finding.lower()}"
    said = f"{title}: where it looks when it says {verdict}"
    first, second = (seen[v] for v in values)
    st.html(
        f"<h2>{escape(title)}</h2><div class='twin'>"
        + thumbnails.figure(scan, look.cam, said, _marked(scan, model, value))
        + f"<div><div class='call {'yes' if look.positive else 'no'}'><strong>{look.probability:.2f}</strong>"
        f"<span>{escape(verdict)}</span></div><p class='said'>{escape(moved_words(first, second, values))}</p>"
        + "".join(f"<p class='said'>{escape(line)}</p>" for line in both_numbers(model.metrics.rows))
        + "</div></div>"
    )


def moved_words(first: Look, second: Look, values: tuple[str, ...]) -> str:
    """How far the symbol alone moves this scan's answer."""
    moved = 100 * (second.probability - first.probability)
    flips = "The decision flips." if first.positive != second.positive else "The decision stays."
    return (
        f"On this scan: {first.probability:.2f} with \u201c{values[0]}\u201d, {second.probability:.2f} with "
        f"\u201c{values[1]}\u201d. The symbol alone moves it by {moved:+.1f} points. {flips}"
    )


def _marked(scan: Scan, model: Checkpoint, value: str):
    """The scan's pixels with the symbol where the model got it; None without."""
    if not value:
        return None
    crop = CROPS[str(model.config.get("crop", "whole"))](scan.pixels)
    cut = crop.cut(scan.pixels)
    black, white = model.config.get("preprocessing", {}).get("fixed") or (float(cut.min()), float(cut.max()))
    kind = str(model.config["data"]["options"]["symbol"])
    drawn = draw_symbol(cut, None, kind, value, white=white, black=black)
    changed = crop.put_back((drawn != cut).astype(np.float32)) > 0.5
    return np.where(changed, crop.put_back(drawn), scan.pixels).astype(np.float32)
