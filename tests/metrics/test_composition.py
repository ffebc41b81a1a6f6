"""Composition: nothing moved is 0, and the unit of the pictures does not matter."""

import numpy as np
import pytest

from engine.metrics.composition import composition
from engine.metrics.measure import NotMeasurable


def pictures(n=30, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (n, 9, 7)).astype(np.float32)


def test_a_picture_that_stays_has_composition_zero():
    measure = composition(pictures(), pictures(), 255)
    assert (measure.value, measure.low, measure.high, measure.n) == (0, 0, 0, 30)


def test_it_is_the_mean_change_as_a_share_of_the_span():
    x = pictures(2)
    moved = np.stack([x[0] + 51, x[1]])
    moved[1, :, 0] -= 25.5  # one column of seven
    assert composition(x, moved, 255).value == pytest.approx((0.2 + 0.1 / 7) / 2, rel=1e-5)


def test_gain_and_offset_of_the_unit_do_not_matter():
    x, moved = pictures(), pictures() + 3
    assert composition(16 * x - 1024, 16 * moved - 1024, 16 * 255).value == pytest.approx(
        composition(x, moved, 255).value, rel=1e-4
    )


def test_its_interval_covers_the_truth_over_patients():
    random, hits = np.random.default_rng(1), 0
    for _ in range(300):
        of_patient = np.repeat(
            random.uniform(0, 0.2, 25), 4
        )  # four pictures of one patient move alike; the mean is 0.1
        moved = np.ones((100, 3, 3)) * of_patient[:, None, None]
        measure = composition(np.zeros((100, 3, 3)), moved, 1, groups=np.repeat(np.arange(25), 4))
        hits += measure.low <= 0.1 <= measure.high
    assert 0.91 <= hits / 300 <= 0.98


def test_what_cannot_be_measured_is_refused():
    x = pictures()
    with pytest.raises(NotMeasurable, match="sex: there is no picture"):
        composition([], [], 1, variant="sex")
    with pytest.raises(ValueError, match="share one"):
        composition(x, x[:3], 1)
    with pytest.raises(ValueError, match="span must be above 0"):
        composition(x, x, 0)
    with pytest.raises(ValueError, match="groups"):
        composition(x, x, 1, groups=["a"])
    with pytest.raises(ValueError, match="null must be finite"):
        composition(x, np.full_like(x, np.nan), 1)
