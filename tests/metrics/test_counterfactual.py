"""What a counterfactual should do beside coming true: each measure in closed form."""

import numpy as np
import pytest

from engine.metrics.counterfactual import amplification, flip_rate, minimality, reversibility
from engine.metrics.intervals import share_interval
from engine.metrics.measure import NotMeasurable

X = np.random.default_rng(2).uniform(-1, 1, (4, 12, 12)).astype(np.float32)


def test_only_what_was_called_can_flip_and_the_interval_is_wilsons():
    row = flip_rate(np.array([0.9, 0.8, 0.7, 0.2]), np.array([0.1, 0.5, 0.6, 0.9]), 0.5)
    assert row.value == pytest.approx(2 / 3) and row.n == 3
    assert (row.low, row.high) == pytest.approx(share_interval(np.array([True, True, False])))
    with pytest.raises(NotMeasurable, match="called positive"):
        flip_rate(np.array([0.1]), np.array([0.0]), 0.5)


@pytest.mark.parametrize("call", [minimality, reversibility])
def test_the_share_of_the_range_that_moves(call):
    moved = X.copy()
    moved[:, :3] += 0.2  # a quarter of the rows
    assert call(X, moved, 2.0).value == pytest.approx(0.025, rel=1e-4)
    assert call(X, X, 2.0).value == 0 and call(X, X, 2.0).metric == call.__name__


def test_what_was_not_to_change_is_amplification():
    before, after = np.full((3, 2), 0.5), np.array([[0.5, 0.7], [0.4, 0.5], [0.5, 0.5]])
    assert amplification(before, after).value == pytest.approx((0.1 + 0.05) / 3)
    with pytest.raises(NotMeasurable, match="nothing else"):
        amplification(np.empty((3, 0)), np.empty((3, 0)))


def test_patients_count_once():
    moved = X + np.array([0.0, 0.0, 0.4, 0.4], np.float32)[:, None, None]
    alone, grouped = (minimality(X, moved, 2.0, groups=groups) for groups in (None, ["a", "a", "b", "b"]))
    assert grouped.high - grouped.low > alone.high - alone.low
