"""Recovery and restraint: a counterfactual measured against the true one, where a simulation knows it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from engine.metrics.evidence import share_inside
from engine.metrics.intervals import DRAWS, Groups, bootstrap, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample

METRICS = ("recovery", "restraint")
CHANGED = 0.01  # of a picture's largest true change; less counts as the tail of a soft edge or as noise
DILATION = 0.02  # of the picture's width


def same_shape(x: np.ndarray, x_hat: np.ndarray, x_star: np.ndarray) -> list[np.ndarray]:
    """The three pictures (H, W) as float64.

    Raises:
        ValueError: shapes that differ, or a value that is not finite.
    """
    pictures = [np.asarray(p, dtype=np.float64) for p in (x, x_hat, x_star)]
    if pictures[0].ndim != 2 or len({p.shape for p in pictures}) != 1:
        raise ValueError(f"x, x_hat and x_star must share one (H, W), got {', '.join(str(p.shape) for p in pictures)}")
    if not all(np.isfinite(p).all() for p in pictures):
        raise ValueError("x, x_hat and x_star must be finite")
    return pictures


def recovery(
    x: Iterable[np.ndarray],
    x_hat: Iterable[np.ndarray],
    x_star: Iterable[np.ndarray],
    finding: str = "",
    groups: Groups = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Measure:
    """1 - mean|x_hat - x*| / mean|x - x*|: 1 is perfect, 0 is having changed nothing, below 0 is harm.

    Both means run over all pixels of all positives, so a picture counts by the size of its true change. The interval
    resamples pictures, or patients where `groups` names them. n is the number of pictures.

    Args:
        x, x_hat, x_star: (N, H, W) or N pictures (H, W) in one common unit: the positives, the method's
            counterfactuals, and the true ones.
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: without pictures, or when the true counterfactual changes nothing.
    """
    wrong, due = [], []
    for triple in zip(x, x_hat, x_star, strict=True):
        a, hat, star = same_shape(*triple)
        wrong.append(np.abs(hat - star).mean())
        due.append(np.abs(a - star).mean())
    wrong, due = np.array(wrong), np.array(due)
    if due.sum() == 0:
        raise NotMeasurable(
            f"{finding or 'all'}: on {len(due)} pictures the true counterfactual changes nothing, so there is nothing "
            "to recover"
        )

    def statistic(weights: np.ndarray) -> np.ndarray:
        against = weights @ due
        return 1 - np.divide(weights @ wrong, against, out=np.full(len(weights), np.nan), where=against > 0)

    return Measure(
        "recovery",
        finding,
        1 - wrong.sum() / due.sum(),
        *bootstrap(statistic, len(due), groups, draws, seed),
        n=len(due),
        chance=0.0,
    )


def true_change(x: np.ndarray, x_star: np.ndarray) -> np.ndarray:
    """(H, W) bool: where |x - x*| exceeds `CHANGED` of its maximum, dilated by `DILATION` of the width (a disc)."""
    change = np.abs(x - x_star)
    rounding = 1e-6 * max(np.abs(x).max(), np.abs(x_star).max())  # both may have been float32
    core = change > max(CHANGED * change.max(), rounding)
    if not core.any():
        return core
    return ndimage.distance_transform_edt(~core) <= DILATION * x.shape[1]


def restraint(
    x: Iterable[np.ndarray],
    x_hat: Iterable[np.ndarray],
    x_star: Iterable[np.ndarray],
    finding: str = "",
    groups: Groups = None,
) -> Measure:
    """Mean over positives of the share of |x_hat - x| that falls inside the true change (see `true_change`): 1 is
    perfect.

    Pictures in which the method or the truth changes nothing have no such share: they are left out, and the remark
    counts them. Chance is the mean area share of the true change; n is the number of pictures counted. Arguments as in
    `recovery`.

    Raises:
        NotMeasurable: when no picture is left.
    """
    shares, areas, measured, still, seen = [], [], [], 0, 0
    for i, triple in enumerate(zip(x, x_hat, x_star, strict=True)):
        a, hat, star = same_shape(*triple)
        seen = i + 1
        inside = true_change(a, star)
        share = share_inside(np.abs(hat - a), inside)
        if share is None or not inside.any():
            still += 1
            continue
        shares.append(share)
        areas.append(float(inside.mean()))
        measured.append(i)
    if groups is not None and len(groups) != seen:
        raise ValueError(f"groups must name one patient a picture, got {len(groups)} for {seen} pictures")
    if not shares:
        raise NotMeasurable(
            f"{finding or 'all'}: on none of {seen} pictures do both the method and the truth change anything"
        )
    clusters = None if groups is None else np.asarray(groups)[measured]
    return Measure(
        "restraint",
        finding,
        float(np.mean(shares)),
        *mean_interval(shares, clusters, within=(0.0, 1.0)),
        n=len(shares),
        chance=float(np.mean(areas)),
        remark=f"{still} of {seen} pictures left out: nothing changed" if still else "",
        sample=Sample(np.asarray(shares, np.float64), clusters),
    )
