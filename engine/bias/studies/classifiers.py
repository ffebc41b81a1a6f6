"""The ten types of classifier whose invariance the synthetic study tests (Table 1 of CIT-LR)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier


class Classifier(Protocol):
    """What every classifier of scikit-learn does."""

    def fit(self, X: Any, y: Any, /) -> Any: ...

    def predict(self, X: Any, /) -> Any: ...


TYPES: Mapping[str, Callable[[int], Classifier]] = {
    "linear SVC": lambda seed: LinearSVC(
        C=1.0,
        loss="squared_hinge",
        dual=True,  # pyright: ignore[reportArgumentType]  # the stub knows "auto" only
        tol=1e-4,
        random_state=seed,
    ),
    "RBF SVC": lambda seed: SVC(C=1.0, kernel="rbf", gamma="scale"),
    "polynomial SVC": lambda seed: SVC(C=1.0, kernel="poly", degree=3, gamma="scale"),
    "logistic regression": lambda seed: LogisticRegression(C=1.0, max_iter=100),
    "decision tree": lambda seed: DecisionTreeClassifier(random_state=seed),
    "random forest": lambda seed: RandomForestClassifier(n_estimators=50, max_features="sqrt", random_state=seed),
    "gradient boosting": lambda seed: GradientBoostingClassifier(
        n_estimators=100, learning_rate=0.1, max_depth=3, random_state=seed
    ),
    "decision tree of depth 5": lambda seed: DecisionTreeClassifier(max_depth=5, random_state=seed),
    "MLP (16, 8, 4)": lambda seed: MLPClassifier((16, 8, 4), max_iter=500, random_state=seed),
    "MLP (16, 4)": lambda seed: MLPClassifier((16, 4), max_iter=500, random_state=seed),
}


def trained(kind: str, x: np.ndarray, finding: np.ndarray, seed: int) -> Classifier:
    """A classifier of one of `TYPES`, trained on standardised features.

    Half of the types have no randomness of their own, so twenty seeds of the authors' study are near copies. Here the
    seed also draws the training cases with replacement, which makes every seed another classifier.

    Args:
        x: (n, k); finding: (n,) 0 or 1.
    """
    chosen = np.random.default_rng(seed).integers(len(x), size=len(x))
    if len(np.unique(finding[chosen])) < 2:
        raise ValueError(f"{kind}: the training cases all have the same finding, there is nothing to learn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # Table 1 fixes the number of steps
        classifier = make_pipeline(StandardScaler(), TYPES[kind](seed)).fit(x[chosen], finding[chosen])
    return cast(Classifier, classifier)


def expected_counterfactual_accuracy(classifier: Classifier, under: np.ndarray, attribute: np.ndarray) -> float:
    """ECA (Eq. 8): the share of cases whose label stays when the attribute is set to another value, all others alike
    likely.

    Args:
        under: (n, m, k) X under do(A = a) with the same noise, from `engine.datasets.invariance_scm`.
        attribute: (n,) the factual value, 0 to m - 1.
    """
    n, m, k = under.shape
    labels = classifier.predict(under.reshape(n * m, k)).reshape(n, m)
    same = labels == labels[np.arange(n), attribute][:, None]
    return float((same.sum(1) - 1).mean() / (m - 1))
