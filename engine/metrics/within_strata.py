"""AUC within strata: how well scores tell positives from negatives that lie in the same place, say at one height of the
lungs.
"""

from __future__ import annotations

import numpy as np

from engine.metrics.classification import both_classes, known, weighted_auc
from engine.metrics.intervals import DRAWS, Groups, bootstrap_logit
from engine.metrics.measure import Measure, NotMeasurable

METRICS = ("auc_within_position",)


def auc_within(
    labels: np.ndarray,
    scores: np.ndarray,
    strata: np.ndarray,
    finding: str = "",
    groups: Groups = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Measure:
    """The share of pairs of a positive and a negative of one stratum in which the positive has the higher score, ties
    counting one half. Where a finding prefers a place, the plain AUC can be had by knowing the place; this one cannot.

    Args:
        labels: (N,) 0, 1 or NaN; pictures labelled NaN are ignored.
        scores: (N,) higher means more positive.
        strata: (N,) int; pictures below 0 are left out, and strata with one class add nothing.
        groups: (N,) patients, resampled whole; None when every picture is another patient's.

    Returns:
        n is the number of pictures in strata with both classes; the interval is None with one patient.

    Raises:
        NotMeasurable: no stratum has both classes.
    """
    strata = np.asarray(strata)
    if strata.shape != np.shape(labels):
        raise ValueError(f"strata and labels must share one shape (N,), got {strata.shape} and {np.shape(labels)}")
    inside = strata >= 0
    labels, scores, strata = np.asarray(labels)[inside], np.asarray(scores)[inside], strata[inside]
    places = strata[~np.isnan(np.asarray(labels, np.float64))]
    positive, scores, clusters = known(labels, scores, None if groups is None else np.asarray(groups)[inside])
    both_classes(positive, finding)
    chosen = [
        rows
        for place in np.unique(places)
        if positive[rows := np.flatnonzero(places == place)].any() and not positive[rows].all()
    ]
    if not chosen:
        raise NotMeasurable(f"{finding or 'all'}: no place has both positive and negative pictures")
    parts = [(rows, np.flatnonzero(positive[rows]), weighted_auc(positive[rows], scores[rows])) for rows in chosen]

    def statistic(weights: np.ndarray) -> np.ndarray:
        won, pairs = np.zeros(len(weights)), np.zeros(len(weights))
        for rows, up, auc_of in parts:
            here = weights[:, rows]
            ours = here[:, up].sum(axis=1)
            count = ours * (here.sum(axis=1) - ours)
            won += np.where(count > 0, np.nan_to_num(auc_of(here)) * count, 0.0)
            pairs += count
        return np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)

    value = float(statistic(np.ones((1, len(scores))))[0])
    exact = value in (0.0, 1.0)
    interval = (None, None) if exact else bootstrap_logit(statistic, len(scores), clusters, draws, seed)
    return Measure(
        "auc_within_position", finding, value, *interval, n=int(sum(len(rows) for rows in chosen)), chance=0.5
    )
