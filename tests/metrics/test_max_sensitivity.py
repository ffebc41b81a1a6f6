"""Max-sensitivity: Captum's number for the same noise, and 0 for a map that does not depend on the picture."""

import numpy as np
import pytest
import torch
from captum.metrics import sensitivity_max

from engine.metrics.max_sensitivity import max_sensitivity
from engine.metrics.measure import NotMeasurable

X = np.random.default_rng(3).uniform(-1, 1, (5, 12, 10)).astype(np.float32)


def squared(x):
    return np.sign(x) * x**2


def test_it_is_captums_sensitivity_max_for_the_same_noise():
    noises = [
        np.random.default_rng(0).uniform(-0.1, 0.1, (4, *X.shape)).astype(np.float32)[k] for k in range(4)
    ]  # drawn in the same order as the measure does
    played = iter(noises)
    theirs = sensitivity_max(
        lambda t: (torch.from_numpy(squared((t[0] if isinstance(t, tuple) else t).numpy())),),
        torch.from_numpy(X),
        perturb_func=lambda t: t + torch.from_numpy(next(played)),
        n_perturb_samples=4,
        max_examples_per_batch=len(X),
    )
    ours = max_sensitivity(X, squared, span=2.0, radius=0.05, draws=4)
    assert ours.value == pytest.approx(float(theirs.mean()), rel=1e-4)
    assert ours.low < ours.value < ours.high and ours.n == 5


def test_a_map_that_ignores_the_picture_is_perfect():
    assert max_sensitivity(X, np.ones_like, 2.0).value == 0


def test_empty_maps_are_left_out_and_said():
    def some(x):
        return x * (np.arange(len(x)) > 1)[:, None, None]

    row = max_sensitivity(X, some, 2.0)
    assert row.n == 3 and "2 of 5 pictures left out" in row.remark
    with pytest.raises(NotMeasurable):
        max_sensitivity(X, np.zeros_like, 2.0)
