"""The mean of a measure over findings that were measured one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.metrics.measure import Measure
from engine.metrics.subjects import MEAN_OVER_FINDINGS


def mean_over(
    rows: Sequence[Measure], metric: str, variant: str = "", called: str = MEAN_OVER_FINDINGS
) -> list[Measure]:
    """The mean over the findings' rows of one variant, its interval the mean of theirs, which holds under any
    dependence; nothing for fewer than two.

    Args:
        called: the variant of the mean.
    """
    parts = [row for row in rows if row.metric == metric and row.variant == variant and row.finding]
    if len(parts) < 2:
        return []
    ends = [(row.low, row.high) for row in parts if row.low is not None and row.high is not None]
    low, high = np.mean(ends, axis=0) if len(ends) == len(parts) else (None, None)
    chances = [row.chance for row in parts if row.chance is not None]
    chance = float(np.mean(chances)) if len(chances) == len(parts) else None
    value, n = float(np.mean([row.value for row in parts])), sum(row.n for row in parts)
    return [Measure(metric, "", value, low, high, n=n, chance=chance, variant=called)]
