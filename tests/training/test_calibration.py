"""The logistic function of a map's size."""

import numpy as np
import pytest

from engine.training.calibration import FAINTEST, fitted_to_sizes


def test_larger_maps_are_likelier_and_the_function_is_the_one_that_is_said():
    sizes = np.concatenate([np.linspace(0.01, 0.05, 20), np.linspace(0.04, 0.2, 20)]).astype(np.float32)
    slope, middle, p = fitted_to_sizes(sizes, np.repeat([0, 1], 20))
    assert p[-1] > 0.8 > 0.2 > p[0] and np.all(np.diff(p[:20]) > 0)
    assert p == pytest.approx(1 / (1 + np.exp(-slope * (np.log(sizes.astype(np.float64) + FAINTEST) - middle))))


def test_a_larger_map_never_speaks_against_the_finding():
    slope, _, p = fitted_to_sizes(np.linspace(0.01, 1, 40), np.repeat([1, 0], 20))
    assert slope == 1e-3 and np.all(np.diff(p) > 0)
