"""Sparseness: the Gini index in closed form."""

import numpy as np
import pytest

from engine.metrics.measure import NotMeasurable
from engine.metrics.sparseness import gini, sparseness


@pytest.mark.parametrize(
    ("values", "index"),
    [([1, 1, 1, 1], 0.0), ([0, 0, 0, 1], 0.75), ([0, 1, 2, 3], 10 / 24), ([0, -1, 2, -3], 10 / 24)],
)
def test_the_index_of_few_pixels(values, index):
    assert gini(np.array(values, float).reshape(2, 2)) == pytest.approx(index)


def test_scale_does_not_matter_and_the_mean_difference_agrees():
    a = np.abs(np.random.default_rng(0).standard_normal((8, 8)))
    by_pairs = np.abs(a.ravel()[:, None] - a.ravel()[None]).mean() / (2 * a.mean())
    assert gini(a) == pytest.approx(by_pairs) == pytest.approx(gini(17 * a))


def test_empty_maps_are_left_out_and_said():
    maps = np.stack([np.zeros((4, 4)), np.eye(4)])
    row = sparseness(maps)
    assert row.n == 1 and row.value == pytest.approx(0.75) and "1 of 2" in row.remark
    with pytest.raises(NotMeasurable):
        sparseness(np.zeros((2, 4, 4)))
