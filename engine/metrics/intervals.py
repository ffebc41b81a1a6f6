"""95 % intervals: of a mean, of a share, of an AUC, and by resampling whole patients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import optimize, special, stats

Interval = tuple[float, float] | tuple[None, None]
Groups = np.ndarray | Sequence[str] | None  # (n,) whom each of n things belongs to; None: all are independent
UNKNOWN: Interval = (None, None)
LEVEL = 0.95
DRAWS = 1000
BLOCK = 2**22  # numbers held at once while resampling, 32 MiB


def cluster_index(groups: Groups, n: int) -> tuple[np.ndarray, int]:
    """Groups as (n,) int from 0 to G - 1, and G; without groups everyone stands alone."""
    if groups is None:
        return np.arange(n), n
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups must have shape ({n},), got {groups.shape}")
    names, index = np.unique(groups, return_inverse=True)
    return index, len(names)


def clustered_variance(pull: np.ndarray, index: np.ndarray, g: int) -> float:
    """The cluster-robust variance of an estimate, with the factor g / (g - 1) for few groups.

    Args:
        pull: (n,) what each value adds to the estimate beyond its expectation; for a mean, (value - mean) / n.
        index: (n,) whom each belongs to, from 0 to g - 1. A single group tells nothing of the variance between groups.
    """
    return g / max(g - 1, 1) * float(np.sum(np.bincount(index, pull, g) ** 2))


def mean_interval(
    values: np.ndarray | Sequence[float], groups: Groups = None, within: tuple[float, float] | None = None
) -> Interval:
    """Interval of the mean by Student's t; of the mean, not of the spread.

    With `groups`, the standard error is the cluster-robust one, with G - 1 degrees of freedom: values of one picture or
    patient may resemble each other as they like.

    Args:
        values: (n,) finite.
        groups: (n,) whom each value belongs to, None when all are independent.
        within: the range that a value can take; the interval is cut to it.

    Returns:
        (low, high), or (None, None) with fewer than two groups.
    """
    values = np.asarray(values, dtype=np.float64)
    index, g = cluster_index(groups, len(values))
    if g < 2:
        return UNKNOWN
    mean = values.mean()
    return _students(mean, clustered_variance((values - mean) / len(values), index, g), g, within)


def mean_of_means_interval(
    parts: Sequence[tuple[np.ndarray, np.ndarray]], within: tuple[float, float] | None = None
) -> Interval:
    """Interval of the plain mean of several means that were taken over the same patients, or over some of them.

    A patient's values in all parts count as one pull on the result, so that means that rise and fall together are not
    taken for independent ones. Student's t with one degree of freedom less than there are patients.

    Args:
        parts: of each mean its values (n,) and whom they belong to (n,), by the same names in all parts.
        within: as in `mean_interval`.

    Returns:
        (low, high), or (None, None) with fewer than two patients in all.
    """
    means = [float(np.mean(values)) for values, _ in parts]
    pull = np.concatenate(
        [(np.asarray(values) - mean) / (len(values) * len(parts)) for (values, _), mean in zip(parts, means)]
    )
    index, g = cluster_index(np.concatenate([groups for _, groups in parts]), len(pull))
    return UNKNOWN if g < 2 else _students(float(np.mean(means)), clustered_variance(pull, index, g), g, within)


def _students(mean: float, variance: float, g: int, within: tuple[float, float] | None) -> Interval:
    half_width = stats.t.ppf((1 + LEVEL) / 2, g - 1) * np.sqrt(variance)
    low, high = mean - half_width, mean + half_width
    if within is not None:
        low, high = max(low, within[0]), min(high, within[1])
    return float(low), float(high)


def wilson(successes: float, n: float) -> tuple[float, float]:
    """Wilson's score interval of a share, `successes` of `n` (Wilson 1927); sensible also at 0 and at n."""
    if not (n > 0 and 0 <= successes <= n):
        raise ValueError(f"successes must lie between 0 and n, and n above 0, got {successes} of {n}")
    z2 = stats.norm.ppf((1 + LEVEL) / 2) ** 2
    share = successes / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half_width = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low = 0.0 if successes == 0 else centre - half_width  # exactly 0 and 1 at the ends, where rounding would miss them
    high = 1.0 if successes == n else centre + half_width
    return float(low), float(high)


def share_interval(hits: np.ndarray, groups: Groups = None) -> Interval:
    """Wilson's interval of the share of true `hits`, n divided by the design effect of the groups (never below 1).

    Args:
        hits: (n,) bool, n at least 1.
        groups: (n,) patients; None when all are independent.
    """
    hits = np.asarray(hits, dtype=np.float64)
    n, share = len(hits), hits.mean()
    index, g = cluster_index(groups, n)
    if share in (0.0, 1.0):
        effective = g  # all alike: how alike one patient's pictures are cannot be seen, so a patient counts once
    elif g == 1:
        effective = 1
    else:
        variance = clustered_variance((hits - share) / n, index, g)
        effective = min(n, share * (1 - share) / variance) if variance > 0 else n
    return wilson(share * effective, effective)


def newcombe(auc: float, positives: int, negatives: int) -> Interval:
    """Score interval of an AUC from its class sizes alone: method 5 of Newcombe 2006 (Stat Med 25:559).

    For what resampling cannot do: an AUC of exactly 0 or 1, and classes of a handful.
    """
    z2 = float(stats.norm.ppf((1 + LEVEL) / 2)) ** 2
    spare = (positives + negatives) / 2 - 1

    def excess(theta: float) -> float:
        weight = 1 + spare * (1 - theta) / (2 - theta) + spare * theta / (1 + theta)
        return (auc - theta) ** 2 - z2 * theta * (1 - theta) * weight / (positives * negatives)

    low = _root(excess, 0.0, auc - 1e-12) if auc > 1e-9 else 0.0
    high = _root(excess, auc + 1e-12, 1.0) if auc < 1 - 1e-9 else 1.0
    return low, high


def _root(of: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(of, low, high))  # pyright: ignore[reportArgumentType] - a tuple only if asked for


def resamples(groups: Groups, n: int, draws: int = DRAWS, seed: int = 0) -> Iterator[np.ndarray]:
    """How often each of n pictures occurs when whole groups are drawn with replacement; blocks of (d, n) float64,
    `draws` rows in all.
    """
    index, g = cluster_index(groups, n)
    random = np.random.default_rng(seed)
    step = max(1, BLOCK // max(n, g))
    for start in range(0, draws, step):
        d = min(step, draws - start)
        chosen = random.integers(g, size=(d, g)) + g * np.arange(d)[:, None]
        counts = np.bincount(chosen.ravel(), minlength=d * g).reshape(d, g)
        yield counts.astype(np.float64)[:, index]  # (d, n)


def resampled(
    statistic: Callable[[np.ndarray], np.ndarray], n: int, groups: Groups, draws: int, seed: int
) -> np.ndarray | None:
    """The statistic of every resample that has an answer; None with fewer than two groups or fewer than
    half the answers.
    """
    if cluster_index(groups, n)[1] < 2:
        return None
    values = np.concatenate([statistic(weights) for weights in resamples(groups, n, draws, seed)])
    values = values[np.isfinite(values)]
    return values if len(values) >= draws / 2 else None


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray],
    n: int,
    groups: Groups = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> Interval:
    """Percentile interval of a weighted statistic; groups (patients, or pictures with several values) are resampled
    whole.

    Args:
        statistic: weights (d, n) -> (d,); NaN where a resample has no answer, which is then left out.
        n: how many values the weights belong to.
        groups: (n,); None when all are independent.
        draws, seed: the same seed gives the same interval.
        level: how often it is to cover.

    Returns:
        (low, high), or (None, None) with fewer than two groups or when fewer than half of the resamples have an answer.
    """
    values = resampled(statistic, n, groups, draws, seed)
    if values is None:
        return UNKNOWN
    low, high = np.percentile(values, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def bootstrap_logit(
    statistic: Callable[[np.ndarray], np.ndarray],
    n: int,
    groups: Groups = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Interval of a statistic strictly between 0 and 1: its log-odds +- 1.96 bootstrap standard errors, turned back.

    For AUCs, where the percentile interval is too short: with 20 positives and a true AUC of 0.95 it covered 87 % in
    300 simulations, this one 92 %. Arguments and returns as in `bootstrap`.
    """
    values = resampled(statistic, n, groups, draws, seed)
    if values is None:
        return UNKNOWN
    value = float(statistic(np.ones((1, n)))[0])
    half_width = stats.norm.ppf((1 + LEVEL) / 2) * values.std(ddof=1) / (value * (1 - value))  # delta method
    low, high = special.expit(special.logit(value) + np.array([-half_width, half_width]))
    return float(low), float(high)


def paired_ratio(above: np.ndarray, below: np.ndarray, groups: Groups = None) -> Interval:
    """Interval of mean(above) / mean(below), both measured on the same n pictures, by resampling pictures or groups
    whole.

    Args:
        above, below: (n,), not negative.
        groups: (n,) patients; None when all are independent.
    """

    def ratio(weights: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (weights @ above) / (weights @ below)

    return bootstrap(ratio, len(above), groups)
