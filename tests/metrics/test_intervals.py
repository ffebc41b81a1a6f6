"""A 95 % interval holds the truth about 95 times in a hundred, also when one patient gives several values."""

import numpy as np
import pytest
from scipy import stats

from engine.metrics.intervals import (
    bootstrap,
    mean_interval,
    mean_of_means_interval,
    newcombe,
    resamples,
    share_interval,
    wilson,
)


def covers(interval, truth):
    low, high = interval
    return low <= truth <= high


def clustered(random, patients=40, each=5):
    """Values that agree within a patient: correlation 0.5, true mean 0."""
    return (random.normal(size=(patients, 1)) + random.normal(size=(patients, each))).ravel(), np.repeat(
        np.arange(patients), each
    )


def test_mean_interval_is_students_t():
    values = np.array([0.1, 0.4, 0.5, 0.9])
    expected = stats.t.interval(0.95, 3, loc=values.mean(), scale=stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected)


def test_mean_interval_is_of_the_mean_and_not_of_the_spread():
    values = np.random.default_rng(0).normal(size=400)
    low, high = mean_interval(values)
    assert high - low == pytest.approx(2 * 1.966 * values.std(ddof=1) / 20, rel=1e-3)


def test_mean_interval_covers_the_truth_also_with_patients_of_several_values():
    random = np.random.default_rng(1)
    plain = careless = careful = 0
    for _ in range(500):
        plain += covers(mean_interval(random.normal(size=8)), 0)
        values, patients = clustered(random)
        careful += covers(mean_interval(values, patients), 0)
        careless += covers(mean_interval(values), 0)
    assert 0.92 <= plain / 500 <= 0.98
    assert 0.92 <= careful / 500 <= 0.98
    assert careless / 500 < 0.85  # what ignoring patients would cost


def test_mean_interval_stays_within_the_possible():
    assert mean_interval([0.0, 1.0, 1.0], within=(0, 1)) == (0, 1)


def test_one_patient_gives_no_interval():
    assert mean_interval([0.3]) == (None, None)
    assert mean_interval([0.3, 0.4], groups=["a", "a"]) == (None, None)
    assert bootstrap(lambda w: w @ np.ones(2), 2, groups=["a", "a"]) == (None, None)


def test_the_mean_of_one_mean_is_that_mean():
    values, patients = clustered(np.random.default_rng(3))
    assert mean_of_means_interval([(values, patients)]) == pytest.approx(mean_interval(values, patients))


def test_a_mean_of_means_over_the_same_patients_covers_the_truth_and_one_that_takes_them_for_independent_does_not():
    random, careful, careless = np.random.default_rng(4), 0, 0
    for _ in range(400):
        common, patients = random.normal(size=30), np.arange(30)
        parts = [(common + 0.5 * random.normal(size=30), patients) for _ in range(5)]
        careful += covers(mean_of_means_interval(parts), 0)
        half = [np.ptp(mean_interval(values)) / 2 for values, _ in parts]
        careless += abs(np.mean([values for values, _ in parts])) <= np.sqrt(np.sum(np.square(half))) / 5
    assert 0.92 <= careful / 400 <= 0.98
    assert careless / 400 < 0.85


def test_wilson_matches_scipy_and_is_sensible_at_the_ends():
    for k, n in [(0, 5), (3, 10), (10, 10), (417, 500)]:
        expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        assert wilson(k, n) == pytest.approx((expected.low, expected.high))
    assert wilson(0, 5)[0] == 0 and wilson(0, 5)[1] > 0.3


def test_share_interval_without_patients_is_wilson_and_with_twins_is_that_of_half_as_many():
    hits = np.random.default_rng(2).random(200) < 0.3
    assert share_interval(hits) == pytest.approx(wilson(hits.sum(), 200), abs=0.001)
    twice, patients = np.repeat(hits, 2), np.repeat(np.arange(200), 2)
    assert share_interval(twice, patients) == pytest.approx(wilson(hits.sum(), 200), abs=0.001)
    assert share_interval(np.ones(10, bool), np.repeat([0, 1], 5)) == pytest.approx(wilson(2, 2))


def test_newcombe_interval_holds_its_auc_and_mirrors():
    for auc, m, n in [(1.0, 5, 5), (0.8, 3, 50), (0.5, 1, 1), (0.0, 10, 2)]:
        low, high = newcombe(auc, m, n)
        assert 0 <= low <= auc <= high <= 1 and high - low > 0.05
        assert newcombe(1 - auc, m, n) == pytest.approx((1 - high, 1 - low), abs=1e-6)
    low, high = newcombe(0.8, 30, 60)  # its ends solve the score equation with Hanley and McNeil's variance
    for theta in (low, high):
        q1, q2, spare = theta / (2 - theta), 2 * theta**2 / (1 + theta), (30 + 60) / 2 - 1
        variance = (theta * (1 - theta) + spare * (q1 - theta**2) + spare * (q2 - theta**2)) / (30 * 60)
        assert abs(0.8 - theta) / np.sqrt(variance) == pytest.approx(1.96, abs=1e-3)


def test_resamples_draw_whole_patients():
    groups = np.array(["a", "b", "a", "c", "b"])
    weights = np.concatenate(list(resamples(groups, 5, draws=50, seed=3)))
    assert weights.shape == (50, 5)
    assert (weights[:, 0] == weights[:, 2]).all() and (weights[:, 1] == weights[:, 4]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_bootstrap_covers_the_truth_also_with_patients_of_several_values_and_repeats_with_its_seed():
    random = np.random.default_rng(4)
    hits = 0
    for _ in range(300):
        values, patients = clustered(random)
        interval = bootstrap(lambda w, v=values: (w @ v) / w.sum(axis=1), len(values), patients, draws=300)
        hits += covers(interval, 0)
    assert 0.90 <= hits / 300 <= 0.98
    again = bootstrap(lambda w: (w @ values) / w.sum(axis=1), len(values), patients, draws=300)
    assert again == interval


def test_groups_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"groups must have shape \(3,\), got \(2,\)"):
        mean_interval([1.0, 2.0, 3.0], groups=["a", "b"])
