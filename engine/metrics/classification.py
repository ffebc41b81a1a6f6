"""How well scores tell positives from negatives: AUC, and accuracy, sensitivity and specificity at an
operating point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from engine.metrics.intervals import DRAWS, Groups, bootstrap_logit, cluster_index, newcombe, share_interval
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.subjects import MEAN

METRICS = ("auc", "accuracy", "sensitivity", "specificity")
SMALLEST_RESAMPLED = 10  # patients in a class; below, too few to resample


def known(labels: np.ndarray, scores: np.ndarray, groups: Groups = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positive (n,) bool, scores (n,) float64 and cluster numbers (n,) of the pictures whose label is not NaN."""
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels and scores must share one shape (N,), got {labels.shape} and {scores.shape}")
    clusters, _ = cluster_index(groups, len(labels))
    keep = ~np.isnan(labels)
    labels, scores = labels[keep], scores[keep]
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"labels must be 0, 1 or NaN, got {labels[~np.isin(labels, (0, 1))][0]}")
    if np.isnan(scores).any():
        raise ValueError(
            f"scores must not be NaN where the label is known; {int(np.isnan(scores).sum())} of {len(scores)} are"
        )
    return labels == 1, scores, clusters[keep]


def both_classes(positive: np.ndarray, finding: str) -> None:
    """Refuses labels (n,) bool of one class only.

    Raises:
        NotMeasurable: with how many there are of each.
    """
    if positive.all() or not positive.any():
        raise NotMeasurable(
            f"{finding or 'all'} has {int(positive.sum())} positive and {int((~positive).sum())} negative pictures; at "
            "least one of each is needed"
        )


def weighted_auc(positive: np.ndarray, scores: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The AUC as a function of weights (d, n) -> (d,); ties count one half, NaN where a class has no weight."""
    up = np.flatnonzero(positive)
    down = np.flatnonzero(~positive)
    down = down[np.argsort(scores[down], kind="stable")]
    below = np.searchsorted(scores[down], scores[up], side="left")
    upto = np.searchsorted(scores[down], scores[up], side="right")

    def statistic(weights: np.ndarray) -> np.ndarray:
        passed = np.zeros((len(weights), len(down) + 1))
        np.cumsum(weights[:, down], axis=1, out=passed[:, 1:])  # (d, negatives + 1)
        ours = weights[:, up]  # (d, positives)
        won = np.einsum("dp,dp->d", ours, (passed[:, below] + passed[:, upto]) / 2)
        pairs = ours.sum(axis=1) * passed[:, -1]
        return np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)

    return statistic


def auc(
    labels: np.ndarray,
    scores: np.ndarray,
    finding: str = "",
    groups: Groups = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Measure:
    """Area under the ROC curve; 95 % interval by resampling patients, or by class sizes (Newcombe 2006) where a class
    has fewer than `SMALLEST_RESAMPLED` patients or the AUC is exactly 0 or 1. n is the number of labelled pictures.

    Args:
        labels: (N,) 0, 1 or NaN; pictures labelled NaN are ignored.
        scores: (N,) higher means more positive.
        groups: (N,) patients, resampled whole; None when every picture is another patient's.

    Raises:
        NotMeasurable: when only one class is there.
    """
    positive, scores, clusters = known(labels, scores, groups)
    both_classes(positive, finding)
    statistic = weighted_auc(positive, scores)
    value = float(statistic(np.ones((1, len(scores))))[0])
    up, down = len(np.unique(clusters[positive])), len(np.unique(clusters[~positive]))
    if min(up, down) < SMALLEST_RESAMPLED or value in (0.0, 1.0):
        interval = newcombe(value, up, down)
    else:
        interval = bootstrap_logit(statistic, len(scores), clusters, draws, seed)
    return Measure("auc", finding, value, *interval, n=len(scores), chance=0.5)


def mean_auc(
    labels: np.ndarray,
    scores: np.ndarray,
    findings: Sequence[str],
    variant: str = MEAN,
    groups: Groups = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Measure:
    """Mean of the findings' AUCs; one resample of patients serves all findings, so their dependence is kept.

    A finding with only one class is left out and named in the remark. n is the number of pictures with any label.
    The interval is None where too few resamples hold both classes of every finding; a mean of exactly 0 or 1 gets the
    interval of the finding with the fewest patients, which is too wide rather than too short.

    Args:
        labels, scores: (N, C), as in `auc`.
        findings: the C names.

    Raises:
        NotMeasurable: when no finding has both classes.
    """
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if labels.ndim != 2 or labels.shape != scores.shape or labels.shape[1] != len(findings):
        raise ValueError(
            f"labels and scores must have shape (N, {len(findings)}), got {labels.shape} and {scores.shape}"
        )
    measured, left_out, fewest = [], [], []
    for c, finding in enumerate(findings):
        positive, known_scores, clusters = known(labels[:, c], scores[:, c], groups)
        if positive.all() or not positive.any():
            left_out.append(finding)
        else:
            measured.append((np.flatnonzero(~np.isnan(labels[:, c])), weighted_auc(positive, known_scores)))
            fewest.append((len(np.unique(clusters[positive])), len(np.unique(clusters[~positive]))))
    if not measured:
        raise NotMeasurable(f"{variant}: none of {', '.join(findings)} has both positive and negative pictures")

    def statistic(weights: np.ndarray) -> np.ndarray:
        return np.mean([auc_of(weights[:, rows]) for rows, auc_of in measured], axis=0)

    n = len(labels)
    value = float(statistic(np.ones((1, n)))[0])
    if value in (0.0, 1.0):
        interval = newcombe(value, *min(fewest, key=min))
    else:
        interval = bootstrap_logit(statistic, n, groups, draws, seed)
    remark = f"without {', '.join(left_out)}, where only one class is there" if left_out else ""
    return Measure(
        "auc",
        "",
        value,
        *interval,
        n=int((~np.isnan(labels)).any(axis=1).sum()),
        chance=0.5,
        remark=remark,
        variant=variant,
    )


def validation_score(labels: np.ndarray, scores: np.ndarray, findings: Sequence[str]) -> dict[str, float]:
    """What chooses the weights of a classifier: "score", and the AUC of every finding that has both classes, by "auc
    FINDING".

    The score is the paper's mean AUC (3.7 of Sun et al. 2025), but findings with few pictures of one class count less,
    as their AUC is mostly noise: each has the weight of its rarer class.

    Args:
        labels, scores: (N, C); NaN labels are unknown.

    Raises:
        ValueError: no finding has both classes.
    """
    areas, weights = {}, []
    for c, finding in enumerate(findings):
        labelled = ~np.isnan(labels[:, c])
        present = int(labels[labelled, c].sum())
        rarer = min(present, int(labelled.sum()) - present)
        if rarer:
            areas[f"auc {finding}"] = float(roc_auc_score(labels[labelled, c], scores[labelled, c]))
            weights.append(rarer)
    if not areas:
        raise ValueError("validation needs pictures with and without at least one finding; it has none.")
    return {"score": float(np.average(list(areas.values()), weights=weights)), **areas}


def share(metric: str, hits: np.ndarray, finding: str, groups: np.ndarray, chance: float | None = None) -> Measure:
    """The share of `hits` (n,) bool with its interval, `groups` (n,) resampled together."""
    return Measure(metric, finding, hits.mean(), *share_interval(hits, groups), n=len(hits), chance=chance)


def sensitivity(
    labels: np.ndarray, scores: np.ndarray, threshold: float, finding: str = "", groups: Groups = None
) -> Measure:
    """Share of the positive pictures with a score strictly above `threshold`; Wilson's interval, widened for patients
    with several pictures. n is the number of positives. Arguments as in `auc`. Raises NotMeasurable without positives.
    """
    positive, scores, clusters = known(labels, scores, groups)
    if not positive.any():
        raise NotMeasurable(f"{finding or 'all'} has no positive pictures, so its sensitivity cannot be measured")
    return share("sensitivity", scores[positive] > threshold, finding, clusters[positive])


def specificity(
    labels: np.ndarray, scores: np.ndarray, threshold: float, finding: str = "", groups: Groups = None
) -> Measure:
    """Share of the negative pictures with a score at or below `threshold`; otherwise like `sensitivity`."""
    positive, scores, clusters = known(labels, scores, groups)
    if positive.all():
        raise NotMeasurable(f"{finding or 'all'} has no negative pictures, so its specificity cannot be measured")
    return share("specificity", scores[~positive] <= threshold, finding, clusters[~positive])


def accuracy(
    labels: np.ndarray, scores: np.ndarray, threshold: float, finding: str = "", groups: Groups = None
) -> Measure:
    """Share of pictures called rightly, otherwise like `sensitivity`; its chance is always calling the
    commoner class.
    """
    positive, scores, clusters = known(labels, scores, groups)
    if len(positive) == 0:
        raise NotMeasurable(f"{finding or 'all'} has no labelled pictures, so its accuracy cannot be measured")
    commoner = max(positive.mean(), 1 - positive.mean())
    return share("accuracy", (scores > threshold) == positive, finding, clusters, chance=commoner)


def youden_threshold(labels: np.ndarray, scores: np.ndarray, finding: str = "") -> float:
    """The threshold of the largest sensitivity + specificity - 1, where a call is positive strictly above it.

    It stands midway between the neighbouring scores. Among equals the highest is taken, as scikit-learn's first
    maximum. When no cut beats calling everyone negative, it is the highest score, so nobody is called. NaN labels are
    ignored.

    Raises:
        NotMeasurable: when only one class is there.
    """
    positive, scores, _ = known(labels, scores)
    both_classes(positive, finding)
    cuts, index = np.unique(scores, return_inverse=True)  # rising
    # In whole numbers, so that equal cuts are seen as equal: J times (positives x negatives).
    gain = (
        np.bincount(index, positive, len(cuts)) * (~positive).sum()
        - np.bincount(index, ~positive, len(cuts)) * positive.sum()
    )
    above = gain[::-1].cumsum()[::-1] - gain  # (K,) for the threshold between cut k and k + 1; 0 for the last
    best = len(cuts) - 1 - int(np.argmax(above[::-1]))
    if best == len(cuts) - 1:
        return float(cuts[-1])
    middle = cuts[best] + (cuts[best + 1] - cuts[best]) / 2
    return float(
        middle if middle < cuts[best + 1] else cuts[best]
    )  # rounding must not let the upper score fall to the threshold
