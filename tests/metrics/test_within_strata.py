"""The AUC among pictures of one place."""

import numpy as np
import pytest

from engine.metrics.classification import auc
from engine.metrics.measure import NotMeasurable
from engine.metrics.within_strata import auc_within


def test_a_score_that_knows_the_place_only_has_an_auc_of_one_half_within_it():
    random = np.random.default_rng(0)
    place = random.integers(0, 10, 4000)
    labels = (random.random(4000) < place / 10).astype(float)
    assert auc(labels, place.astype(float)).value > 0.75
    assert auc_within(labels, place.astype(float), place).value == 0.5


def test_it_is_the_share_of_pairs_of_one_place_that_are_ordered_rightly():
    labels = np.array([1, 0, 0, 1, 0, 1, 1, np.nan, 0])
    scores = np.array([3.0, 1.0, 4.0, 2.0, 2.0, 9.0, 8.0, 7.0, 0.0])
    strata = np.array([0, 0, 0, 1, 1, 2, 2, 0, -1])
    pairs = [(3.0, 1.0), (3.0, 4.0), (2.0, 2.0)]  # the third place has no negative, the last picture no place
    expected = np.mean([1.0 if up > down else 0.5 if up == down else 0.0 for up, down in pairs])
    found = auc_within(labels, scores, strata)
    assert found.value == pytest.approx(expected) and found.n == 5 and found.chance == 0.5


def test_one_place_for_all_gives_the_plain_auc_and_its_interval():
    random = np.random.default_rng(1)
    labels, patients = random.integers(0, 2, 300).astype(float), random.integers(0, 60, 300).astype(str)
    scores = labels + random.normal(0, 1.5, 300)
    within, plain = (
        auc_within(labels, scores, np.zeros(300, int), groups=patients),
        auc(labels, scores, groups=patients),
    )
    assert (within.value, within.low, within.high) == pytest.approx((plain.value, plain.low, plain.high))


def test_one_patient_gives_no_interval_and_no_shared_place_no_number():
    labels, scores = np.array([1.0, 0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.2, 0.5])
    assert auc_within(labels, scores, np.array([0, 0, 1, 1]), groups=np.array(["a"] * 4)).low is None
    with pytest.raises(NotMeasurable, match="no place has both"):
        auc_within(labels, scores, np.array([0, 1, 0, 1]))
    with pytest.raises(ValueError, match="share one shape"):
        auc_within(labels, scores, np.array([0, 1]))
