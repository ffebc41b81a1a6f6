"""How far predictions depend on an attribute once the representation is known, by a test that keeps its size.

With g(a, z) = E[Yhat | A = a, Z = z] and h(z) = E[Yhat | Z = z], a model is invariant if and only if E[Yhat g] = E[Yhat h]
(Theorem 4.2 of CIT-LR), and the difference is E Var(g | Z), never negative. The paper compares the two means by a paired t-test; any
misfit of g or h shifts that test. Here the same difference is written

    T = sum_i (Yhat_i - h(Z_i)) (g(A_i, Z_i) - sum_a e(a | Z_i) g(a, Z_i)),        e(a | z) = P(A = a | Z = z),

which has mean 0 under the null hypothesis if either h or e is right, whatever g is, and is referred one-sided to its distribution
when A is drawn again from e (conditional randomisation). g decides the power, not the size: it may come from a regression, or from
the model's own predictions for pictures that a generator made from Z under every value of A.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from engine.invariance.randomisation import log_upper_tail
from engine.invariance.regressions import FOLDS, Propensity, cross_fitted, folds, out_of_fold, propensity, standardised
from engine.metrics.intervals import cluster_index, mean_interval

LEVEL, POWER = 0.05, 0.80
LARGEST_EFFECT = 0.25  # the variance of a number in [0, 1]


@dataclass(frozen=True)
class Dependence:
    """What was measured of one model and one attribute; `InvarianceResult` says what each means.

    Attributes:
        effect, low, high: E Var(g | Z) and its 95 % interval; no interval where g explains nothing, or with too few patients.
        log10_p: of the calibrated one-sided test, at most 0.
        t_statistic, t_p_value: of the paper's paired t-test.
        detectable: the effect found in 80 % of such samples, None where g sees no difference at all.
        overlap: E Var(A | Z) / Var(A).
    """

    effect: float
    low: float | None
    high: float | None
    log10_p: float
    t_statistic: float
    t_p_value: float
    detectable: float | None
    overlap: float


def dependence(
    predictions: np.ndarray,
    codes: np.ndarray,
    representation: np.ndarray,
    *,
    alternatives: np.ndarray | None = None,
    patients: np.ndarray | None = None,
    learner: str = "ridge",
    given: Propensity | None = None,
    trees: bool = False,
    seed: int = 0,
) -> Dependence:
    """The numbers of `invariance_test` without its checks and without the associations beside them.

    Args:
        predictions: (n,) in [0, 1]; codes: (n,) int, every value from 0 to m - 1 present; representation: (n, k).
        alternatives: (n, m) predictions on pictures generated from Z under every value, or None to learn g by `learner`.
        patients: (n,) or None.
        given: e from `attribute_given`, where several models are tested on the same cases; None to estimate it here.
        trees: whether h may come from boosted trees where these predict better than the alternatives do, which takes its time.
    """
    n, m = len(predictions), int(codes.max()) + 1
    units = cluster_index(patients, n)[0]
    fold, z = folds(units, seed), standardised(representation)
    given = propensity(codes, z, fold) if given is None else given
    e = given.chances
    shares = np.bincount(codes) / n
    overlap = float((e * (1 - e)).sum() / (n * (shares * (1 - shares)).sum()))
    if np.ptp(predictions) == 0:
        return Dependence(0.0, None, None, 0.0, 0.0, 1.0, None, overlap)
    if alternatives is None:
        fit = cross_fitted(predictions, codes, z, m, learner, fold, seed)
        g, h, direction = fit.g, fit.h, fit.earlier
    else:
        g = direction = alternatives
        h = recalibrated(predictions, (e * g).sum(1), fold)
        if trees:
            h = better(predictions, h, out_of_fold("boosting", z, predictions, fold, seed))
    randomised = Randomised(predictions - h, direction, codes, given, fold)
    return Dependence(
        *explained_variance(predictions - h, g, codes, e, fold, units),
        randomised.log_p(None if patients is None else units) / math.log(10),
        *paired_t_test(predictions, g[np.arange(n), codes], h),
        randomised.detectable(None if patients is None else units),
        overlap,
    )


def attribute_given(codes: np.ndarray, representation: np.ndarray, patients: np.ndarray | None = None, seed: int = 0) -> Propensity:
    """e(a | Z), as `dependence` estimates it."""
    return propensity(codes, standardised(representation), folds(cluster_index(patients, len(codes))[0], seed))


class Randomised:
    """The statistic T and its distribution when the attribute is drawn again from e(a | Z).

    Args:
        residual: (n,) Yhat - h(Z). direction: (n, m) g(a, Z); rows of NaN take no part.
        codes: (n,) int attribute. given: e. fold: (n,) the parts over which `direction` was learned one after another.
    """

    def __init__(self, residual: np.ndarray, direction: np.ndarray, codes: np.ndarray, given: Propensity, fold: np.ndarray):
        self.codes, self.e = codes, given.chances
        used = np.isfinite(direction).all(1)
        direction = np.where(used[:, None], direction, 0)
        self.direction = direction - (self.e * direction).sum(1, keepdims=True)  # (n, m), mean 0 under e
        self.scale = np.zeros(len(codes))
        for k in np.unique(fold[used]):  # every fold the same variance, so that one well-learned direction does not drown the rest
            inside = used & (fold == k)
            spread = (residual[inside] ** 2 * (self.e * self.direction**2)[inside].sum(1)).mean()
            self.scale[inside] = 1 / math.sqrt(spread) if spread > 0 else 0.0
        contribution = (residual * self.scale)[:, None] * self.direction
        self.seen = float(contribution[np.arange(len(codes)), codes].sum())  # T
        values = given.left_over(contribution)
        self.values = values - (self.e * values).sum(1, keepdims=True)  # (n, m), what each case may add to T, mean 0 under e

    def log_p(self, units: np.ndarray | None = None) -> float:
        """ln of the one-sided p value.

        With `units` (n,) int, patients are what is drawn again; where one patient has several values of the attribute, the
        signs of the patients' sums are (the wild bootstrap).
        """
        return log_upper_tail(*self._drawn(units), self.seen) if self.scale.any() else 0.0

    def detectable(self, units: np.ndarray | None = None) -> float | None:
        """The effect at which T exceeds its 0.05 limit in 80 % of samples, for a model that moves along `direction`; `units` as in `log_p`."""
        if not self.scale.any():
            return None
        values, chances = self._drawn(units)
        spread = (self.e * self.direction**2).sum(1)
        noise = math.sqrt((chances * values**2).sum())
        slope = _reach(1) * noise / (self.scale * spread).sum()
        return float(min(LARGEST_EFFECT, slope**2 * spread[self.scale > 0].mean()))

    def _drawn(self, units: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """What each independent draw may add to T, and how likely: (draws, v) both, each row of mean 0."""
        if units is None:
            return self.values, self.e
        index, count = cluster_index(units, len(self.codes))
        sizes = np.bincount(index, minlength=count)
        alike = np.bincount(index, self.codes, count) ** 2 == sizes * np.bincount(index, self.codes**2, count)
        if not alike.all():
            sums = np.bincount(index, self.values[np.arange(len(self.codes)), self.codes], count)
            return np.stack([sums, -sums], 1), np.full((count, 2), 0.5)
        values = np.stack([np.bincount(index, column, count) for column in self.values.T], 1)
        chances = np.stack([np.bincount(index, column, count) for column in self.e.T], 1) / sizes[:, None]
        return values - (chances * values).sum(1, keepdims=True), chances


def detectable_among(effect: float, before: int, tests: int) -> float:
    """A detectable effect of `before` tests made together as that of `tests`: each is then made at `LEVEL` / `tests`, as Holm's first is."""
    return min(LARGEST_EFFECT, effect * (_reach(tests) / _reach(before)) ** 2)


def _reach(tests: int) -> float:
    """Standard deviations that T must lie above 0 on average to pass its limit in `POWER` of the samples."""
    return float(stats.norm.isf(LEVEL / tests) + stats.norm.ppf(POWER))


def explained_variance(
    residual: np.ndarray, g: np.ndarray, codes: np.ndarray, e: np.ndarray, fold: np.ndarray, units: np.ndarray
) -> tuple[float, float | None, float | None]:
    """E Var(g | Z) and its 95 % interval, from 2 r D - D^2 with D = g(A, Z) - sum_a e g and r the residual.

    Its mean is E Var(g | Z) less the mean square error of D, so an error of g counts only squared and only downwards. D is first
    stretched to fit the residuals, each fold by the others. Where nothing is left of D the effect is 0, and no interval says how surely.
    """
    d = g[np.arange(len(g)), codes] - (e * g).sum(1)
    stretch = np.empty(len(d))
    for k in range(FOLDS):
        rest = fold != k
        square = (d[rest] ** 2).sum()
        stretch[fold == k] = max(0.0, (residual[rest] * d[rest]).sum() / square) if square > 0 else 0.0
    if not stretch.any():
        return 0.0, None, None
    d = stretch * d
    each = 2 * residual * d - d**2
    low, high = mean_interval(each, units)
    effect = float(np.clip(each.mean(), 0, LARGEST_EFFECT))
    return (effect, None, None) if low is None else (effect, *(float(np.clip(end, 0, LARGEST_EFFECT)) for end in (low, high)))


def recalibrated(predictions: np.ndarray, h: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """h (n,) moved and stretched to fit the predictions, each fold by the others: generated pictures may be off in level."""
    fitted = np.empty(len(h))
    for k in range(FOLDS):
        out, rest = fold == k, fold != k
        spread = h[rest].var()
        slope = np.cov(h[rest], predictions[rest], bias=True)[0, 1] / spread if spread > 0 else 0.0
        fitted[out] = predictions[rest].mean() + slope * (h[out] - h[rest].mean())
    return np.clip(fitted, 0, 1)


def better(predictions: np.ndarray, *candidates: np.ndarray) -> np.ndarray:
    """The one of (n,) out-of-fold predictions with the smallest squared error."""
    return min(candidates, key=lambda h: float(((predictions - h) ** 2).sum()))


def paired_t_test(predictions: np.ndarray, g: np.ndarray, h: np.ndarray) -> tuple[float, float]:
    """The paper's test: Yhat g(A, Z) against Yhat h(Z), paired, two-sided; (t, p), (0, 1) where they never differ.

    Args:
        predictions, g, h: (n,).
    """
    difference = predictions * g - predictions * h
    if np.ptp(difference) == 0:
        return 0.0, 1.0
    found = stats.ttest_1samp(difference, 0.0)
    return float(found.statistic), float(found.pvalue)
