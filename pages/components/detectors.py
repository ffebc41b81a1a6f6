"""Which checkpoints' detectors find a scan alike: asked without opening a network, once for each scan and checkpoint.

A file that does not say what it shows (PNG, JPEG, most TIFF) can be told by nothing else.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

import numpy as np

from engine.checkpoints.detector import CheckpointDetector, only_drawn
from engine.checkpoints.format import Checkpoint, RefusedCheckpoint
from engine.scan import Scan, frame

SCANS = 5000  # whose scores are kept
_detectors: OrderedDict[str, CheckpointDetector | None] = OrderedDict()  # by the checkpoint's identity
_own: OrderedDict[str, CheckpointDetector | None] = OrderedDict()  # those of drawn pictures among them, likewise
_scores: OrderedDict[str, dict[str, tuple[float, float] | None]] = OrderedDict()  # by the scan's sha256, then as above
_lock = threading.Lock()


def scores(scan: Scan, checkpoints: Iterable[Checkpoint]) -> dict[str, tuple[float, float]]:
    """(score, limit) by the checkpoint's identity, without those that cannot tell; of a volume, for its
    middle slice.
    """
    with _lock:
        known = _scores.setdefault(scan.sha256, {})
        _scores.move_to_end(scan.sha256)
        while len(_scores) > SCANS:
            _scores.popitem(last=False)
    identities = [checkpoint.identity for checkpoint in checkpoints if _learn(checkpoint)]
    missing = [identity for identity in identities if identity not in known]
    if missing:
        known |= _measured(scan, missing)
    return {identity: found for identity in identities if (found := known[identity]) is not None}


def known_scores(sha256: str) -> dict[str, tuple[float, float]]:
    """What is known of a scan already."""
    with _lock:
        return {identity: found for identity, found in _scores.get(sha256, {}).items() if found is not None}


def measure(scan: Scan) -> None:
    """Asks all detectors that a page has asked before; to be called where nobody waits."""
    with _lock:
        learned = [identity for identity, detector in _detectors.items() if detector is not None]
        known = _scores.setdefault(scan.sha256, {})
    known |= _measured(scan, [identity for identity in learned if identity not in known])


def likeness(checkpoint: Checkpoint) -> Callable[[np.ndarray], tuple[float, float]] | None:
    """Pixels (H, W) in a scan's units to (score, limit), by a checkpoint's own detector; None where it has none."""
    if checkpoint.identity in _detectors and (known := _detectors[checkpoint.identity]) is not None:
        return known.score
    with _lock:
        if checkpoint.identity not in _own:
            _own[checkpoint.identity] = CheckpointDetector.of(checkpoint)
            while len(_own) > 64:
                _own.popitem(last=False)
        own = _own[checkpoint.identity]
    return None if own is None else own.score


def _learn(checkpoint: Checkpoint) -> bool:
    """Whether the checkpoint has a detector that may find a person's scan alike; it is read once."""
    identity = checkpoint.identity
    if identity not in _detectors:
        try:
            detector = None if only_drawn(checkpoint) else CheckpointDetector.of(checkpoint)
        except RefusedCheckpoint:  # whoever opens it says so
            detector = None
        with _lock:
            _detectors[identity] = detector
            while len(_detectors) > 256:
                _detectors.popitem(last=False)
    return _detectors.get(identity) is not None


def _measured(scan: Scan, identities: list[str]) -> dict[str, tuple[float, float] | None]:
    if not identities:
        return {}
    single = frame(scan, (1 if scan.pixels.ndim == 2 else len(scan.pixels)) // 2).pixels
    found: dict[str, tuple[float, float] | None] = {}
    for identity in identities:
        detector = _detectors.get(identity)
        found[identity] = None if detector is None else detector.score(single)
    return found
