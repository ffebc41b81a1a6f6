"""How far predictions depend on an attribute once the representation is known, by a test that keeps its size.

With g(a, z) = E[Yhat | A = a, Z = z] and h(z) = E[Yhat | Z = z], a model is invariant if and only if E[Yhat g] = E[Yhat
h] (Theorem 4.2 of CIT-LR), and the difference is E Var(g | Z), never negative. The paper compares the two means by a
paired t-test; any misfit of g or h shifts that test. Here the same difference is written

    T = sum_i (Yhat_i - h(Z_i)) (g(A_i, Z_i) - sum_a e(a | Z_i) g(a, Z_i)),        e(a | z) = P(A = a | Z = z),

which has mean 0 under the null hypothesis if either h or e is right, whatever g is, and nearly so where both are nearly
right: the errors are multiplied (Chernozhukov et al. 2018). g decides the power, not the size: it may come from a
regression, or from the model's own predictions for pictures that a generator made from Z under every value of A. T is
divided by the spread of its own terms, patients summed, so that groups may differ in variance (MacKinnon and White
1985, HC3), and is tested on both sides: what a generator leaves in its pictures may turn g round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from engine.bias.statistics.nuisances import CASES_A_COLUMN, nuisances, recalibrated
from engine.bias.statistics.regressions import cross_fitted, folds, standardised
from engine.metrics.intervals import LEVEL as INTERVAL
from engine.metrics.intervals import cluster_index, clustered_variance, wilson

LEVEL, POWER = 0.05, 0.80
MOST_LEVERAGE = 0.8  # of one case in the adjustment, for which its term is enlarged
LARGEST_EFFECT = 0.25  # the variance of a number in [0, 1]


@dataclass(frozen=True)
class Dependence:
    """What was measured of one model and one attribute; `InvarianceResult` says what each means.

    Attributes:
        effect, low, high: E Var(g | Z) and its 95 % interval; no interval where the predictions never differ.
        log10_p: of the calibrated two-sided test, at most 0.
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
    counterfactuals: np.ndarray | None = None,
    patients: np.ndarray | None = None,
    learner: str = "ridge",
    trees: bool = False,
    seed: int = 0,
) -> Dependence:
    """The numbers of `invariance_test` without its checks and without the associations beside them.

    Args:
        predictions: (n,) in [0, 1]; codes: (n,) int, every value from 0 to m - 1 present; representation: (n, k).
        counterfactuals: (n, m) predictions on pictures generated from Z under every value, or None to learn g by
            `learner`.
        patients: (n,) or None.
        trees: whether h and e may come from boosted trees too, as far as these predict better, which takes its time.
    """
    n, m = len(predictions), int(codes.max()) + 1
    units = cluster_index(patients, n)[0]
    fold, z = folds(units, seed), standardised(representation)
    if np.ptp(predictions) == 0:
        e = nuisances(predictions, codes, z, fold).e
        return Dependence(0.0, None, None, 0.0, 0.0, 1.0, None, _overlap(e, codes))
    known = nuisances(predictions, codes, z, fold, counterfactuals=counterfactuals, trees=trees, seed=seed)
    e, h = known.e, known.h
    if counterfactuals is None:
        fit = cross_fitted(predictions, codes, z, m, learner, fold, seed)
        g, direction, papers = fit.g, fit.earlier, fit.h
    else:
        g = direction = counterfactuals
        papers = (e * g).sum(1)
        if np.array_equal(g[np.arange(n), codes], predictions):  # the patients themselves: h knows their noise too
            h = papers
        papers = recalibrated(predictions, papers, fold)
    test = Studentised(predictions - h, direction, codes, e, known.adjustment, fold, units)
    return Dependence(
        *explained_variance(predictions - h, counterfactuals, codes, e, h, z, known.adjustment, units),
        test.log_p() / math.log(10),
        *paired_t_test(predictions, g[np.arange(n), codes], papers),
        test.detectable(),
        _overlap(e, codes),
    )


def _overlap(e: np.ndarray, codes: np.ndarray) -> float:
    shares = np.bincount(codes) / len(codes)
    return float((e * (1 - e)).sum() / (len(codes) * (shares * (1 - shares)).sum()))


class Studentised:
    """The statistic T over the spread of its terms.

    Args:
        residual: (n,) Yhat - h(Z). direction: (n, m) g(a, Z); rows of NaN take no part.
        codes: (n,) int attribute. e: (n, m). adjustment: (n, p) to which both factors of T are made orthogonal.
        fold: (n,) the parts over which `direction` was learned one after another. units: (n,) int, patients.
    """

    def __init__(self, residual, direction, codes, e, adjustment, fold, units):
        used = np.isfinite(direction).all(1)
        direction = np.where(used[:, None], direction, 0)
        direction = direction - (e * direction).sum(1, keepdims=True)  # (n, m), mean 0 under e
        self.spread = (e * direction**2).sum(1)  # (n,)
        self.scale = np.zeros(len(codes))
        for k in np.unique(
            fold[used]
        ):  # every fold the same variance, so that one well-learned direction does not drown the rest
            inside = used & (fold == k)
            size = (residual[inside] ** 2 * self.spread[inside]).mean()
            self.scale[inside] = 1 / math.sqrt(size) if size > 0 else 0.0
        basis = orthonormal(adjustment)
        left = [
            factor - basis @ (basis.T @ factor)
            for factor in (residual, self.scale * direction[np.arange(len(codes)), codes])
        ]
        terms = left[0] * left[1]
        leverage = np.minimum((basis**2).sum(1), MOST_LEVERAGE)
        self.units = int(units.max()) + 1
        self.seen = float(terms.sum())  # T
        self.error = math.sqrt((np.bincount(units, terms / (1 - leverage), self.units) ** 2).sum())

    def log_p(self) -> float:
        """ln of the two-sided p value."""
        if self.error <= 1e-12 * len(self.scale):
            return 0.0
        return min(0.0, math.log(2) + float(stats.t.logsf(abs(self.seen) / self.error, self.units - 1)))

    def detectable(self) -> float | None:
        """The effect at which T exceeds its 0.05 limit in 80 % of samples, for a model that moves along `direction`."""
        if self.error <= 1e-12 * len(self.scale):
            return None
        slope = _noncentrality(1) * self.error / (self.scale * self.spread).sum()
        return float(min(LARGEST_EFFECT, slope**2 * self.spread[self.scale > 0].mean()))


def detectable_among(effect: float, before: int, tests: int) -> float:
    """A detectable effect of `before` tests made together as that of `tests`: each is then made at `LEVEL` / `tests`,
    as Holm's first is.
    """
    return min(LARGEST_EFFECT, effect * (_noncentrality(tests) / _noncentrality(before)) ** 2)


def _noncentrality(tests: int) -> float:
    """Standard deviations that T must lie from 0 on average to pass its limit in `POWER` of the samples."""
    return float(stats.norm.isf(LEVEL / 2 / tests) + stats.norm.ppf(POWER))


def explained_variance(
    residual: np.ndarray,
    g: np.ndarray | None,
    codes: np.ndarray,
    e: np.ndarray,
    h: np.ndarray,
    z: np.ndarray,
    adjustment: np.ndarray,
    units: np.ndarray,
) -> tuple[float, float, float]:
    """E Var(E[Yhat | A, Z] | Z) and its 95 % interval.

    The residuals are regressed on what the attribute may do: move everybody alike, those in doubt more, according to
    each number of Z and its two halves as far as n allows, and the way that g says. Of the coefficients b, with
    covariance S, and the second moments M of these columns under e, b' M b overstates the effect by tr(M S), which is
    taken off. The interval holds every effect t with (t - estimate)^2 <= z^2 (4 v t + 2 tr(M S M S) + spread between
    cases), v the variance along b: so it is never of width 0, nor too short where the effect is small. What no column
    follows is not found, and then the effect is larger.

    Args:
        residual: (n,) Yhat - h. g: (n, m) not learned from these predictions, or None. codes: (n,). e: (n, m). h: (n,).
            z: (n, k). adjustment: (n, p). units: (n,) int.
    """
    n, m = e.shape
    shapes = np.stack([np.ones(n), h * (1 - h)], 1)
    for more in (z, z > np.median(z, axis=0)):
        if (shapes.shape[1] + z.shape[1]) * (m - 1) < n // CASES_A_COLUMN:
            shapes = np.concatenate([shapes, more], axis=1)
    instruments = (np.eye(m)[None, :, 1:] - e[:, None, 1:])[..., None] * shapes[
        :, None, None, :
    ]  # (n, m under which, m - 1, shapes)
    columns = instruments.reshape(n, m, -1)  # (n, m, q), mean 0 under e
    if g is not None:
        columns = np.concatenate([(g - (e * g).sum(1, keepdims=True))[:, :, None], columns], axis=2)
    size = np.sqrt((e[:, :, None] * columns**2).sum(1).mean(0))
    columns = columns[:, :, size > 1e-9] / size[size > 1e-9]
    design = columns[np.arange(n), codes]
    basis = orthonormal(adjustment)
    design, rest = design - basis @ (basis.T @ design), residual - basis @ (basis.T @ residual)
    inverse = np.linalg.pinv(design.T @ design, rcond=1e-6, hermitian=True)
    b = inverse @ (design.T @ rest)
    leverage = np.minimum((basis**2).sum(1) + np.einsum("ij,jk,ik->i", design, inverse, design), MOST_LEVERAGE)
    scores = design * ((rest - design @ b) / (1 - leverage))[:, None]
    pooled = np.zeros((int(units.max()) + 1, design.shape[1]))
    np.add.at(pooled, units, scores)
    covariance = inverse @ (pooled.T @ pooled) @ inverse
    moments = np.einsum("ia,iaj,iak->jk", e, columns, columns) / n
    each = (e * (columns @ b) ** 2).sum(1)  # (n,) Var(g | Z_i) by these columns
    between = clustered_variance((each - each.mean()) / n, units, len(pooled))
    both = moments @ covariance
    along = float(b @ both @ moments @ b / max(b @ moments @ b, 1e-300))
    estimate, z2 = float(b @ moments @ b - np.trace(both)), stats.norm.isf((1 - INTERVAL) / 2) ** 2
    middle = estimate + 2 * z2 * along
    half_width = math.sqrt(max(middle**2 - estimate**2 + z2 * (2 * float(np.trace(both @ both)) + between), 0.0))
    low, high = (float(np.clip(end, 0, LARGEST_EFFECT)) for end in (middle - half_width, middle + half_width))
    least = (
        LARGEST_EFFECT * wilson(0, len(pooled))[1]
    )  # a share of cases so small may move without one of them being here
    if high - low < 1e-3 * least:
        low, high = max(0.0, low - least), min(LARGEST_EFFECT, high + least)
    return float(np.clip(estimate, 0, LARGEST_EFFECT)), low, high


def orthonormal(columns: np.ndarray) -> np.ndarray:
    """(n, p) to (n, q): an orthonormal basis of what the columns span."""
    basis, triangle = np.linalg.qr(columns)
    return basis[:, np.abs(np.diag(triangle)) > 1e-9 * np.linalg.norm(columns, axis=0).max()]


def paired_t_test(predictions: np.ndarray, g: np.ndarray, h: np.ndarray) -> tuple[float, float]:
    """The paper's test: Yhat g(A, Z) against Yhat h(Z), paired, two-sided; (t, p), (0, 1) where they never differ.

    Args:
        predictions, g, h: (n,).
    """
    difference = predictions * g - predictions * h
    if np.ptp(difference) == 0:
        return 0.0, 1.0
    t, p = np.asarray(stats.ttest_1samp(difference, 0.0), np.float64)
    return float(t), float(p)
