"""Answer change: how far a model's answer moves, and how often its decision flips, when one attribute of the picture is
changed.
"""

from __future__ import annotations

import numpy as np

from engine.metrics.intervals import mean_interval, share_interval
from engine.metrics.measure import Measure


def change_subject(finding: str, attribute: str, pair: tuple[str, str]) -> str:
    """How a table names the mean change of a finding's probability from the first value of `pair` to the second."""
    return f"{finding} by {attribute}: mean change of the probability, {pair[0]} to {pair[1]}"


def flips_subject(finding: str, attribute: str) -> str:
    """How a table names the share of decisions that flip."""
    return f"{finding} by {attribute}: decisions that flip"


def answer_change(
    before: np.ndarray,
    after: np.ndarray,
    threshold: float,
    finding: str,
    attribute: str,
    pair: tuple[str, str],
    groups: np.ndarray | None = None,
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
        Measure("effect", change_subject(finding, attribute, pair), moved.mean(), *mean, len(moved), chance=0.0),
        Measure("effect", flips_subject(finding, attribute), flipped.mean(), *share, len(moved)),
    ]
