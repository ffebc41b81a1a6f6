"""The saddlepoint tail against sums that can be counted out."""

from itertools import product

import numpy as np
import pytest

from engine.invariance.randomisation import log_upper_tail


def counted(values, probabilities, observed):
    """P(sum >= observed) by going through every combination."""
    n, m = values.shape
    total = 0.0
    for choice in product(range(m), repeat=n):
        if values[np.arange(n), choice].sum() >= observed:
            total += probabilities[np.arange(n), choice].prod()
    return total


@pytest.mark.parametrize("seed", range(4))
def test_the_tail_is_that_of_all_combinations(seed):
    random = np.random.default_rng(seed)
    values, probabilities = random.standard_normal((9, 3)), random.dirichlet((2, 2, 1), 9)
    for far in (0.2, 0.8, 1.5, 2.2):
        mean = (values * probabilities).sum()
        spread = np.sqrt((probabilities * (values - (probabilities * values).sum(1, keepdims=True)) ** 2).sum())
        observed = mean + far * spread
        exact = counted(values, probabilities, observed)
        assert np.exp(log_upper_tail(values, probabilities, observed)) == pytest.approx(exact, rel=0.15)


def test_a_skewed_sum_has_its_own_tail_and_not_the_normal_one():
    """Thirty rare events: P(at least 1.5 of them) is 0.4465 by the Poisson binomial; the normal tail would say 0.50 less."""
    random = np.random.default_rng(0)
    sizes = random.uniform(0.5, 1.5, 30)
    values, probabilities = np.stack([np.zeros(30), sizes], 1), np.tile((0.95, 0.05), (30, 1))
    draws = ((random.random((200_000, 30)) < 0.05) * sizes).sum(1)
    for observed in (2.05, 4.05, 5.05):
        share = (draws >= observed).mean()
        assert np.exp(log_upper_tail(values, probabilities, observed)) == pytest.approx(share, rel=0.1)


def test_the_tail_never_rises_and_runs_on_where_permutations_would_stop():
    random = np.random.default_rng(1)
    values, half = random.standard_normal((400, 2)), np.full((400, 2), 0.5)
    tails = [log_upper_tail(values, half, observed) for observed in np.linspace(-100, 200, 61)]
    assert np.all(np.diff(tails) <= 1e-9)
    assert tails[-1] < -50


def test_a_sum_of_constants_proves_nothing():
    assert log_upper_tail(np.ones((5, 2)), np.full((5, 2), 0.5), 5.0) == 0.0


def test_the_ends_of_what_is_possible():
    values, half = np.array([[0.0, 1.0]] * 6), np.full((6, 2), 0.5)
    assert log_upper_tail(values, half, 6.0) == pytest.approx(6 * np.log(0.5))
    assert log_upper_tail(values, half, 0.0) == 0.0
