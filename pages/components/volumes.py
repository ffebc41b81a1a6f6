"""A volume that a method explains as a whole: its records are made once, and shown on all its slices."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from engine.checkpoints.format import Checkpoint
from engine.explanation import Explanation
from engine.metrics.measure import Measure
from engine.preprocessing import enlarged_volume, plane_at
from engine.queue import Progress
from engine.scan import Scan, frame
from pages.components import common, words
from pages.components.trust import trust
from viewer import VISIBLE_CHANGE, FindingView

WHAT = "volume"  # what a scan that is explained as a whole is called in a sentence
KEPT = 4  # volumes whose records are kept while their slices are turned
_cache: OrderedDict[tuple[str, str, str], list[Explanation]] = OrderedDict()  # by scan, checkpoint and device
_lock = threading.Lock()


def explains_whole(checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint takes a volume as a whole, rather than one slice of it."""
    return common.method_of(checkpoint).dimensions == 3


def records(checkpoint: Checkpoint, device: str, volume: Scan, progress: Progress) -> list[Explanation]:
    """What the checkpoint says of a volume; asked once for all its slices. To be called on the worker."""
    key = (volume.sha256, checkpoint.identity, device)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return list(_cache[key])
    found = common.model_of(checkpoint, device).explain(volume, progress=progress)
    with _lock:
        _cache[key] = found
        while len(_cache) > KEPT:
            _cache.popitem(last=False)
    return list(found)


def strongest_slice(record: Explanation, count: int) -> int:
    """On which of a volume's `count` slices, from 0, the evidence is strongest."""
    sizes = np.abs(record.evidence).max(axis=(1, 2))
    return min(count - 1, int((int(np.argmax(sizes)) + 0.5) * count / len(sizes)))


def finding_view(
    record: Explanation,
    volume: Scan,
    rates: Sequence[Measure],
    first: bool,
    signed: bool,
    truth: np.ndarray | None = None,
    variant: str = "",
) -> FindingView:
    """What the viewer needs of the record of a volume: maps on every slice, and in words what lies on the slice where
    the evidence is strongest.

    Args:
        first: at the head of the list, see `words.finding_view`.
        signed: whether the method's maps have two signs.
        truth: (S, H, W), what the true counterfactual adds to the volume, where that is known.
        variant: of the card's rows about the counterfactual, see `trust.measured_recovery`.
    """
    count = len(volume.pixels)
    index = strongest_slice(record, count)
    flat = words.finding_view(
        at_slice(record, index, count),
        frame(volume, index),
        rates,
        first,
        record.only_drawn,
        signed=signed,
        what=WHAT,
        strongest=f"slice {index + 1} of {count}",
    )
    if flat.unsure:
        return replace(flat, evidence=np.zeros_like(record.evidence), truth=truth, **_changes(record, np.zeros_like))
    return replace(
        flat,
        evidence=record.evidence,
        facts=_facts(record, volume, truth),
        truth=truth,
        trust=trust(record, volume, rates, None, variant),
        **_changes(record),
    )


def _changes(record: Explanation, made: Callable[[np.ndarray], np.ndarray] = np.ascontiguousarray) -> dict:
    """The changes of a path on all slices: the one at a = 1 where the others are shares of it."""
    path = record.path
    if path is None:
        return {}
    whole = words.full_change(record)
    linear = np.allclose(path.changes, path.steps[:, None, None, None] * whole, atol=1e-4 * path.grey_range)
    return {"changes": made(whole if linear else path.changes)}


def _facts(record: Explanation, volume: Scan, truth: np.ndarray | None) -> list[tuple[str, str]]:
    """How large the change of a volume is that takes the finding away fully (a = 1)."""
    if record.path is None:
        return []
    share = words.changed_share(record)
    rows = [("changed at a = 1", f"{100 * share:.1f} % of the volume")]
    if volume.spacing_mm is not None and None not in volume.spacing_mm:
        millilitres = share * volume.pixels.size * np.prod(volume.spacing_mm) / 1000
        rows.append(("that is", f"{millilitres:,.1f} ml"))
    if truth is None or not truth.any():  # what is known of the truth is worth its place
        rows.append(("counted from", f"{100 * VISIBLE_CHANGE:.2g} % of the grey range"))
    whole = words.full_change(record)
    hounsfield, most = volume.kind == "CT", float(np.abs(whole).max())
    size = f"{most:.0f} HU" if hounsfield else f"{100 * most / record.path.grey_range:.0f} % of the grey range"
    if truth is None or not truth.any():
        return [*rows, ("largest change", size)]
    true = float(np.abs(truth).max())
    beside = f"{true:.0f} HU" if hounsfield else f"{100 * true / record.path.grey_range:.0f} %"
    recovered = float(1 - np.abs(enlarged_volume(whole, truth.shape) - truth).mean() / np.abs(truth).mean())
    rows += [("largest change", f"{size}, the true one {beside}"), ("recovered", words.recovery_words(recovered))]
    return rows


def at_slice(record: Explanation, index: int, count: int) -> Explanation:
    """The record of a volume of `count` slices as it shows on slice `index`; the large pictures are left behind."""
    flat = record.without_pictures()
    path = flat.path and replace(
        flat.path, changes=np.stack([plane_at(change, index, count) for change in flat.path.changes])
    )
    return replace(flat, evidence=np.ascontiguousarray(plane_at(flat.evidence, index, count)), path=path)
