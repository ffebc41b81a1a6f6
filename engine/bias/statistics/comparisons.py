"""Other tests of conditional independence beside ours, as their papers write them: GCM, PCM and the likelihood ratio.

All ask whether predictions and attribute are independent given Z, none looks at a generated picture, and each pays for
it: GCM sees no effect that changes sign, PCM tests on half of the cases, and the likelihood ratio believes its two
models.
"""

from __future__ import annotations

import numpy as np
from scipy import special, stats
from sklearn.linear_model import LogisticRegression

from engine.bias.statistics.regressions import LEARNERS, fitted, folds, joined, out_of_fold, predicted, standardised

LEARNER = "kernel"
LARGEST_C = 1e6  # of scikit-learn's logistic regression: next to no penalty, as a likelihood ratio needs


def generalised_covariance_measure(
    predictions: np.ndarray, codes: np.ndarray, representation: np.ndarray, seed: int = 0
) -> float:
    """p value of Shah and Peters 2020 (Annals of Statistics 48:1514), section 3.1, by kernel regressions that leave
    each case out.

    R_i = (Yhat_i - f(Z_i)) (A_i - e(Z_i)),  T = sqrt(n) mean(R) / sd(R), two-sided; with more than two values the
    largest of the values' statistics, Bonferroni's.

    Args:
        predictions: (n,) in [0, 1]; codes: (n,) int, 0 to m - 1; representation: (n, k).
    """
    z, fold = standardised(representation), folds(np.arange(len(codes)), seed)
    left = predictions - out_of_fold(LEARNER, z, predictions, fold, seed)
    values = range(1, codes.max() + 1) if codes.max() == 1 else range(codes.max() + 1)
    p = []
    for a in values:
        indicator = (codes == a).astype(np.float64)
        p.append(_studentised(left * (indicator - out_of_fold(LEARNER, z, indicator, fold, seed)), two_sided=True))
    return min(1.0, len(p) * min(p))


def projected_covariance_measure(
    predictions: np.ndarray, codes: np.ndarray, representation: np.ndarray, seed: int = 0
) -> float:
    """p value of Lundborg, Kim, Shah and Samworth 2024 (Annals of Statistics 52:2851), algorithm 1, by kernel
    regressions, one split.

    On one half: g of Yhat on (A, Z), less its regression on Z, with the sign under which it goes along with Yhat,
    divided by the variance of Yhat given (A, Z). On the other half this projection is what GCM is computed with,
    one-sided. Arguments as in `generalised_covariance_measure`.
    """
    z, n, m = standardised(representation), len(codes), int(codes.max()) + 1
    second = np.random.default_rng(seed).permutation(n) < n // 2
    first = ~second
    kind = LEARNERS[LEARNER]
    x = joined(codes, z, m, kind.products)
    g = fitted(kind, x[second], predictions[second], seed)
    said = predicted(g, x)
    mean = fitted(kind, z[second], said[second], seed)
    h = said - predicted(mean, z)
    around = fitted(kind, z[second], predictions[second], seed)
    h = h * (1 if ((predictions - predicted(around, z)) * h)[second].mean() >= 0 else -1)
    spread = fitted(kind, x[second], (predictions - said)[second] ** 2, seed)
    f = h / np.maximum(predicted(spread, x), max(0.01 * predictions.var(), 1e-8))
    fold = folds(np.arange(int(first.sum())), seed)
    left = predictions[first] - out_of_fold(LEARNER, z[first], predictions[first], fold, seed)
    low, size = f[first].min(), max(np.ptp(f[first]), 1e-12)
    scaled = (f[first] - low) / size  # regressions here answer in [0, 1]
    return _studentised(left * (scaled - out_of_fold(LEARNER, z[first], scaled, fold, seed)), two_sided=False)


def likelihood_ratio_test(predictions: np.ndarray, codes: np.ndarray, representation: np.ndarray) -> float:
    """p value of the likelihood ratio of (1, Z, A, A Z) over (1, Z): logistic regression of labels, least squares of
    log-odds.

    Arguments as in `generalised_covariance_measure`; p = 1 where there are too few cases for the larger model.
    """
    z, n = standardised(representation), len(codes)
    m = int(codes.max()) + 1
    large = joined(codes, z, m, products=True)
    extra = large.shape[1] - z.shape[1]
    if n <= large.shape[1] + 2 or np.ptp(predictions) == 0:
        return 1.0
    if np.isin(predictions, (0, 1)).all():
        likelihood = [_log_likelihood(x, predictions) for x in (z, large)]
        return float(stats.chi2.sf(2 * (likelihood[1] - likelihood[0]), extra))
    logits = special.logit(np.clip(predictions, 1e-4, 1 - 1e-4))
    rest = []
    for x in (z, large):
        design = np.concatenate([np.ones((n, 1)), x], axis=1)
        rest.append(((logits - design @ np.linalg.lstsq(design, logits, rcond=None)[0]) ** 2).sum())
    return float(stats.chi2.sf(n * np.log(rest[0] / max(rest[1], 1e-300)), extra))


def _log_likelihood(x: np.ndarray, labels: np.ndarray) -> float:
    p = LogisticRegression(C=LARGEST_C, max_iter=500).fit(x, labels.astype(int)).predict_proba(x)[:, 1]
    return float(np.log(np.clip(np.where(labels == 1, p, 1 - p), 1e-12, None)).sum())


def _studentised(products: np.ndarray, two_sided: bool) -> float:
    spread = products.std()
    if spread == 0:
        return 1.0
    t = np.sqrt(len(products)) * products.mean() / spread
    return float(2 * stats.norm.sf(abs(t)) if two_sided else stats.norm.sf(t))


COMPARISONS = {
    "GCM": generalised_covariance_measure,
    "PCM": projected_covariance_measure,
    "likelihood ratio": lambda predictions, codes, representation, seed=0: likelihood_ratio_test(
        predictions, codes, representation
    ),
}
