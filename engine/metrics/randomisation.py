"""Sanity checks (Adebayo et al. 2018; Sixt et al. 2020): a map of a network that knows nothing, or of another finding,
must be another map.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample
from engine.metrics.stacks import Pictures, same_stack

METRICS = ("parameter_randomisation", "random_logit")


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Spearman's correlation of |one| and |other| over pixels; None where the first has one value only, 0 where the
    second has.
    """
    first, second = (rankdata(np.abs(np.asarray(part, np.float64)).ravel()) for part in (one, other))
    if np.ptp(first) == 0:
        return None
    return 0.0 if np.ptp(second) == 0 else float(np.corrcoef(first, second)[0, 1])


def parameter_randomisation(
    maps: Pictures, maps_without_knowledge: Pictures, finding: str = "", groups: Groups = None, variant: str = ""
) -> Measure:
    """Mean over pictures of the rank correlation of a map with that of the same network, its weights shuffled; near 0
    is right, near 1 says that the map hardly depends on what was learned.

    Flat maps are left out, and the remark counts them. n is the number of pictures counted.

    Args:
        maps, maps_without_knowledge: (N, H, W) each, of the same pictures.
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: no map is left.
    """
    return _likeness("parameter_randomisation", maps, maps_without_knowledge, finding, groups, variant)


def random_logit(
    maps: Pictures, maps_of_another: Pictures, finding: str = "", groups: Groups = None, variant: str = ""
) -> Measure:
    """The same with the map of another finding: near 1 says that the map is the same whatever is asked.

    Arguments as in `parameter_randomisation`.
    """
    return _likeness("random_logit", maps, maps_of_another, finding, groups, variant)


def _likeness(metric, maps, others, finding, groups, variant) -> Measure:
    if not len(maps):
        raise NotMeasurable(f"{finding or 'all'}: there is no map to compare")
    maps, others = same_stack(maps=maps, others=others)
    found = [rank_correlation(one, other) for one, other in zip(maps, others)]
    known = np.array([value is not None for value in found], bool)
    if not known.any():
        raise NotMeasurable(f"{finding or 'all'}: all of {len(maps)} maps are flat")
    values = np.array([value for value in found if value is not None])
    clusters = None if groups is None else np.asarray(groups)[known]
    return Measure(
        metric,
        finding,
        values.mean(),
        *mean_interval(values, clusters, within=(-1.0, 1.0)),
        n=len(values),
        chance=0.0,
        variant=variant,
        remark=f"{(~known).sum()} of {len(known)} maps left out: flat" if not known.all() else "",
        sample=Sample(values, clusters),
    )
