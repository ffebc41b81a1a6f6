"""Confounder sensitivity: how much of the tag the strongest tenth of a class centre covers."""

import numpy as np
import pytest

from engine.metrics.confounder_sensitivity import confounder_sensitivity
from engine.metrics.measure import NotMeasurable


@pytest.fixture
def tag():
    tag = np.zeros((40, 40), bool)
    tag[30:34, 5:25] = True  # 80 of 1600 pixels, half of the top tenth
    return tag


def test_a_centre_that_shows_the_tag_scores_one_whatever_its_sign(tag):
    noise = np.random.default_rng(0).normal(size=tag.shape) * 0.1
    assert confounder_sensitivity(noise + 5 * tag, tag).value == 1
    assert confounder_sensitivity(noise - 5 * tag, tag).value == 1


def test_a_centre_that_avoids_the_tag_scores_zero(tag):
    assert confounder_sensitivity(np.random.default_rng(1).normal(size=tag.shape) * ~tag, tag).value == 0


def test_it_is_a_recall_over_the_tag(tag):
    half = tag & (np.arange(40) < 15)
    centre = half * 9.0 + 0.01 * np.random.default_rng(2).random(tag.shape) * ~tag
    assert confounder_sensitivity(centre, tag).value == 0.5


def test_random_and_flat_centres_score_chance(tag):
    random = np.random.default_rng(3)
    values = [confounder_sensitivity(random.normal(size=tag.shape), tag).value for _ in range(200)]
    assert np.mean(values) == pytest.approx(0.10, abs=0.01)
    flat = confounder_sensitivity(np.zeros(tag.shape), tag)
    assert flat.value == pytest.approx(flat.chance) == 0.10


def test_a_single_centre_has_no_interval_and_says_why(tag):
    measure = confounder_sensitivity(tag * 1.0, tag)
    assert (measure.low, measure.high, measure.n) == (None, None, 80) and "nothing is sampled" in measure.remark


def test_an_empty_tag_is_not_measurable_and_another_grid_is_refused(tag):
    with pytest.raises(NotMeasurable, match="empty tag"):
        confounder_sensitivity(np.ones((4, 4)), np.zeros((4, 4), bool))
    with pytest.raises(ValueError, match="share one"):
        confounder_sensitivity(np.ones((4, 4)), tag)
