"""Scores are judged as scikit-learn judges them, with intervals that respect patients."""

import time

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from engine.metrics.classification import (
    accuracy,
    auc,
    mean_auc,
    sensitivity,
    specificity,
    validation_score,
    youden_threshold,
)
from engine.metrics.intervals import wilson
from engine.metrics.measure import NotMeasurable


def sample(random, positives, negatives, truth=0.8):
    """Labels and normal scores with a known true AUC."""
    labels = np.r_[np.ones(positives), np.zeros(negatives)]
    return labels, random.normal(size=len(labels)) + np.sqrt(2) * stats.norm.ppf(truth) * labels


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_auc_equals_scikit_learn_also_with_ties(decimals):
    labels, scores = sample(np.random.default_rng(decimals), 30, 70)
    measure = auc(labels, scores.round(decimals))
    assert measure.value == pytest.approx(sk.roc_auc_score(labels, scores.round(decimals)))
    assert measure.low < measure.value < measure.high
    assert (measure.n, measure.chance) == (100, 0.5)


def test_perfect_reversed_and_constant_scores():
    labels = np.array([0, 0, 1, 1])
    perfect, reversed_, constant = auc(labels, [1, 2, 3, 4]), auc(labels, [4, 3, 2, 1]), auc(labels, [5, 5, 5, 5])
    assert (perfect.value, reversed_.value, constant.value) == (1, 0, 0.5)
    assert perfect.high == 1 and perfect.low < 0.9  # four pictures prove little
    assert constant.low < 0.5 < constant.high
    many = auc(np.repeat(labels, 20), np.repeat([1.0, 2, 3, 4], 20), groups=np.repeat(np.arange(4), 20))
    assert (many.low, many.high) == (perfect.low, perfect.high)  # twenty pictures of one patient are one patient


@pytest.mark.parametrize(("positives", "truth"), [(6, 0.8), (25, 0.9), (60, 0.75)])
def test_auc_interval_covers_the_truth(positives, truth):
    random = np.random.default_rng(positives)
    hits = 0
    for seed in range(300):
        measure = auc(*sample(random, positives, 100, truth), draws=300, seed=seed)
        hits += measure.low <= truth <= measure.high
    assert 0.91 <= hits / 300 <= 0.99


def test_auc_interval_resamples_patients():
    labels, scores = sample(np.random.default_rng(5), 60, 100)
    alone = auc(labels, scores)
    copied = auc(np.repeat(labels, 6), np.repeat(scores, 6), groups=np.repeat(np.arange(160), 6))
    careless = auc(np.repeat(labels, 6), np.repeat(scores, 6))
    assert copied.value == pytest.approx(alone.value)
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert careless.high - careless.low < 0.5 * (alone.high - alone.low)


def test_unknown_labels_are_ignored():
    labels, scores = sample(np.random.default_rng(6), 20, 30)
    with_unknown = auc(np.r_[labels, [np.nan] * 9], np.r_[scores, [99.0] * 8, np.nan], groups=np.arange(59))
    assert with_unknown == auc(labels, scores)


def test_auc_of_2000_pictures_takes_less_than_a_second():
    labels, scores = sample(np.random.default_rng(7), 400, 1600)
    start = time.process_time()
    auc(labels, scores)
    assert time.process_time() - start < 1


def test_one_class_is_not_measurable_and_the_sentence_names_it():
    with pytest.raises(NotMeasurable, match="Edema has 0 positive and 3 negative"):
        auc([0, 0, 0, np.nan], [1, 2, 3, 4], finding="Edema")
    with pytest.raises(NotMeasurable, match="Edema has 2 positive and 0 negative"):
        youden_threshold([1, 1], [1, 2], finding="Edema")
    with pytest.raises(NotMeasurable, match="no positive"):
        sensitivity([0, 0], [1, 2], 1)
    with pytest.raises(NotMeasurable, match="no negative"):
        specificity([1, 1], [1, 2], 1)
    with pytest.raises(NotMeasurable, match="no labelled"):
        accuracy([np.nan], [1], 1)


@pytest.mark.parametrize(
    ("labels", "scores", "says"),
    [
        ([0, 1, 2], [1, 2, 3], "labels must be 0, 1 or NaN, got 2"),
        ([0, 1], [1, 2, 3], "share one shape"),
        ([0, 1], [1, np.nan], "NaN"),
    ],
)
def test_malformed_input_is_refused(labels, scores, says):
    with pytest.raises(ValueError, match=says):
        auc(labels, scores)


def test_mean_auc_is_the_mean_and_keeps_findings_dependent():
    random = np.random.default_rng(8)
    labels, scores = sample(random, 40, 60)
    _, other = sample(random, 40, 60)
    both = mean_auc(np.c_[labels, labels], np.c_[scores, other], ["A", "B"])
    assert both.value == pytest.approx((auc(labels, scores).value + auc(labels, other).value) / 2)
    same = mean_auc(np.c_[labels, labels], np.c_[scores, scores], ["A", "B"])
    alone = auc(labels, scores)
    assert (same.low, same.high) == pytest.approx((alone.low, alone.high))  # a copy adds no knowledge


def test_mean_auc_says_which_findings_it_leaves_out():
    labels, scores = sample(np.random.default_rng(9), 40, 60)
    measure = mean_auc(np.c_[labels, np.zeros(100)], np.c_[scores, scores], ["A", "B"])
    assert measure.value == pytest.approx(auc(labels, scores).value) and "without B" in measure.remark
    with pytest.raises(NotMeasurable, match="none of B"):
        mean_auc(np.zeros((5, 1)), np.zeros((5, 1)), ["B"])


def test_mean_auc_of_perfect_scores_is_not_certain():
    measure = mean_auc(np.array([[0, 0], [0, 1], [1, 1.0]]), np.array([[0, 0], [1, 1], [2, 2.0]]), ["A", "B"])
    assert measure.value == measure.high == 1 and measure.low < 0.9


def test_shares_at_a_threshold_equal_scikit_learn_and_wilson():
    labels, scores = sample(np.random.default_rng(10), 40, 80)
    calls = scores > 0.4
    assert sensitivity(labels, scores, 0.4).value == pytest.approx(sk.recall_score(labels, calls))
    assert specificity(labels, scores, 0.4).value == pytest.approx(sk.recall_score(labels, calls, pos_label=0))
    right = accuracy(labels, scores, 0.4)
    assert right.value == pytest.approx(sk.accuracy_score(labels, calls)) and right.chance == pytest.approx(80 / 120)
    found = sensitivity(labels, scores, 0.4)
    assert (found.low, found.high) == pytest.approx(wilson(calls[labels == 1].sum(), 40), abs=0.005) and found.n == 40


def test_a_call_is_positive_strictly_above_the_threshold():
    assert sensitivity([1, 0], [0.5, 0.1], 0.5).value == 0
    assert specificity([1, 0], [0.9, 0.5], 0.5).value == 1


def test_youden_threshold_is_the_best_of_all_and_midway():
    random = np.random.default_rng(11)
    for _ in range(50):
        labels, scores = sample(random, 10, 20)
        scores = scores.round(1)
        threshold = youden_threshold(labels, scores)
        reached = sensitivity(labels, scores, threshold).value + specificity(labels, scores, threshold).value - 1
        false, true, _ = sk.roc_curve(labels, scores)
        assert reached == pytest.approx((true - false).max())
    assert youden_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9]) == pytest.approx(0.4)
    assert youden_threshold([0, 1, 0, 1], [1, 2, 3, 4]) == 3.5  # 1.5 and 3.5 are equally good: the highest is taken


def test_youden_threshold_calls_nobody_when_no_cut_helps():
    assert youden_threshold([0, 1, 0], [0.3, 0.3, 0.3]) == 0.3
    assert youden_threshold([1, 0], [0.1, 0.8]) == 0.8


def test_youden_threshold_separates_neighbouring_floats():
    below = np.nextafter(1.0, 0.0)
    threshold = youden_threshold([0, 1], [below, 1.0])
    assert below <= threshold < 1.0


def test_the_validation_score_weighs_findings_by_their_rarer_class():
    labels = np.array([[1, 1], [1, 0], [0, 0], [0, 0], [1, 0], [0, np.nan]], np.float32)
    scores = np.array([[0.9, 0.1], [0.8, 0.5], [0.1, 0.6], [0.2, 0.7], [0.7, 0.8], [0.3, 0.0]])
    told = validation_score(labels, scores, ("common", "rare"))
    assert told["auc common"] == 1 and told["auc rare"] == 0
    assert told["score"] == pytest.approx((3 * 1 + 1 * 0) / 4)


def test_a_finding_with_one_class_only_takes_no_part_in_the_validation_score():
    labels, scores = np.array([[1, 1], [0, 1]], np.float32), np.array([[0.9, 0.5], [0.1, 0.5]])
    assert validation_score(labels, scores, ("two", "one")) == {"score": 1.0, "auc two": 1.0}
    with pytest.raises(ValueError, match="at least one finding"):
        validation_score(labels[:, 1:], scores[:, 1:], ("one",))
