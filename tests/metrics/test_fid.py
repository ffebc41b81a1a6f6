"""The Frechet distance: what is known in closed form, scipy's matrix root, and an interval that covers."""

import numpy as np
import pytest
from scipy import linalg

from engine.metrics.fid import fid, frechet
from engine.metrics.measure import NotMeasurable


def exact(n, k, seed=0):
    """(n, k) features whose sample mean is 0 and whose sample covariance is the identity, exactly."""
    x = np.random.default_rng(seed).normal(size=(n, k))
    x -= x.mean(axis=0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(x, rowvar=False)))).T


def test_a_pile_has_no_distance_to_itself_and_the_distance_is_symmetric():
    a, b = exact(80, 5), np.random.default_rng(1).normal(1, 2, (60, 5))
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet(a, b) == pytest.approx(frechet(b, a))


def test_a_shift_counts_its_square_and_a_gain_the_square_of_what_it_adds():
    a = exact(50, 4)
    assert frechet(a, a + np.array([3, 0, 4, 0])) == pytest.approx(25)
    assert frechet(a, 3 * a) == pytest.approx(4 * (3 - 1) ** 2)  # k (s - 1)^2


def test_it_is_the_formula_with_the_matrix_root_of_the_product():
    random = np.random.default_rng(3)
    a, b = (
        random.normal(size=(90, 6)) @ random.normal(size=(6, 6)),
        random.normal(size=(70, 6)) @ random.normal(size=(6, 6)) + 0.3,
    )
    of_a, of_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(of_a + of_b - 2 * linalg.sqrtm(of_a @ of_b).real)
    assert frechet(a, b) == pytest.approx(expected, rel=1e-6)


def test_features_that_hang_together_do_no_harm():
    a = exact(50, 3)
    doubled = np.concatenate([a, a], axis=1)  # covariance without an inverse
    assert frechet(doubled, doubled + 1) == pytest.approx(6)


def test_one_feature_is_enough():
    a = exact(30, 1)
    assert fid(a, 2 * a + 1).value == pytest.approx(2)


def test_the_interval_covers_the_distance_that_piles_of_this_size_have():
    random = np.random.default_rng(4)
    draws = [(random.normal(size=(120, 3)), random.normal(0.8, 1, (120, 3))) for _ in range(200)]
    expected = np.mean([frechet(a, b) for a, b in draws])
    rows = [fid(a, b) for a, b in draws]
    assert 0.90 <= np.mean([row.low <= expected <= row.high for row in rows]) <= 0.99


def test_a_patient_of_both_piles_leaves_both_at_once():
    random = np.random.default_rng(5)
    a = random.normal(size=(200, 2))
    b = a + 0.5 + random.normal(0, 0.05, a.shape)  # made from the same patients, so the distance hardly varies
    patients = [f"p{i}" for i in range(200)]
    paired, apart = fid(a, b, groups_a=patients, groups_b=patients), fid(a, b)
    assert paired.value == apart.value and paired.high - paired.low < 0.3 * (apart.high - apart.low)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(NotMeasurable, match="sex: 5 pictures do not tell the covariance of 5 features"):
        fid(np.zeros((5, 5)), np.zeros((80, 5)), "sex")
    with pytest.raises(ValueError, match="shapes"):
        fid(np.zeros((50, 5)), np.zeros((50, 4)))
    with pytest.raises(ValueError, match="finite"):
        fid(np.full((50, 5), np.nan), np.zeros((50, 5)))
    assert fid(exact(9, 2), exact(9, 2, seed=1)).low is None  # too few patients to leave out


def test_the_row_says_what_was_compared():
    a, b = (np.random.default_rng(seed).standard_normal((30, 3)) for seed in (0, 1))
    assert fid(a, b, "alternatives").variant == "alternatives" and fid(a, b).variant == ""
