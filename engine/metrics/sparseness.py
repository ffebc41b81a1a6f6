"""Sparseness (Chalasani et al. 2020): the Gini index of a map, 0 where all pixels count alike, 1 where one does."""

from __future__ import annotations

import numpy as np

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample
from engine.metrics.stacks import Pictures, same_stack

METRICS = ("sparseness",)


def gini(evidence: np.ndarray) -> float | None:
    """The Gini index of |map| (Hurley and Rickard 2009), in [0, 1); None for a map that is all zero."""
    rising = np.sort(np.abs(np.asarray(evidence, np.float64)).ravel())
    total, n = rising.sum(), len(rising)
    return None if total == 0 else float(((2 * np.arange(1, n + 1) - n - 1) * rising).sum() / (n * total))


def sparseness(maps: Pictures, finding: str = "", groups: Groups = None, variant: str = "") -> Measure:
    """Mean over pictures of the Gini index of |map|. Whether more is better depends on how large the finding is.

    Maps that are all zero are left out, and the remark counts them. n is the number of maps counted.

    Args:
        maps: (N, H, W).
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: no map is left.
    """
    maps = same_stack(maps=maps)[0] if len(maps) else np.empty((0, 1, 1))
    found = [gini(one) for one in maps]
    known = np.array([value is not None for value in found], bool)
    if not known.any():
        raise NotMeasurable(f"{finding or 'all'}: none of {len(maps)} maps holds anything")
    values = np.array([value for value in found if value is not None])
    clusters = None if groups is None else np.asarray(groups)[known]
    return Measure(
        "sparseness",
        finding,
        values.mean(),
        *mean_interval(values, clusters, within=(0.0, 1.0)),
        n=len(values),
        variant=variant,
        remark=f"{(~known).sum()} of {len(known)} maps left out: all zero" if not known.all() else "",
        sample=Sample(values, clusters),
    )
