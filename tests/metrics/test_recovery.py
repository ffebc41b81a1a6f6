"""Recovery and restraint against a counterfactual that is known to be true."""

import numpy as np
import pytest

from engine.metrics.measure import NotMeasurable
from engine.metrics.recovery import recovery, restraint, true_change


@pytest.fixture
def known():
    """(x, x*): 30 noisy pictures with a disc that the true counterfactual lacks."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:50, :50]
    without = random.normal(size=(30, 50, 50)).astype(np.float32)
    centres = random.uniform(15, 35, size=(30, 2, 1, 1))
    disc = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2 <= 6**2
    return without + disc * random.uniform(1, 3, size=(30, 1, 1)).astype(np.float32), without


def test_the_truth_recovers_all_and_doing_nothing_recovers_nothing(known):
    x, x_star = known
    assert recovery(x, x_star, x_star).value == 1
    assert recovery(x, x, x_star).value == pytest.approx(0)
    assert recovery(x, 2 * x - x_star, x_star).value == pytest.approx(-1, abs=1e-5)  # the wrong way, just as far


def test_half_the_change_recovers_half(known):
    x, x_star = known
    half = recovery(x, (x + x_star) / 2, x_star)
    assert (
        half.value == pytest.approx(0.5, abs=1e-6) and half.low == pytest.approx(half.high, abs=1e-6) and half.n == 30
    )


def test_recovery_is_a_ratio_of_means_and_not_a_mean_of_ratios():
    x_star = np.zeros((2, 4, 4))
    x = np.stack([np.full((4, 4), 9.0), np.full((4, 4), 1.0)])
    assert recovery(x, np.stack([x_star[0], x[1]]), x_star).value == pytest.approx(0.9)


def test_recovery_interval_covers_the_truth_over_pictures():
    random = np.random.default_rng(1)
    hits = 0
    for seed in range(200):
        due = random.uniform(0.5, 2, 40)  # the method takes away a share of 0.3 on average, whatever the size
        taken = due * random.uniform(0.0, 0.6, 40)
        x = due[:, None, None] * np.ones((1, 2, 2))
        measure = recovery(x, x - taken[:, None, None], np.zeros_like(x), draws=300, seed=seed)
        hits += measure.low <= 0.3 <= measure.high
    assert 0.90 <= hits / 200 <= 0.99


def test_a_counterfactual_that_changes_only_what_is_true_has_restraint_one(known):
    x, x_star = known
    assert restraint(x, x_star, x_star).value == 1
    assert restraint(x, (x + x_star) / 2, x_star).value == 1


def test_a_change_everywhere_has_the_restraint_of_chance(known):
    x, x_star = known
    everywhere = restraint(x, x + 1, x_star)
    assert everywhere.value == pytest.approx(everywhere.chance, abs=1e-6) and everywhere.chance < 0.1


def test_a_change_elsewhere_has_restraint_zero(known):
    x, x_star = known
    moved = x.copy()
    moved[:, :5] += 1
    assert restraint(x, moved, x_star).value == 0


def test_the_true_change_is_dilated_by_two_hundredths_of_the_width():
    x_star, x = np.zeros((100, 100)), np.zeros((100, 100))
    x[50, 50] = 1
    inside = true_change(x, x_star)
    assert inside[50, 48] and inside[52, 50] and not inside[50, 47] and not inside[52, 52]
    assert inside.sum() == 13  # a disc of radius 2


def test_noise_beside_the_true_change_does_not_count_as_change():
    x_star, x = np.zeros((50, 50)), np.full((50, 50), 1e-3)
    x[25, 25] = 1
    assert true_change(x, x_star).sum() == 5
    assert not true_change(np.full((9, 9), 1000.0), np.full((9, 9), 1000.0001)).any()


def test_pictures_where_nothing_changed_are_left_out_of_restraint_and_counted(known):
    x, x_star = known
    changed = x_star.copy()
    changed[:3] = x[:3]
    measure = restraint(x, changed, x_star)
    assert measure.value == 1 and measure.n == 27 and "3 of 30" in measure.remark


def test_nothing_to_recover_is_not_measurable(known):
    x, _ = known
    with pytest.raises(NotMeasurable, match="Edema: on 30 pictures the true counterfactual changes nothing"):
        recovery(x, x, x, finding="Edema")
    with pytest.raises(NotMeasurable, match="on none of 30 pictures"):
        restraint(x, x, x)
    with pytest.raises(NotMeasurable, match="on 0 pictures"):
        recovery([], [], [])


def test_pictures_on_another_grid_or_in_another_number_are_refused(known):
    x, x_star = known
    with pytest.raises(ValueError, match="share one"):
        recovery(x, x[:, :20], x_star)
    with pytest.raises(ValueError, match="shorter"):
        recovery(x, x[:5], x_star)
