"""A volume that a method explains as a whole: its records are made once, and shown slice by slice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np

from engine.checkpoints.format import Checkpoint
from engine.explanation import Explanation
from engine.preprocessing import plane_at
from engine.queue import Progress
from engine.scan import Scan
from pages.components import common

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


def at_slice(record: Explanation, index: int, count: int) -> Explanation:
    """The record of a volume of `count` slices as it shows on slice `index`; the large pictures are left behind."""
    flat = record.without_pictures()
    path = flat.path and replace(
        flat.path, changes=np.stack([plane_at(change, index, count) for change in flat.path.changes])
    )
    return replace(flat, evidence=np.ascontiguousarray(plane_at(flat.evidence, index, count)), path=path)
