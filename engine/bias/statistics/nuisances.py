"""h(z) = E[Yhat | Z] and e(a | z) = P(A = a | Z), able to bend: what a test of dependence must know of Z to leave it
out of account.

A residual (Yhat - h)(1[A = a] - e) has mean 0 under the null hypothesis if either is right, so what hurts is a shape
that both miss: attribute and answer that both follow a product z_1 z_2, or a threshold in z_1 or in a sum over Z. So
both choose from one list of shapes, forwards, one at a time, as multivariate adaptive regression splines do (Friedman
1991); how many is decided by the loss on folds that the fit has not seen. Each is then fitted to the shapes that
*either* of them chose (double selection, Belloni, Chernozhukov and Hansen 2014): a shape that matters little for one
and much for the other is missed by neither. Nobody is predicted by a fit that has seen them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from engine.bias.statistics.regressions import ALPHAS, FOLDS, out_of_fold, standardised, with_squares

KNOTS = np.linspace(0.1, 0.9, 9)  # quantiles at which steps and bends may lie
MOST_TERMS = 10  # that one regression chooses
SHAPED_PAIRS = 3  # first chosen terms of each regression whose pairs are offered every split as well
LEAST_CHANCE = 0.02  # of e: fewer cases than one in fifty of a kind are no comparison
SMALL_RIDGE = 1e-3  # per case, of fits to chosen terms
NEWTON_STEPS = 8
CASES_A_COLUMN = 10  # that the final adjustment needs


@dataclass(frozen=True)
class Nuisances:
    """What Z says of predictions and attribute.

    Attributes:
        h: (n,) E[Yhat | Z]; e: (n, m) P(A = a | Z), rows sum to 1; both cross-fitted.
        adjustment: (n, p) columns to which the residuals are made orthogonal: 1, h, e, Z and the chosen terms, as far
            as n allows.
    """

    h: np.ndarray
    e: np.ndarray
    adjustment: np.ndarray


def nuisances(
    predictions: np.ndarray,
    codes: np.ndarray,
    z: np.ndarray,
    fold: np.ndarray,
    *,
    counterfactuals: np.ndarray | None = None,
    trees: bool = False,
    seed: int = 0,
) -> Nuisances:
    """h, e and what to adjust for.

    Args:
        predictions: (n,) in [0, 1]; codes: (n,) int, every value from 0 to m - 1 present; z: (n, k) standardised; fold:
            (n,).
        counterfactuals: (n, m) predictions under every value, functions of Z alone; their mean under e is a candidate
            for h.
        trees: whether boosted trees are a candidate too, which takes its time.
    """
    indicators = (codes[:, None] == np.arange(codes.max() + 1)).astype(np.float64)  # (n, m)
    targets = [indicators[:, 1:], predictions[:, None]]
    sums = [_ridge(z, indicators, fold), _ridge(z, targets[1], fold)]  # of e, of h
    offered = terms(z)
    paths = _forward(offered, targets, fold)
    shaped = splits(z, _pairs(paths, z.shape[1]))
    along = one_number(standardised(np.concatenate([sums[0][:, 1:], sums[1]], axis=1)))
    offered = np.concatenate([offered, shaped, along], axis=1)
    paths = _forward(offered, targets, fold)
    count = [_best_count(offered, target, path, fold) for target, path in zip(targets, paths)]
    chosen = [sorted({*paths[0][k][: count[0]], *paths[1][k][: count[1]]}) for k in range(FOLDS)]
    of_e = [_by_folds(_logistic, offered, indicators, chosen, fold), sums[0]]
    of_h = [_by_folds(_least_squares, offered, targets[1], chosen, fold), sums[1]]
    if not np.isin(predictions, (0, 1)).all():
        of_h.append(_by_folds(_bent_least_squares, offered, targets[1], chosen, fold))
    if trees:
        grown = np.stack([out_of_fold("boosting", z, column, fold, seed) for column in targets[0].T], 1)
        of_e.append(np.concatenate([1 - grown.sum(1, keepdims=True), grown], axis=1))
        of_h.append(out_of_fold("boosting", z, predictions, fold, seed)[:, None])
    e = np.clip(_stacked(of_e, indicators, fold), LEAST_CHANCE, None)
    e = e / e.sum(1, keepdims=True)
    if counterfactuals is not None:
        of_h.append(recalibrated(predictions, (e * counterfactuals).sum(1), fold)[:, None])
    h = np.clip(_stacked(of_h, targets[1], fold)[:, 0], 0, 1)
    everyone = np.zeros(len(z), int)  # the same choice on all cases, for the adjustment
    whole = _forward(offered, targets, everyone, max(count))
    both = list(dict.fromkeys([*whole[0][0][: count[0]], *whole[1][0][: count[1]]]))
    return Nuisances(h, e, _adjustment(h, e, z, offered[:, both]))


def terms(z: np.ndarray) -> np.ndarray:
    """(n, k) to (n, p): shapes in one and in two numbers of Z, each with mean 0 and standard deviation 1.

    Of every number itself, its square, its distance from the middle, and a step, a bend and a bump at every knot; of
    every pair, its product and whether both lie on the same side of their medians. The pairs stand last, products
    before sides.
    """
    first, second = np.triu_indices(z.shape[1], 1)
    upper = z > np.median(z, axis=0)
    two = [z[:, first] * z[:, second], upper[:, first] == upper[:, second]]
    return np.concatenate([one_number(z), *(standardised(pair.astype(np.float64)) for pair in two)], axis=1)


def one_number(z: np.ndarray) -> np.ndarray:
    """(n, k) to (n, 30 k): the shapes in one number of `terms`."""
    knots = np.quantile(z, KNOTS, axis=0)[:, None]  # (9, 1, k)
    shapes = [z, z**2, np.abs(z), *(z > knots), *np.maximum(z - knots, 0), *np.exp(-2 * (z - knots) ** 2)]
    return standardised(np.concatenate(shapes, axis=1).astype(np.float64))


def splits(z: np.ndarray, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """(n, p): of each pair, whether both numbers lie on the same side of a knot, for every two inner knots."""
    found = []
    for i, j in pairs:
        a, b = (z[:, [c]] > np.quantile(z[:, c], KNOTS[1:-1]) for c in (i, j))
        found.append((a[:, :, None] == b[:, None, :]).reshape(len(z), -1))
    return standardised(np.concatenate(found, axis=1).astype(np.float64)) if found else np.empty((len(z), 0))


def _pairs(paths: Sequence[Sequence[Sequence[int]]], k: int) -> list[tuple[int, int]]:
    """The pairs of numbers among the first terms of any path."""
    first, second = np.triu_indices(k, 1)
    start = k * (3 + 3 * len(KNOTS))
    found = {(t - start) % len(first) for path in paths for each in path for t in each[:SHAPED_PAIRS] if t >= start}
    return [(int(first[p]), int(second[p])) for p in sorted(found)]


def _forward(
    offered: np.ndarray, targets: Sequence[np.ndarray], fold: np.ndarray, most: int = MOST_TERMS
) -> list[list[list[int]]]:
    """Of each target (n, c) and fold, the terms in the order in which they are chosen on the other folds (orthogonal
    matching pursuit).

    All are looked for at once. With a single fold nobody is left out.
    """
    folds = int(fold.max()) + 1
    inside = [(fold != k) if folds > 1 else np.ones(len(fold), bool) for k in range(folds)]
    runs = [(target, rest) for target in targets for rest in inside]
    residuals = [np.where(rest[:, None], target - target[rest].mean(0), 0) for target, rest in runs]
    bases = [[rest / np.sqrt(rest.sum())] for _, rest in runs]
    paths: list[list[int]] = [[] for _ in runs]
    widths = np.cumsum([0, *(r.shape[1] for r in residuals)])
    for _ in range(min(most, offered.shape[1])):
        score = (offered.T @ np.concatenate(residuals, 1)) ** 2  # (p, all columns)
        for i, (_, rest) in enumerate(runs):
            strength = score[:, widths[i] : widths[i + 1]].sum(1)
            strength[paths[i]] = -1
            best = int(strength.argmax())
            paths[i].append(best)
            direction = np.where(rest, offered[:, best], 0)
            basis = np.stack(bases[i], 1)
            for _ in range(2):  # once more, for rounding
                direction = direction - basis @ (basis.T @ direction)
            size = np.linalg.norm(direction)
            if size > 1e-6 * np.sqrt(rest.sum()):
                direction = direction / size
                bases[i].append(direction)
                residuals[i] = residuals[i] - np.outer(direction, direction @ residuals[i])
    return [paths[t * folds : (t + 1) * folds] for t in range(len(targets))]


def _best_count(offered: np.ndarray, target: np.ndarray, path: Sequence[Sequence[int]], fold: np.ndarray) -> int:
    """How many of the chosen terms predict the left-out folds best by least squares."""
    most = len(path[0])
    loss = [
        ((_by_folds(_least_squares, offered, target, [p[:c] for p in path], fold) - target) ** 2).sum()
        for c in range(most + 1)
    ]
    return int(np.argmin(loss))


def _by_folds(
    fit, offered: np.ndarray, target: np.ndarray, chosen: Sequence[Sequence[int]], fold: np.ndarray
) -> np.ndarray:
    """(n, c): each fold as `fit`(features, target, features of the fold) says it from the other folds, with the terms
    chosen there.
    """
    said = np.empty(target.shape)
    for k in range(FOLDS):
        out, rest = fold == k, fold != k
        features = offered[:, list(chosen[k])]
        said[out] = fit(features[rest], target[rest], features[out])
    return said


def _least_squares(features: np.ndarray, target: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    centre, mean = features.mean(0), target.mean(0)
    x = features - centre
    return mean + (wanted - centre) @ np.linalg.solve(
        x.T @ x + SMALL_RIDGE * len(x) * np.eye(x.shape[1]), x.T @ (target - mean)
    )


def _bent_least_squares(features: np.ndarray, target: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Least squares of log-odds, which a network's answers are sums of, and then of the answers on what was said and
    its expit.
    """
    logits = special.logit(np.clip(target, 1e-3, 1 - 1e-3))
    index, at_wanted = (_least_squares(features, logits, x) for x in (features, wanted))
    bent = [np.concatenate([x, special.expit(x)], axis=1) for x in (index, at_wanted)]
    return _least_squares(bent[0], target, bent[1])


def _logistic(features: np.ndarray, target: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Of each indicator (n, m) for itself, by Newton's method with a small ridge; rows of the answer sum to 1."""
    x = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    at_wanted = np.concatenate([np.ones((len(wanted), 1)), wanted], axis=1)
    penalty = SMALL_RIDGE * len(x) * np.eye(x.shape[1])
    penalty[0, 0] = 1e-9
    columns = target[:, 1:] if target.shape[1] == 2 else target
    said = []
    for y in columns.T:
        beta = np.zeros(x.shape[1])
        beta[0] = special.logit(np.clip(y.mean(), 1e-3, 1 - 1e-3))
        for _ in range(NEWTON_STEPS):
            p = special.expit(x @ beta)
            weights = np.maximum(p * (1 - p), 1e-4)
            beta = beta + np.linalg.solve(x.T @ (x * weights[:, None]) + penalty, x.T @ (y - p) - penalty @ beta)
        said.append(special.expit(at_wanted @ beta))
    if target.shape[1] == 2:
        return np.stack([1 - said[0], said[0]], 1)
    chances = np.stack(said, 1)
    return chances / np.maximum(chances.sum(1, keepdims=True), 1e-12)


def _ridge(z: np.ndarray, target: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """(n, c) by ridge regression on Z or on Z and its squares, with the penalty that predicts the left-out
    folds best.
    """
    said = []
    for features in (z, with_squares(z)):
        each = np.empty((len(ALPHAS), *target.shape))
        for k in range(FOLDS):
            out, rest = fold == k, fold != k
            centre, mean = features[rest].mean(0), target[rest].mean(0)
            left, sizes, right = np.linalg.svd(features[rest] - centre, full_matrices=False)
            along, seen = left.T @ (target[rest] - mean), (features[out] - centre) @ right.T
            for i, alpha in enumerate(ALPHAS):
                each[i][out] = mean + seen @ ((sizes / (sizes**2 + alpha))[:, None] * along)
        said += list(each)
    return min(said, key=lambda fitted: float(((fitted - target) ** 2).sum()))


def recalibrated(predictions: np.ndarray, h: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """h (n,) moved and stretched to fit the predictions, each fold by the others: generated pictures may be
    off in level.
    """
    fitted = np.empty(len(h))
    for k in range(FOLDS):
        out, rest = fold == k, fold != k
        spread = h[rest].var()
        slope = np.cov(h[rest], predictions[rest], bias=True)[0, 1] / spread if spread > 0 else 0.0
        fitted[out] = predictions[rest].mean() + slope * (h[out] - h[rest].mean())
    return np.clip(fitted, 0, 1)


def _stacked(candidates: Sequence[np.ndarray], target: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """(n, c): the convex combination of the candidates and of the other folds' mean that predicts best."""
    mean = np.empty(target.shape)
    for k in range(FOLDS):
        mean[fold == k] = target[fold != k].mean(0)
    beyond = np.stack([*((candidate - mean).ravel() for candidate in candidates), np.zeros(target.size)], 1)
    sum_weight = 1e3 * np.sqrt(target.size)  # the weight of the equation that the weights sum to 1
    design = np.concatenate([beyond, np.full((1, beyond.shape[1]), sum_weight)])
    weights = optimize.nnls(design, np.append((target - mean).ravel(), sum_weight))[0]
    return mean + (beyond @ weights).reshape(target.shape)


def _adjustment(h: np.ndarray, e: np.ndarray, z: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(n, p) columns, the most telling first, at most one to `CASES_A_COLUMN` cases."""
    most_columns = max(1, len(h) // CASES_A_COLUMN)
    columns = np.concatenate([np.ones((len(h), 1)), h[:, None], e[:, 1:]], axis=1)
    columns = np.concatenate([columns, chosen], axis=1)[:, :most_columns]
    return np.concatenate([columns, z], axis=1) if columns.shape[1] + z.shape[1] <= most_columns else columns
