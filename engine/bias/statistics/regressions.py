"""g(a, z) and h(z) of Theorem 4.2, always predicted for cases that the regression has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline

FOLDS = 5
ALPHAS = tuple(10.0**p for p in range(-1, 6))


class Regressor(Protocol):
    """What every regressor of scikit-learn does."""

    def fit(self, X: Any, y: Any, /) -> Any: ...

    def predict(self, X: Any, /) -> Any: ...


@dataclass(frozen=True)
class Learner:
    """A kind of regression for g and h.

    Attributes:
        make: seed -> an unfitted scikit-learn regressor.
        products: whether it must be handed the products of A and Z to let the effect of A differ with Z.
    """

    make: Callable[[int], Regressor]
    products: bool


def _kernel(seed: int) -> Regressor:
    features = RBFSampler(
        gamma="scale",  # pyright: ignore[reportArgumentType]  # the stub knows numbers only
        n_components=200,
        random_state=seed,
    )
    return cast(Regressor, make_pipeline(features, RidgeCV(ALPHAS)))


def _boosting(seed: int) -> Regressor:
    return HistGradientBoostingRegressor(max_iter=100, max_leaf_nodes=8, random_state=seed)


def _forest(seed: int) -> Regressor:
    return RandomForestRegressor(50, min_samples_leaf=10, max_features=1 / 3, random_state=seed)


def _mlp(seed: int) -> Regressor:  # the sizes of the authors' code
    return MLPRegressor(hidden_layer_sizes=(16, 8, 8), max_iter=300, early_stopping=True, random_state=seed)


LEARNERS: Mapping[str, Learner] = {
    "ridge": Learner(lambda seed: RidgeCV(ALPHAS), products=True),
    "kernel": Learner(_kernel, products=True),
    "boosting": Learner(_boosting, products=False),
    "forest": Learner(_forest, products=False),
    "mlp": Learner(_mlp, products=True),
}


@dataclass(frozen=True)
class CrossFitted:
    """Regressions of the predictions on (A, Z) and on Z, each case predicted by folds that leave its patient out.

    Attributes:
        g: (n, m) E[Yhat | A = a, Z] for every value a, in [0, 1].
        h: (n,) E[Yhat | Z], in [0, 1].
        earlier: (n, m) as g, but fold k predicted from folds before k alone; NaN in fold 0. A sum over folds of
            products with it is a martingale, whose variance is that of its parts; with g, folds that train each other
            are not independent and a test would reject too often.
        fold: (n,) int, 0 to `FOLDS` - 1.
    """

    g: np.ndarray
    h: np.ndarray
    earlier: np.ndarray
    fold: np.ndarray


def folds(units: np.ndarray, seed: int) -> np.ndarray:
    """A fold (n,) for each case, the same for all of a unit; sizes even in units."""
    _, index = np.unique(units, return_inverse=True)
    count = index.max() + 1
    return (np.random.default_rng(seed).permutation(count) % FOLDS)[index]


def standardised(z: np.ndarray) -> np.ndarray:
    """Each column of (n, k) with mean 0 and standard deviation 1; constant columns become 0."""
    spread = z.std(0)
    return (z - z.mean(0)) / np.where(spread > 0, spread, 1)


def with_squares(z: np.ndarray) -> np.ndarray:
    """(n, k) standardised to (n, 2 k): each number and its square, standardised, so that what is rarer at both ends can
    be said of it.
    """
    return np.concatenate([z, standardised(z**2)], axis=1)


def cross_fitted(
    predictions: np.ndarray,
    attribute: np.ndarray,
    representation: np.ndarray,
    values: int,
    learner: str,
    fold: np.ndarray,
    seed: int,
) -> CrossFitted:
    """g and h of Theorem 4.2 by one of `LEARNERS`.

    Args:
        predictions: (n,) in [0, 1]; attribute: (n,) int, 0 to values - 1; representation: (n, k) standardised.
        fold: (n,) from `folds`.
    """
    n, kind = len(predictions), LEARNERS[learner]
    everyone = [joined(np.full(n, a), representation, values, kind.products) for a in range(values)]
    seen = joined(attribute, representation, values, kind.products)
    g, earlier = np.empty((n, values)), np.full((n, values), np.nan)
    for k in range(FOLDS):
        out, rest = fold == k, fold != k
        model = fitted(kind, seen[rest], predictions[rest], seed + k)
        g[out] = np.stack([predicted(model, features[out]) for features in everyone], 1)
        if k:
            before = fold < k
            model = fitted(kind, seen[before], predictions[before], seed + k)
            earlier[out] = np.stack([predicted(model, features[out]) for features in everyone], 1)
    return CrossFitted(g, out_of_fold(learner, representation, predictions, fold, seed), earlier, fold)


def as_known_from(representation: np.ndarray, answers: np.ndarray, units: np.ndarray, seed: int) -> np.ndarray:
    """What can be said of (n, m) answers from Z alone: each column regressed on Z, each case by folds that leave its
    patient out.

    Answers on pictures that were made from the factual picture still know which value was its own: making another
    picture leaves traces, staying leaves none. A test that takes them for g(a, Z) finds these traces in every model,
    invariant ones too.
    """
    fold, z = folds(units, seed), with_squares(standardised(representation))
    return np.stack([out_of_fold("ridge", z, column, fold, seed) for column in answers.T], 1)


def out_of_fold(learner: str, features: np.ndarray, target: np.ndarray, fold: np.ndarray, seed: int) -> np.ndarray:
    """(n,) `target` in [0, 1] as one of `LEARNERS` says it from (n, k) features, each fold by the others."""
    said = np.empty(len(target))
    for k in range(FOLDS):
        out, rest = fold == k, fold != k
        said[out] = predicted(fitted(LEARNERS[learner], features[rest], target[rest], seed + k), features[out])
    return said


def joined(attribute: np.ndarray, z: np.ndarray, values: int, products: bool) -> np.ndarray:
    """(n, k') features: Z, indicators of the values of A centred at 1 / values, and their products with Z
    where asked for.
    """
    indicators = (attribute[:, None] == np.arange(1, values)) - 1 / values  # (n, m - 1)
    blocks = [z, indicators] + ([z * column[:, None] for column in indicators.T] if products else [])
    return np.concatenate(blocks, axis=1)


def fitted(kind: Learner, features: np.ndarray, target: np.ndarray, seed: int) -> Regressor:
    """The regression of `kind`, fitted to features (n, k) and target (n,); what it draws comes from `seed`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # an unfinished g costs power, not validity
        return kind.make(seed).fit(features, target)


def predicted(model: Regressor, features: np.ndarray) -> np.ndarray:
    """(n,) in [0, 1], for features (n, k)."""
    return np.clip(model.predict(features), 0, 1)
