"""Normalised cross-correlation of a map with the truth: do they rise and fall together, whatever the map's scale."""

from __future__ import annotations

import numpy as np

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.stacks import Pictures, blocks, groups_of, same_stack

METRICS = ("ncc",)


def correlations(maps: Pictures, truth: Pictures) -> np.ndarray:
    """(N,) float64: mean product of both pictures after centring and division by their SD, as Baumgartner et al. 2018
    have it.

    0 where the map is constant, NaN where the truth is.
    """
    maps, truth = same_stack(maps=maps, truth=truth)
    values = np.empty(len(maps))
    for block in blocks(maps):
        a, b = (_centred(stack[block]) for stack in (maps, truth))
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        values[block] = np.divide((a * b).sum(axis=1), lengths, out=np.zeros(len(a)), where=lengths > 0)
        values[block][~b.any(axis=1)] = np.nan
    return np.clip(values, -1, 1)


def ncc(maps: Pictures, truth: Pictures, finding: str = "", groups: Groups = None) -> Measure:
    """Mean over pictures of the correlation, -1 to 1; a constant map scores 0, which is chance.

    Pictures without a truth have none: they are left out, and the remark counts them. n is the number of pictures
    counted.

    Args:
        maps: (N, H, W), any unit. Positive where the truth is: |M| beside a mask, or M beside the true signed change.
        truth: (N, H, W), a bool mask or the true change.
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: no picture has a truth.
    """
    values = correlations(maps, truth)
    known = np.isfinite(values)
    clusters = groups_of(groups, known)
    if not known.any():
        raise NotMeasurable(
            f"{finding or 'all'}: the truth of none of {len(values)} pictures varies, so nothing can be correlated "
            "with it"
        )
    return Measure(
        "ncc",
        finding,
        values[known].mean(),
        *mean_interval(values[known], clusters, within=(-1.0, 1.0)),
        n=int(known.sum()),
        chance=0.0,
        remark=f"{(~known).sum()} of {len(known)} pictures left out: nothing annotated" if not known.all() else "",
    )


def _centred(pictures: np.ndarray) -> np.ndarray:
    """(n, H, W) to (n, H * W) float64 of mean 0; exactly 0 where a picture is constant."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    constant = flat.min(axis=1) == flat.max(axis=1)
    flat -= flat.mean(axis=1, keepdims=True)
    flat[constant] = 0
    return flat
