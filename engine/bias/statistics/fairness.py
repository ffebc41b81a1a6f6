"""Demographic parity, equality of opportunity and equalised odds: how far the groups' rates lie apart, and whether by
chance.

All three are associations: a difference in them may come from who is in a group as well as from what the model does
with it. They are about decisions. The same differences of the mean probability are another thing, and are named so
(`MEAN_PROBABILITY`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from engine.metrics.intervals import LEVEL, cluster_index
from engine.metrics.measure import Measure, NotMeasurable

FEWEST_IN_STRATUM = (
    5  # cases (patients, where they are known) of a group with (or without) the finding; below, a rate says nothing
)
SMALL_TABLE = 5  # expected counts below which chi-squared is replaced by random tables of the same margins
TABLES = 9999
TITLES = {"parity": "demographic parity", "opportunity": "equality of opportunity", "odds": "equalised odds"}
DECISIONS, MEAN_PROBABILITY = "decisions", "mean probability"


@dataclass(frozen=True)
class FairnessGap:
    """How far the groups lie apart by one criterion.

    Attributes:
        criterion: "demographic parity", "equality of opportunity" or "equalised odds".
        rates: the mean prediction of each group; for equalised odds those of the stratum (with or without the finding)
            whose rates lie further apart.
        n: cases behind each rate.
        gap: largest rate less smallest, in [0, 1].
        low, high: 95 % interval of the difference of these two rates; with more than two groups widened (Bonferroni)
            for having picked them.
        p_value: of the hypothesis that all groups have one rate.
        log10_p: the same, where p_value is too small to be held.
        of: what was compared, `DECISIONS` or `MEAN_PROBABILITY`.
    """

    criterion: str
    rates: Mapping[str, float]
    n: Mapping[str, int]
    gap: float
    low: float
    high: float
    p_value: float
    log10_p: float
    of: str = DECISIONS

    def measures(self, finding: str, attribute: str) -> list[Measure]:
        """Two rows: the gap as an "effect" and its p value."""
        most, least = max(self.rates, key=self.rates.__getitem__), min(self.rates, key=self.rates.__getitem__)
        said = f"{most} {self.rates[most]:.3f}, {least} {self.rates[least]:.3f}"
        n = sum(self.n.values())
        variant = f"{self.criterion}{'' if self.of == DECISIONS else f' of the {self.of}'}"
        gap = Measure("effect", finding, self.gap, self.low, self.high, n, chance=0.0, remark=said)
        rows = [gap, Measure("p_value", finding, self.p_value, None, None, n)]
        return [replace(row, attribute=attribute, variant=variant) for row in rows]


@dataclass(frozen=True)
class Associations:
    """The three criteria for one finding.

    Attributes:
        decisions, probabilities: a key of `TITLES` -> the gap between the groups' decisions at the operating point, and
            the gap between their mean probabilities; without those that cannot be had.
        missing: a key of `TITLES` -> the sentence that says why it is not there.
    """

    decisions: Mapping[str, FairnessGap]
    probabilities: Mapping[str, FairnessGap]
    missing: Mapping[str, str]

    def measures(self, finding: str, attribute: str) -> list[Measure]:
        """Two rows for every gap, those of the decisions first."""
        return [
            row
            for gaps in (self.decisions, self.probabilities)
            for gap in gaps.values()
            for row in gap.measures(finding, attribute)
        ]


def associations(
    probabilities: np.ndarray,
    threshold: float,
    attribute: np.ndarray,
    truth: np.ndarray | None = None,
    patients: np.ndarray | None = None,
) -> Associations:
    """All three criteria, of decisions (probability above `threshold`) and of the mean probability.

    Args:
        probabilities: (n,) in [0, 1]. threshold: the operating point.
        attribute: (n,) any values.
        truth: (n,) 1, 0, or NaN where it is not known: such cases count for demographic parity only; None where nobody
            knows any.
        patients: (n,) or None when all are independent.
    """
    probabilities, attribute = np.asarray(probabilities, dtype=np.float64), np.asarray(attribute)
    truth = np.full(len(probabilities), np.nan) if truth is None else np.asarray(truth)
    patients, known = np.arange(len(probabilities)) if patients is None else np.asarray(patients), np.isfinite(truth)
    gaps: dict[str, dict[str, FairnessGap]] = {DECISIONS: {}, MEAN_PROBABILITY: {}}
    missing = {}
    for of, predictions in (
        (DECISIONS, (probabilities > threshold).astype(np.float64)),
        (MEAN_PROBABILITY, probabilities),
    ):
        labelled = predictions[known], attribute[known], truth[known], patients[known]
        for name, criterion, sample in (
            ("parity", demographic_parity, (predictions, attribute, patients)),
            ("opportunity", equality_of_opportunity, labelled),
            ("odds", equalised_odds, labelled),
        ):
            try:
                if name != "parity" and not known.any():
                    raise NotMeasurable("which of these patients have the finding is not known")
                gaps[of][name] = replace(criterion(*sample), of=of)
            except NotMeasurable as reason:
                missing[name] = f"{str(reason)[0].upper()}{str(reason)[1:].rstrip('.')}."
    return Associations(gaps[DECISIONS], gaps[MEAN_PROBABILITY], missing)


def demographic_parity(
    predictions: np.ndarray, attribute: np.ndarray, patients: np.ndarray | None = None
) -> FairnessGap:
    """Whether E[Yhat | A = a] is one number for all a (Eq. 5 of CIT-LR).

    Args:
        predictions: (n,) labels or probabilities; attribute: (n,) any values; patients: (n,) or None when all are
            independent.
    """
    return _gap(TITLES["parity"], [(predictions, attribute, patients)])


def equality_of_opportunity(
    predictions: np.ndarray, attribute: np.ndarray, truth: np.ndarray, patients: np.ndarray | None = None
) -> FairnessGap:
    """Whether E[Yhat | A = a, Y = 1] is one number for all a (Eq. 6 of CIT-LR; its authors' code compares all cases
    instead).

    Raises:
        NotMeasurable: a group has fewer than `FEWEST_IN_STRATUM` cases, or patients, with the finding.
    """
    return _gap(TITLES["opportunity"], [_stratum(predictions, attribute, patients, truth, 1)])


def equalised_odds(
    predictions: np.ndarray, attribute: np.ndarray, truth: np.ndarray, patients: np.ndarray | None = None
) -> FairnessGap:
    """Whether E[Yhat | A = a, Y = y] is one number for all a, for both y (Hardt et al. 2016).

    The gap is the larger of the two strata's; the p value tests both together.

    Raises:
        NotMeasurable: a group has fewer than `FEWEST_IN_STRATUM` cases, or patients, with or without the finding.
    """
    return _gap(TITLES["odds"], [_stratum(predictions, attribute, patients, truth, y) for y in (1, 0)])


def group_rates(predictions: np.ndarray, attribute: np.ndarray) -> tuple[dict[str, float], dict[str, int]]:
    """Mean prediction and number of cases of each group, by Fairlearn."""
    from fairlearn.metrics import MetricFrame, count, mean_prediction

    frame = MetricFrame(
        metrics={"rate": mean_prediction, "n": count},
        y_true=np.zeros(len(predictions)),
        y_pred=predictions,
        sensitive_features=np.asarray(attribute, dtype=str),
    ).by_group
    names = [str(name) for name in frame.index]
    rates, counts = (np.asarray(frame[column], np.float64) for column in ("rate", "n"))
    return dict(zip(names, rates.tolist(), strict=True)), dict(zip(names, map(int, counts), strict=True))


def log_p_of_equal_means(predictions: np.ndarray, attribute: np.ndarray, patients: np.ndarray | None = None) -> float:
    """ln p of the hypothesis that all groups have one mean.

    Independent labels: Pearson's chi-squared, or random tables of the same margins where it is not to be trusted.
    Probabilities, and several pictures a patient: Welch's analysis of variance (1951), with standard errors over
    patients.
    """
    _statistic, _freedom, log_p = _test(np.asarray(predictions, dtype=np.float64), np.asarray(attribute), patients)
    return log_p


def _stratum(predictions, attribute, patients, truth, y):
    """The cases with truth y, each group of the attribute still among them."""
    attribute, in_stratum, such = (
        np.asarray(attribute),
        np.asarray(truth) == y,
        f"{'with' if y else 'without'} the finding",
    )
    if not in_stratum.any():
        raise NotMeasurable(f"no case here is known to be {such}: no rates to compare")
    who, unit = (np.arange(len(in_stratum)), "cases") if patients is None else (np.asarray(patients), "patients")
    for name in np.unique(attribute):
        n = len(np.unique(who[in_stratum & (attribute == name)]))
        if n < FEWEST_IN_STRATUM:
            raise NotMeasurable(
                f"group {name} has {n} {unit} {such}, fewer than {FEWEST_IN_STRATUM}: no rate to compare"
            )
    return (
        np.asarray(predictions)[in_stratum],
        attribute[in_stratum],
        None if patients is None else np.asarray(patients)[in_stratum],
    )


def _gap(criterion: str, strata: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray | None]]) -> FairnessGap:
    chosen, total, freedom, log_ps = None, 0.0, 0, []
    for predictions, attribute, patients in strata:
        predictions, attribute = np.asarray(predictions, dtype=np.float64), np.asarray(attribute)
        rates, n = group_rates(predictions, attribute)
        if len(rates) < 2:
            raise NotMeasurable(f"{criterion}: there is one group only, {', '.join(rates)}; nothing to compare it with")
        most, least = max(rates, key=rates.__getitem__), min(rates, key=rates.__getitem__)
        gap = rates[most] - rates[least]
        if chosen is None or gap > chosen[2]:
            level = 1 - (1 - LEVEL) / (math.comb(len(rates), 2) * len(strata))
            names = attribute.astype(str)
            ends = [_mean_interval(predictions, patients, names == name, level) for name in (most, least)]
            low = gap - math.hypot(rates[most] - ends[0][0], ends[1][1] - rates[least])
            high = gap + math.hypot(ends[0][1] - rates[most], rates[least] - ends[1][0])
            chosen = rates, n, gap, max(low, -1.0), min(high, 1.0)
        statistic, more, log_p = _test(predictions, attribute, patients)
        total, freedom = total + statistic, freedom + more
        log_ps.append(log_p)
    log_p = log_ps[0] if len(log_ps) == 1 else float(stats.chi2.logsf(total, freedom))
    if chosen is None:
        raise NotMeasurable(f"{criterion}: there are no cases to compare")
    rates, n, gap, low, high = chosen
    return FairnessGap(criterion, rates, n, gap, low, high, math.exp(log_p), log_p / math.log(10))


def _mean_interval(
    predictions: np.ndarray, patients: np.ndarray | None, chosen: np.ndarray, level: float
) -> tuple[float, float]:
    """Interval of one group's mean, which Newcombe's square-and-add method (1998) turns into one of a difference."""
    values = predictions[chosen]
    patients = None if patients is None else np.asarray(patients)[chosen]
    variance, units = mean_variance(values, patients)
    mean = values.mean()
    if np.isin(values, (0, 1)).all():
        resembling = variance * (units - 1) / units  # what it would be of independent cases is mean (1 - mean) / n
        effective = units if variance == 0 else max(1, min(len(values), round(mean * (1 - mean) / resembling)))
        ends = stats.binomtest(round(mean * effective), effective).proportion_ci(level, method="wilson")
        return min(ends.low, mean), max(ends.high, mean)
    half_width = stats.t.ppf((1 + level) / 2, units - 1) * math.sqrt(_known_variance(values, patients)[0])
    return max(mean - half_width, 0.0), min(mean + half_width, 1.0)


def mean_variance(values: np.ndarray, patients: np.ndarray | None) -> tuple[float, int]:
    """Variance of the mean of (n,) values, over patients where they are given, and the number of patients; 0 where none
    is seen.
    """
    index, units = cluster_index(patients, len(values))
    if units < 2:
        return 0.0, units
    return float(
        units / (units - 1) * (np.bincount(index, values - values.mean(), units) ** 2).sum() / len(values) ** 2
    ), units


def _known_variance(values: np.ndarray, patients: np.ndarray | None) -> tuple[float, int]:
    """`mean_variance`; where all values of several patients are alike, Wilson's, which values in [0, 1] cannot exceed
    by much.

    Raises:
        NotMeasurable: there is one patient only.
    """
    variance, units = mean_variance(values, patients)
    if units < 2:
        raise NotMeasurable("a group has one patient only: how much patients differ in it is not known")
    if variance > 1e-12:  # rounding leaves a trace
        return variance, units
    mean, z2 = float(values.mean()), stats.norm.ppf((1 + LEVEL) / 2) ** 2
    return float((mean * (1 - mean) / units + z2 / (4 * units**2)) / (1 + z2 / units) ** 2), units


def _test(predictions: np.ndarray, attribute: np.ndarray, patients: np.ndarray | None) -> tuple[float, int, float]:
    """(a statistic that is chi-squared under the hypothesis, its degrees of freedom, ln p)."""
    names, groups = np.unique(attribute, return_inverse=True)
    freedom = len(names) - 1
    if np.ptp(predictions) == 0:
        return 0.0, freedom, 0.0
    independent = patients is None or cluster_index(patients, len(predictions))[1] == len(predictions)
    if independent and np.isin(predictions, (0, 1)).all():
        n = np.bincount(groups)
        positive = np.bincount(groups, predictions)
        statistic = float(_chi_squared(positive, n))
        if min(positive.sum(), (n - positive).sum()) * n.min() / n.sum() >= SMALL_TABLE:
            return statistic, freedom, float(stats.chi2.logsf(statistic, freedom))
        tables = np.random.default_rng(0).multivariate_hypergeometric(n, round(positive.sum()), TABLES)
        p = (1 + (_chi_squared(tables, n) >= statistic - 1e-9).sum()) / (TABLES + 1)
        return float(stats.chi2.isf(p, freedom)), freedom, math.log(p)
    means = np.array([predictions[groups == g].mean() for g in range(len(names))])
    who = np.arange(len(predictions)) if patients is None else np.asarray(patients)
    each = [_known_variance(predictions[groups == g], who[groups == g]) for g in range(len(names))]
    weights = 1 / np.array([variance for variance, _ in each])
    f = float((weights * (means - np.average(means, weights=weights)) ** 2).sum()) / freedom
    lack = sum((1 - w / weights.sum()) ** 2 / (units - 1) for w, (_, units) in zip(weights, each, strict=True))
    m = len(names)
    f /= 1 + 2 * (m - 2) / (m * m - 1) * lack
    log_p = float(stats.f.logsf(f, freedom, (m * m - 1) / (3 * lack)))
    return float(stats.chi2.isf(math.exp(log_p), freedom)) if log_p > -700 else f * freedom, freedom, log_p


def _chi_squared(positive: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Pearson's statistic of (..., m) positives among n (m,)."""
    share = positive.sum(-1, keepdims=True) / n.sum()
    return ((positive - n * share) ** 2 / (n * share * (1 - share))).sum(-1)
