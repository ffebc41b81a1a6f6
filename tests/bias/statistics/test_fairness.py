"""Rates, gaps, intervals and p values of the three associations against hand and textbook numbers."""

import fairlearn.metrics as fairlearn
import numpy as np
import pytest
from scipy import stats

from engine.bias.statistics.fairness import (
    associations,
    demographic_parity,
    equalised_odds,
    equality_of_opportunity,
    log_p_of_equal_means,
)
from engine.metrics.measure import NotMeasurable


def groups(**counts):
    """predictions and attribute from name=(positives, n)."""
    predictions = np.concatenate([np.r_[np.ones(k), np.zeros(n - k)] for k, n in counts.values()])
    return predictions, np.repeat(list(counts), [n for _, n in counts.values()])


def test_the_gap_and_its_interval_are_newcombes():
    """56 of 70 against 48 of 80: 0.20, 95 % interval 0.0524 to 0.3339 (Newcombe 1998, Table II, method 10)."""
    found = demographic_parity(*groups(a=(56, 70), b=(48, 80)))
    assert found.rates == {"a": 0.8, "b": 0.6} and found.n == {"a": 70, "b": 80}
    assert (found.gap, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_the_p_value_of_labels_is_pearsons():
    expected = stats.chi2_contingency([[56, 14], [48, 32], [30, 30]], correction=False).pvalue
    assert demographic_parity(*groups(a=(56, 70), b=(48, 80), c=(30, 60))).p_value == pytest.approx(expected)


def test_small_tables_are_judged_by_counting():
    predictions, attribute = groups(a=(3, 30), b=(0, 30))
    expected = stats.fisher_exact([[3, 27], [0, 30]]).pvalue
    assert demographic_parity(predictions, attribute).p_value == pytest.approx(expected, abs=0.02)


def test_the_p_value_of_probabilities_is_welchs():
    random = np.random.default_rng(0)
    scores, attribute = np.r_[random.beta(2, 3, 80), random.beta(2, 2, 50)], np.repeat(["f", "m"], [80, 50])
    expected = stats.ttest_ind(scores[:80], scores[80:], equal_var=False).pvalue
    assert np.exp(log_p_of_equal_means(scores, attribute)) == pytest.approx(expected)


def test_opportunity_is_not_parity():
    """A perfect classifier where one group is ill more often: no parity, full equality of opportunity."""
    truth, attribute = groups(f=(80, 100), m=(20, 100))
    parity, opportunity = demographic_parity(truth, attribute), equality_of_opportunity(truth, attribute, truth)
    assert parity.gap == pytest.approx(0.6) and parity.p_value < 1e-10
    assert opportunity.gap == 0 and opportunity.p_value == 1
    assert opportunity.n == {"f": 80, "m": 20}


def test_parity_may_hold_where_opportunity_does_not():
    truth = np.tile([1, 1, 0, 0], 50)
    attribute = np.repeat(["f", "m"], 100)
    predictions = np.where(attribute == "f", truth, 1 - truth)
    assert demographic_parity(predictions, attribute).p_value == 1
    assert equality_of_opportunity(predictions, attribute, truth).gap == 1


def test_odds_see_false_alarms_that_opportunity_does_not():
    truth = np.tile([1, 0], 100)
    attribute = np.repeat(["f", "m"], 100)
    predictions = np.where((attribute == "m") & (truth == 0) & (np.arange(200) % 4 == 1), 1, truth)
    assert equality_of_opportunity(predictions, attribute, truth).gap == 0
    odds = equalised_odds(predictions, attribute, truth)
    assert odds.gap == pytest.approx(0.5) and odds.rates == {"f": 0.0, "m": 0.5} and odds.p_value < 1e-4


def test_a_group_with_hardly_any_positives_is_refused_by_name():
    truth, attribute = groups(female=(40, 100), male=(3, 100))
    with pytest.raises(NotMeasurable, match="group male has 3 cases with the finding, fewer than 5"):
        equality_of_opportunity(truth, attribute, truth)


def test_many_pictures_of_one_patient_are_one_positive():
    """Five positives of one patient against forty of forty: nothing can be said, least of all p = 4e-14."""
    predictions = np.r_[np.full(5, 0.9), np.linspace(0.2, 0.7, 40)]
    attribute, patients, truth = np.repeat(["a", "b"], [5, 40]), np.r_[np.zeros(5), np.arange(1, 41)], np.ones(45)
    with pytest.raises(NotMeasurable, match="group a has 1 patients with the finding, fewer than 5"):
        equality_of_opportunity(predictions, attribute, truth, patients)
    with pytest.raises(NotMeasurable, match="one patient only"):
        demographic_parity(predictions, attribute, patients)


def test_a_group_whose_answers_are_all_alike_is_not_known_without_doubt():
    random = np.random.default_rng(0)
    predictions, attribute = np.r_[np.full(6, 0.7), random.uniform(0.3, 0.9, 60)], np.repeat(["a", "b"], [6, 60])
    found = demographic_parity(predictions, attribute)
    assert found.low < 0 < found.high and found.p_value > 0.3
    labels = np.r_[np.ones(6), np.tile([0, 1, 1], 20)]
    patients = np.r_[np.arange(6), np.repeat(np.arange(6, 36), 2)]
    assert demographic_parity(labels, attribute, patients).p_value > 1e-4


def test_cases_of_which_no_truth_is_known_are_refused_in_words():
    nothing = np.array([])
    with pytest.raises(NotMeasurable, match="no case here is known to be with the finding"):
        equalised_odds(nothing, nothing.astype(str), nothing, nothing)


def test_one_group_alone_has_nothing_to_differ_from():
    with pytest.raises(NotMeasurable, match="one group only, f"):
        demographic_parity(np.array([0.0, 1.0] * 20), np.repeat("f", 40))


def test_pictures_of_one_patient_count_as_one():
    predictions, attribute = groups(a=(28, 35), b=(24, 40))
    patients = np.arange(75)
    once = demographic_parity(predictions, attribute, patients)
    thrice = demographic_parity(np.repeat(predictions, 3), np.repeat(attribute, 3), np.repeat(patients, 3))
    claimed = demographic_parity(np.repeat(predictions, 3), np.repeat(attribute, 3))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=0.02)
    assert thrice.p_value == pytest.approx(once.p_value, rel=0.5) and claimed.p_value < thrice.p_value / 5


@pytest.mark.parametrize("seed", range(3))
def test_equal_rates_are_seldom_called_unequal(seed):
    random = np.random.default_rng(seed)
    rejected = [
        log_p_of_equal_means((random.random(150) < 0.3) * 1.0, random.integers(0, 3, 150)) < np.log(0.05)
        for _ in range(300)
    ]
    assert 3 <= sum(rejected) <= 29  # 15 expected; both ends beyond 3.5 standard errors


def leaning(n=400, names=("f", "m"), seed=0):
    """Probabilities that lean on the attribute a little, the attribute, and who has the finding."""
    random = np.random.default_rng(seed)
    attribute, truth = random.choice(names, n), (random.random(n) < 0.4).astype(float)
    logits = 1.5 * (truth - 0.5) + 0.5 * (attribute == names[0]) + random.normal(0, 1, n)
    return 1 / (1 + np.exp(-logits)), attribute, truth


@pytest.mark.parametrize("names", [("f", "m"), ("Asian", "Black", "White")])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.81])
def test_gaps_are_fairlearns_of_the_decisions_at_the_operating_point(names, threshold):
    probabilities, attribute, truth = leaning(names=names)
    found = associations(probabilities, threshold, attribute, truth).decisions
    said = {"y_true": truth, "y_pred": probabilities > threshold, "sensitive_features": attribute}
    assert found["parity"].gap == pytest.approx(fairlearn.demographic_parity_difference(**said))
    assert found["opportunity"].gap == pytest.approx(fairlearn.equal_opportunity_difference(**said))
    assert found["odds"].gap == pytest.approx(fairlearn.equalized_odds_difference(**said))


def test_the_gap_of_the_mean_probability_is_named_as_such_and_is_another_number():
    """Every probability of one group is raised, and no decision changes."""
    probabilities = np.tile(np.r_[np.full(20, 0.2), np.full(20, 0.8)], 2)
    attribute, truth = np.repeat(["f", "m"], 40), np.tile(np.repeat([0.0, 1.0], 20), 2)
    found = associations(probabilities + 0.1 * (attribute == "f"), 0.5, attribute, truth)
    assert {gap.gap for gap in found.decisions.values()} == {0.0}
    assert [gap.gap for gap in found.probabilities.values()] == pytest.approx([0.1] * 3)
    subjects = [row.subject for row in found.measures("Edema", "sex")]
    assert (
        "Edema by sex: demographic parity" in subjects
        and "Edema by sex: demographic parity of the mean probability" in subjects
    )
    assert len(subjects) == 2 * len(set(subjects))  # a gap and a p value each


def test_a_gap_that_cannot_be_had_says_why():
    probabilities, attribute, truth = leaning()
    unlabelled = associations(probabilities, 0.5, attribute)
    assert {*unlabelled.decisions} == {"parity"} and {*unlabelled.missing} == {"opportunity", "odds"}
    rare = np.where((attribute == "m") & (np.cumsum(attribute == "m") > 3), 0.0, truth)
    found = associations(probabilities, 0.5, attribute, rare)
    assert "opportunity" not in found.decisions and "fewer than 5" in found.missing["opportunity"]


def test_cases_of_unknown_truth_count_for_parity_only():
    probabilities, attribute, truth = leaning()
    truth[:100] = np.nan
    found = associations(probabilities, 0.5, attribute, truth).decisions
    assert sum(found["parity"].n.values()) == 400 and sum(found["opportunity"].n.values()) == np.nansum(truth)
