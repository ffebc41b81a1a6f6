"""Sanity checks: SciPy's rank correlation, 1 for the same map, about 0 for another, and flat maps said."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from engine.metrics.measure import NotMeasurable
from engine.metrics.randomisation import parameter_randomisation, random_logit, rank_correlation

A, B = np.random.default_rng(1).standard_normal((2, 6, 16, 16))


def test_it_is_scipys_rank_correlation_of_the_sizes():
    for one, other in zip(A, B):
        assert rank_correlation(one, other) == pytest.approx(spearmanr(np.abs(one).ravel(), np.abs(other).ravel())[0])


@pytest.mark.parametrize("call", [parameter_randomisation, random_logit])
def test_the_same_map_scores_one_and_another_about_nothing(call):
    same, other = call(A, -3 * A), call(A, B)
    assert same.value == pytest.approx(1) and abs(other.value) < 0.1
    assert other.metric == call.__name__ and other.low < 0 < other.high and other.chance == 0


def test_flat_maps_are_left_out_and_a_flat_comparison_is_no_likeness():
    flat = A.copy()
    flat[0] = 2.0
    assert parameter_randomisation(flat, A).n == 5 and "1 of 6" in parameter_randomisation(flat, A).remark
    assert parameter_randomisation(A[:1], flat[:1]).value == 0
    with pytest.raises(NotMeasurable):
        random_logit(flat[:1], A[:1])
