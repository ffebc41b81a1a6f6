"""What is written into a checkpoint after it was saved: a caution, and more measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.checkpoints.format import (
    CARD,
    CARD_SECTIONS,
    CONFIG,
    METRICS,
    WEIGHTS,
    Checkpoint,
    RefusedCheckpoint,
    as_text,
    examine,
)
from engine.checkpoints.sections import read_card, with_section
from engine.files import scratch_beside, staged, write_whole
from engine.metrics.measure import Measure

CAUTION = "Caution: "


def with_caution(checkpoint: Checkpoint, words: str) -> Checkpoint:
    """Writes a caution into a checkpoint's configuration and card, in place of an earlier one; empty words take it
    back.

    Raises:
        RefusedCheckpoint: words of several lines, or too many; what stood there stands there still.
        UnwritableFile: likewise.
    """
    words = words.strip()
    config = {k: v for k, v in checkpoint.config.items() if k != "caution"} | ({"caution": words} if words else {})
    card = checkpoint.card.replace(f"\n\n{CAUTION}{checkpoint.caution}", "") if checkpoint.caution else checkpoint.card
    if words:
        intended = read_card(card)[CARD_SECTIONS[0]]
        card = with_section(card, CARD_SECTIONS[0], f"{intended}\n\n{CAUTION}{words}")
    return rewritten(checkpoint, {CARD: card, CONFIG: as_text(config)})


def with_measures(checkpoint: Checkpoint, rows: Sequence[Measure]) -> Checkpoint:
    """Writes more rows into a checkpoint's metrics, in place of earlier ones about the same, and makes its card's
    tables anew.

    Raises:
        RefusedCheckpoint: there are none yet, or the result would not open; what stood there stands there still.
        UnwritableFile: likewise.
    """
    if not checkpoint.metrics.rows:
        raise RefusedCheckpoint(f"The card of {checkpoint.name} has no table of measures to add to.")
    metrics = checkpoint.metrics.renewed(rows)
    return rewritten(checkpoint, {METRICS: metrics.text(), CARD: metrics.on(checkpoint.card)})


def rewritten(checkpoint: Checkpoint, texts: Mapping[str, str]) -> Checkpoint:
    """The checkpoint with other texts under the names of its files, put there together once they were seen to open.

    Raises:
        RefusedCheckpoint: they would not open; what stood there stands there still.
        UnwritableFile: likewise.
    """
    folder = checkpoint.folder
    with scratch_beside(folder.resolve()) as scratch:  # examined before anything is changed
        draft = scratch / folder.resolve().name
        draft.mkdir()
        for name in (WEIGHTS, CONFIG, CARD, METRICS):
            if name not in texts and (folder / name).is_file():
                (draft / name).symlink_to((folder / name).resolve())
        for name, text in texts.items():
            write_whole(draft / name, text)
        examine(draft)
    with staged(folder) as put:
        for name, text in texts.items():
            put(name, text)
    return examine(folder)
