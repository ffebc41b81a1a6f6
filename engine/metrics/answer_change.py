"""Answer change: how far a model's answer moves, and how often its decision flips, when one attribute of the picture is
changed.
"""

from __future__ import annotations

import numpy as np

from engine.metrics.intervals import Groups, mean_interval, share_interval
from engine.metrics.measure import Measure, between
from engine.metrics.subjects import CHANGE, FLIPS


def answer_change(
    before: np.ndarray,
    after: np.ndarray,
    threshold: float,
    finding: str,
    attribute: str,
    pair: tuple[str, str],
    groups: Groups = None,
) -> list[Measure]:
    """Two rows: the mean of after - before, and the share of decisions (probability above `threshold`) that differ.

    Args:
        before, after: (n,) probabilities of the same n patients under the first and the second value of `pair`, all
            else the same.
        groups: (n,) patients; None when all are independent.

    Raises:
        ValueError: shapes that differ, or no case.
    """
    before, after = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if before.ndim != 1 or before.shape != after.shape or not len(before):
        raise ValueError(
            f"before and after must share one shape (n,), n at least 1, got {before.shape} and {after.shape}"
        )
    moved, flipped = after - before, (after > threshold) != (before > threshold)
    mean, share = mean_interval(moved, groups, within=(-1.0, 1.0)), share_interval(flipped, groups)
    return [
        Measure(
            "effect",
            finding,
            moved.mean(),
            *mean,
            len(moved),
            chance=0.0,
            variant=CHANGE,
            attribute_value=between(*pair),
            attribute=attribute,
        ),
        Measure("effect", finding, flipped.mean(), *share, len(moved), variant=FLIPS, attribute=attribute),
    ]
