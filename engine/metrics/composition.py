"""Composition: how far a picture moves when it is asked to stay as it is (Monteiro et al. 2023); 0 is perfect."""

from __future__ import annotations

import numpy as np

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.stacks import Pictures, blocks, same_stack
from engine.metrics.subjects import subject

METRICS = ("composition",)
REMARK = "mean |change| where nothing was to change, share of the grey range; 0 is perfect"


def composition(
    original: Pictures,
    null: Pictures,
    span: float,
    finding: str = "",
    groups: Groups = None,
    remark: str = REMARK,
    variant: str = "",
) -> Measure:
    """Mean over pictures of mean |null - original| / span. n is the number of pictures.

    Args:
        original: (N, H, W).
        null: (N, H, W) in the same unit: the pictures after an intervention that sets what holds already.
        span: greatest minus least value that a picture can take, in that unit.
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: no picture.
        ValueError: shapes or groups that differ, values that are not finite, a span that is not above 0.
    """
    if not span > 0:
        raise ValueError(f"span must be above 0, got {span}")
    if not len(original) and not len(null):
        raise NotMeasurable(f"{subject(finding, variant=variant)}: there is no picture to be left alone")
    original, null = same_stack(original=original, null=null)
    moved = np.empty(len(original))
    for block in blocks(original):
        moved[block] = np.abs(null[block].astype(np.float64) - original[block]).mean(axis=(1, 2)) / span
    interval = mean_interval(moved, groups, within=(0.0, np.inf))
    return Measure("composition", finding, moved.mean(), *interval, n=len(moved), remark=remark, variant=variant)
