"""Frechet distance of features (FID, Heusel et al. 2017): how far one pile of pictures lies from another as a network
sees them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from engine.metrics.intervals import LEVEL, UNKNOWN, Groups, Interval, cluster_index
from engine.metrics.measure import Measure, NotMeasurable

METRICS = ("fid",)
FOLDS = 20  # of patients, for the jackknife
REMARK = "Frechet distance of features of a network trained here, not of Inception: comparable within this table only"


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """|mu_a - mu_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2)) of features (N, k) and (M, k), covariances with N - 1, as
    torchmetrics has it.

    The eigenvalues of S_a S_b are those of S_a^(1/2) S_b S_a^(1/2), which is symmetric: its roots are real whatever the
    rounding.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    away = a.mean(axis=0) - b.mean(axis=0)
    of_a, of_b = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (a, b))
    values, vectors = np.linalg.eigh(of_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ of_b @ root), 0)).sum()
    return float(max(away @ away + np.trace(of_a) + np.trace(of_b) - 2 * shared, 0))


def fid(
    features_a: np.ndarray,
    features_b: np.ndarray,
    variant: str = "",
    groups_a: Sequence[str] | np.ndarray | None = None,
    groups_b: Sequence[str] | np.ndarray | None = None,
    remark: str = REMARK,
    seed: int = 0,
) -> Measure:
    """The Frechet distance of two piles, and its interval by leaving out one twentieth of the patients at a time.

    The distance of two small piles is too large by an amount that falls with their size: compare piles of one size
    only. n is the size of the smaller pile.

    Args:
        features_a, features_b: (N, k) and (M, k), of one network.
        groups_a, groups_b: (N,) and (M,) patients; a patient of both piles leaves both at once. None when all are
            independent.
        remark: must say what network the features are of.
        seed: of the folds.

    Raises:
        NotMeasurable: a pile has no more pictures than there are features, so its covariance is not known.
        ValueError: features that are not (N, k) and (M, k), or not finite.
    """
    piles = [np.asarray(features, np.float64) for features in (features_a, features_b)]
    if any(pile.ndim != 2 for pile in piles) or piles[0].shape[1:] != piles[1].shape[1:] or not piles[0].shape[1]:
        raise ValueError(f"features must have shapes (N, k) and (M, k), got {piles[0].shape} and {piles[1].shape}")
    if not all(np.isfinite(pile).all() for pile in piles):
        raise ValueError("features must be finite")
    fewest, k = min(map(len, piles)), piles[0].shape[1]
    if fewest <= k:
        raise NotMeasurable(
            f"{variant or 'all'}: {fewest} pictures do not tell the covariance of {k} features; more than {k} are "
            "needed"
        )
    value = frechet(*piles)
    interval = _jackknife(piles, (groups_a, groups_b), value, seed)
    return Measure("fid", "", value, *interval, n=fewest, remark=remark, variant=variant)


def _jackknife(piles: list[np.ndarray], groups: Sequence, value: float, seed: int) -> Interval:
    """value +- Student's t with the delete-a-fold standard error, not below 0; unknown with fewer than
    `FOLDS` patients.
    """
    names = [_patients(pile, group, mark) for pile, group, mark in zip(piles, groups, "ab")]
    patients = np.unique(np.concatenate(names))
    kept_least = min(len(pile) for pile in piles) * (FOLDS - 2) / FOLDS
    if len(patients) < FOLDS or kept_least <= piles[0].shape[1]:
        return UNKNOWN
    fold = np.random.default_rng(seed).permutation(len(patients)) % FOLDS
    folds = [fold[np.searchsorted(patients, name)] for name in names]
    left = np.array([frechet(*(pile[f != out] for pile, f in zip(piles, folds))) for out in range(FOLDS)])
    error = np.sqrt((FOLDS - 1) / FOLDS * np.sum((left - left.mean()) ** 2))
    half_width = stats.t.ppf((1 + LEVEL) / 2, FOLDS - 1) * error
    return max(value - half_width, 0.0), value + half_width


def _patients(pile: np.ndarray, groups: Groups, mark: str) -> np.ndarray:
    """(N,) names; without groups everyone has a name that the other pile does not have."""
    if groups is None:
        return np.array([f"{mark} {i}" for i in range(len(pile))])
    cluster_index(np.asarray(groups), len(pile))  # one a picture
    return np.asarray(groups, str)
