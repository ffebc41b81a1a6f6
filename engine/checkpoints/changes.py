"""What is written into a checkpoint after it was saved: a caution, and more measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

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
    save_checkpoint,
)
from engine.checkpoints.sections import read_card, with_section
from engine.files import scratch_beside, staged, write_whole
from engine.metrics.measure import Measure

CAUTION = "Caution: "
FITTED = "Its detector of unlike scans was fitted later, to the same training pictures:"


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


def with_detector(checkpoint: Checkpoint, tensors: Mapping[str, np.ndarray], command: str) -> Checkpoint:
    """Saves a checkpoint with another detector of unlike scans; its card says by which command it was fitted.

    Args:
        tensors: of the detector, in place of those that are there; the network's stay as they are.

    Raises:
        RefusedCheckpoint: the result would not open; what stood there stands there still.
        UnwritableFile: likewise.
    """
    from engine.ood import TENSORS  # needs OpenCV, which other changes do without

    arrays = {name: array for name, array in checkpoint.arrays().items() if not name.startswith(TENSORS)}
    section = "Command"
    before = read_card(checkpoint.card)[section].split(f"\n\n{FITTED}")[0]
    return save_checkpoint(
        checkpoint.folder,
        method=checkpoint.method,
        config=checkpoint.config,
        weights=arrays | dict(tensors),
        card=with_section(checkpoint.card, section, f"{before}\n\n{FITTED}\n\n```\n{command}\n```"),
        metrics=checkpoint.metrics,
        half=any(array.dtype == np.float16 for array in arrays.values()),
    )


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
