"""From the size of a map to a probability: the logistic function that validation pictures fit."""

from __future__ import annotations

import numpy as np

FAINTEST = 1e-4  # added to a map's size before its logarithm is taken


def fitted_to_sizes(sizes: np.ndarray, labels: np.ndarray) -> tuple[float, float, np.ndarray]:
    """The logistic function of a map's size, p = sigmoid(slope (ln(size + FAINTEST) - middle)).

    Args:
        sizes: (N,) of the maps of N pictures, not negative. labels: (N,) 0 or 1, both of them present.

    Returns:
        slope, above 0, since a larger map never speaks against the finding; middle; and the probabilities (N,).
    """
    from sklearn.linear_model import (
        LogisticRegression,  # here, since what only opens a checkpoint needs no scikit-learn
    )

    logs = np.log(sizes.astype(np.float64) + FAINTEST)
    spread = max(float(logs.std()), 1e-6)
    fit = LogisticRegression().fit((logs - logs.mean())[:, None] / spread, labels)
    slope = max(float(fit.coef_[0, 0]) / spread, 1e-3)
    middle = float(logs.mean() - fit.intercept_[0] / slope)
    return slope, middle, 1 / (1 + np.exp(-slope * (logs - middle)))
