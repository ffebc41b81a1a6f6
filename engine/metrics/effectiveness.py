"""Effectiveness: does a counterfactual have what it was made to have, as a classifier of its own sees it (Monteiro et
al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.metrics.intervals import Groups, Interval, cluster_index, clustered_variance, share_interval, wilson
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.subjects import MEAN, subject

METRICS = ("effectiveness",)
REMARK = "share of counterfactuals in which a classifier finds the value that was asked for"


def effectiveness(
    wanted: Sequence[str] | np.ndarray,
    said: Sequence[str] | np.ndarray,
    finding: str = "",
    groups: Groups = None,
    before: Sequence[str] | None = None,
    remark: str = REMARK,
    attribute: str = "",
    variant: str = "",
) -> list[Measure]:
    """One row for each value of `attribute` that was asked for, and one of variant "mean" over the values.

    Where one value only was asked for, there is one row, which does not name it.

    The intervals are Wilson's, n divided by the design effect of the groups: the counterfactuals of one patient are
    like each other.

    Args:
        wanted: (N,) the value that each picture was made to have.
        said: (N,) the value that the classifier finds in it.
        groups: (N,) patients, or None.
        finding, attribute, variant: what the values are of.
        before: (N,) what it finds in the picture that each was made from; `chance` is then the score of changing
            nothing.

    Raises:
        NotMeasurable: no picture.
        ValueError: not one entry a picture.
    """
    wanted, said = np.asarray(wanted, str), np.asarray(said, str)
    if wanted.ndim != 1 or said.shape != wanted.shape or (before is not None and len(before) != len(wanted)):
        raise ValueError(f"wanted, said and before must hold one value a picture, got {wanted.shape} and {said.shape}")
    if not len(wanted):
        raise NotMeasurable(
            f"{subject(finding, attribute, variant=variant)}: no picture was changed, so there is nothing to be "
            "effective"
        )
    patients, _ = cluster_index(groups, len(wanted))
    hits = np.equal(said, wanted)
    still = None if before is None else np.equal(np.asarray(before, str), wanted)
    values, of = np.unique(wanted, return_inverse=True)
    rows, chances = [], []
    for k, value in enumerate(values):
        chosen = of == k
        chances.append(None if still is None else still[chosen].mean())
        interval = share_interval(hits[chosen], patients[chosen])
        row = Measure(
            "effectiveness", finding, hits[chosen].mean(), *interval, n=chosen.sum(), chance=chances[-1], remark=remark
        )
        value_of = str(value) if len(values) > 1 else ""
        rows.append(replace(row, attribute=attribute, attribute_value=value_of, variant=variant))
    if len(values) > 1:
        chance = None if still is None else float(np.mean(chances))
        mean = float(np.mean([row.value for row in rows]))
        interval = _of_mean(hits, of, patients)
        row = Measure("effectiveness", finding, mean, *interval, n=len(hits), chance=chance, remark=remark)
        rows.append(replace(row, attribute=attribute, variant=MEAN))
    return rows


def _of_mean(hits: np.ndarray, of: np.ndarray, patients: np.ndarray) -> Interval:
    """Wilson's interval of the plain mean of the values' shares, at the n that has the variance of that mean.

    Args:
        hits: (n,) bool; of: (n,) which value each belongs to, all of 0 to K - 1; patients: (n,) from 0 to G - 1.
    """
    sizes = np.bincount(of)
    shares = np.bincount(of, hits) / sizes
    mean, g = float(shares.mean()), int(patients.max()) + 1
    # a patient's pull on the mean: what each hit adds beyond its value's share, that value counting 1 / K
    variance = clustered_variance((hits - shares[of]) / (sizes[of] * len(sizes)), patients, g)
    effective = min(len(hits), mean * (1 - mean) / variance) if variance > 0 else g
    return wilson(mean * effective, effective)
