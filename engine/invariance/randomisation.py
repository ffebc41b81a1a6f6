"""How often chance alone gives a sum as large: the exact cumulants of conditional randomisation, the tail by saddlepoint.

Under the null hypothesis the attribute A_i, given Z_i, is a draw from P(A | Z_i) whatever the prediction was (conditional
randomisation, Candes et al. 2018). A statistic sum_i c_i(A_i) is then a sum of independent draws whose cumulant generating
function is known in closed form, so its tail needs no permutations: Lugannani and Rice 1980 in the form of Barndorff-Nielsen 1986,
whose relative error stays small however small the p value is. Permutations would stop at 1 / (B + 1).
"""

from __future__ import annotations

import numpy as np
from scipy import special, stats

NEAR_THE_MEAN = 1e-3  # standard deviations; within, the saddlepoint formula divides zero by zero and Edgeworth's series is used
NEWTON_STEPS = 100


def log_upper_tail(values: np.ndarray, probabilities: np.ndarray, observed: float) -> float:
    """ln P(sum_i V_i >= observed) for independent V_i that take values[i, j] with probability probabilities[i, j].

    Args:
        values, probabilities: (n, v); each row of the latter sums to 1.
        observed: the sum that was seen.

    Returns:
        At most 0; exactly 0 when every V_i is constant.
    """
    mean = (probabilities * values).sum(1, keepdims=True)
    centred, seen = values - mean, observed - mean.sum()
    variance = (probabilities * centred**2).sum()
    if variance <= 1e-24 * max(1.0, float(np.abs(values).max()) ** 2):
        return 0.0
    scale = np.sqrt(variance)
    centred, seen = centred / scale, seen / scale  # one standard deviation is 1 from here on
    if abs(seen) < NEAR_THE_MEAN:
        skewness = (probabilities * centred**3).sum()
        return float(np.log(stats.norm.sf(seen) + stats.norm.pdf(seen) * skewness / 6 * (seen**2 - 1)))
    possible = np.where(probabilities > 0, centred, -np.inf)
    largest = possible.max(1)
    if seen >= largest.sum() - 1e-9:
        return float(np.log(np.where(possible >= largest[:, None] - 1e-12, probabilities, 0).sum(1)).sum())
    smallest = np.where(probabilities > 0, centred, np.inf).min(1).sum()
    if seen <= smallest + 1e-9:
        return 0.0
    t, exponent, curvature = _saddlepoint(centred, probabilities, seen)
    r = np.sign(t) * np.sqrt(max(2 * (t * seen - exponent), 0.0))
    u = t * np.sqrt(curvature)
    return float(min(stats.norm.logsf(r + np.log(u / r) / r), 0.0))


def _saddlepoint(values: np.ndarray, probabilities: np.ndarray, seen: float) -> tuple[float, float, float]:
    """t with K'(t) = seen, K(t) and K''(t), by Newton's method kept inside a bracket."""
    with np.errstate(divide="ignore"):
        log_probabilities = np.log(probabilities)

    def cumulants(t: float) -> tuple[float, float, float]:
        tilted = log_probabilities + t * values
        each = special.logsumexp(tilted, axis=1)
        weights = np.exp(tilted - each[:, None])
        means = (weights * values).sum(1)
        return float(each.sum()), float(means.sum()), float(((weights * values**2).sum(1) - means**2).sum())

    low, high, t = -np.inf, np.inf, float(seen)
    exponent, slope, curvature = cumulants(t)
    for _ in range(NEWTON_STEPS):
        if abs(slope - seen) < 1e-9 * max(1.0, abs(seen)):
            break
        low, high = (t, high) if slope < seen else (low, t)
        step = t + (seen - slope) / curvature if curvature > 0 else np.nan
        if not low < step < high:
            step = (low + high) / 2 if np.isfinite(low + high) else 2 * t
        t = step
        exponent, slope, curvature = cumulants(t)
    return t, exponent, curvature
