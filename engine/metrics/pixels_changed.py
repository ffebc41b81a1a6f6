"""How many pixels a counterfactual changes (Table 8 of Liu et al. 2025)."""

from __future__ import annotations

import numpy as np

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable

METRICS = ("pixels_changed",)
LEAST = 1e-3  # of the grey range, the paper's


def pixels_changed(
    before: np.ndarray, after: np.ndarray, grey_range: float, finding: str = "", groups: Groups = None
) -> Measure:
    """Mean over pictures of the number of pixels that change by more than 0.001 of the grey range.

    Args:
        before, after: (n, h, w), on the scale on which the greys span `grey_range`.

    Raises:
        NotMeasurable: no picture. ValueError: shapes that differ.
    """
    if before.shape != after.shape or before.ndim != 3:
        raise ValueError(f"before and after must share one (n, h, w), got {before.shape} and {after.shape}")
    if not len(before):
        raise NotMeasurable(f"{finding or 'all'} has no picture whose changed pixels could be counted")
    counts = (np.abs(after - before) > LEAST * grey_range).sum(axis=(1, 2)).astype(np.float64)
    pixels = before.shape[1] * before.shape[2]
    return Measure(
        "pixels_changed",
        finding,
        float(counts.mean()),
        *mean_interval(counts, groups, within=(0.0, float(pixels))),
        n=len(counts),
        remark=f"of {pixels} pixels",
    )
