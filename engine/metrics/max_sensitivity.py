"""Max-sensitivity (Yeh et al. 2019): how far a map moves when the picture moves by less than an eye would see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample
from engine.metrics.stacks import Pictures, same_stack

METRICS = ("max_sensitivity",)
RADIUS = 0.02  # of the range that a picture can take; Captum's default is 0.02 of its inputs' unit
DRAWS = 4


def max_sensitivity(
    pictures: Pictures,
    explain: Callable[[np.ndarray], np.ndarray],
    span: float,
    finding: str = "",
    groups: Groups = None,
    radius: float = RADIUS,
    draws: int = DRAWS,
    variant: str = "",
    seed: int = 0,
) -> Measure:
    """Mean over pictures of the largest |map(x + noise) - map(x)| / |map(x)|, both Euclidean norms; 0 is perfect.

    The noise is uniform within the radius, drawn `draws` times. Pictures without any map are left out, and the remark
    counts them. n is the number of pictures counted.

    Args:
        pictures: (N, H, W).
        explain: pictures (m, H, W) to maps (m, h, w).
        span: greatest minus least value that a picture can take.
        radius: in shares of `span`.
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: no picture is left.
    """
    if not len(pictures):
        raise NotMeasurable(f"{finding or 'all'}: there is no picture to move")
    (pictures,) = same_stack(pictures=pictures)
    random = np.random.default_rng(seed)
    maps = np.asarray(explain(pictures), np.float64)
    size = np.sqrt((maps**2).sum(axis=(1, 2)))
    moved = np.zeros(len(pictures))
    for _ in range(draws):
        noise = random.uniform(-radius * span, radius * span, pictures.shape).astype(pictures.dtype)
        off = np.asarray(explain(pictures + noise), np.float64) - maps
        moved = np.maximum(moved, np.sqrt((off**2).sum(axis=(1, 2))))
    known = size > 0
    if not known.any():
        raise NotMeasurable(f"{finding or 'all'}: none of {len(pictures)} pictures has a map that could move")
    values = moved[known] / size[known]
    clusters = None if groups is None else np.asarray(groups)[known]
    return Measure(
        "max_sensitivity",
        finding,
        values.mean(),
        *mean_interval(values, clusters, within=(0.0, np.inf)),
        n=len(values),
        variant=variant,
        remark=f"{(~known).sum()} of {len(known)} pictures left out: no map" if not known.all() else "",
        sample=Sample(values, clusters),
    )
