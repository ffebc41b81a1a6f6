"""CCCE against a structural model whose effects are known, and its assumptions against data that break them."""

import numpy as np
import pytest

from engine.methods.causal_alignment.ccce import DiagnosisTable, coverage, monotonicity_violations

NAMES = ("spiculation", "lobulation", "texture")


def people(n: int, seed: int = 0):
    """A monotone model: Y = 1 if a draw falls below 0.1 + 0.5 spiculation + 0.3 lobulation; texture does nothing."""
    random = np.random.default_rng(seed)
    a = (random.random((n, 3)) < (0.4, 0.5, 0.5)).astype(int)
    noise = random.random(n)
    outcome = lambda a: (noise < 0.1 + 0.5 * a[:, 0] + 0.3 * a[:, 1]).astype(int)
    return a, outcome(a), outcome


def test_ccce_is_the_known_effect_of_the_structural_model():
    a, y, outcome = people(200_000)
    table = DiagnosisTable.fit(NAMES, a, y)
    for subset in ((0,), (1,), (0, 1), (2,), (0, 1, 2)):
        for values, diagnosis in (((1, 1, 1), 1), ((1, 0, 0), 1), ((0, 0, 1), 0), ((1, 0, 1), 0)):
            those = (a == values).all(1) & (y == diagnosis)
            with_, without = a.copy(), a.copy()
            with_[:, subset], without[:, subset] = 1, 0
            truth = (outcome(with_) - outcome(without))[those].mean()
            assert table.ccce(values, diagnosis, subset) == pytest.approx(truth, abs=0.02)


def test_the_best_subset_is_the_smallest_that_accounts_for_most():
    a, y, _ = people(50_000)
    table = DiagnosisTable.fit(NAMES, a, y)
    subset, effect = table.best_subset((1, 1, 0), 1)
    assert set(subset) >= {0, 1} and effect == pytest.approx(1 - 0.1 / 0.9, abs=0.03)
    assert table.best_subset((0, 0, 0), 1) == ((), 0.0)


def test_the_annotation_vector_marks_the_best_subset_of_each_person():
    a, y, _ = people(50_000)
    table = DiagnosisTable.fit(NAMES, a, y)
    r = table.causal_attributes(np.array([[1, 1, 0], [0, 0, 0]]), np.array([1, 0]))
    assert r[0].tolist() == [1, 1, 0] and r[1, :2].tolist() == [1, 1]


def test_an_empty_cell_says_what_the_regression_says():
    a = np.array([[0, 0], [0, 1], [1, 0]] * 30)
    y = np.array([0, 1, 1] * 30)
    table = DiagnosisTable.fit(("one", "two"), a, y)
    assert table.cases[1, 1] == 0 and 0.5 < table.probability[1, 1] < 1


def test_monotone_data_violate_nothing_and_others_are_named():
    a, y, _ = people(5000)
    found, compared = monotonicity_violations(DiagnosisTable.fit(NAMES, a, y))
    assert found == [] and compared == 12
    y = np.where(a[:, 2] == 1, 0, y)  # texture protects
    found, _ = monotonicity_violations(DiagnosisTable.fit(NAMES, a, y))
    assert {violation.attribute for violation in found} == {"texture"}
    assert all(violation.present < violation.absent and violation.p_value < 0.05 for violation in found)


def test_coverage_counts_people_in_cells_with_enough_cases():
    a = np.array([[0, 0]] * 9 + [[1, 1]])
    assert coverage(DiagnosisTable.fit(("one", "two"), a, np.array([0, 1] * 5))) == 0.9


@pytest.mark.parametrize(
    ("a", "y", "words"),
    [
        (np.zeros((3, 2)), np.zeros(3), "shape"),
        (np.full((3, 3), 2), np.array([0, 1, 1]), "0 or 1"),
        (np.zeros((3, 3)), np.ones(3), "both diagnoses"),
    ],
)
def test_what_cannot_be_is_refused(a, y, words):
    with pytest.raises(ValueError, match=words):
        DiagnosisTable.fit(NAMES, a, y)


def test_a_table_is_the_same_again_from_its_counts():
    a, y, _ = people(500)
    table = DiagnosisTable.fit(NAMES, a, y)
    again = DiagnosisTable.of_counts(NAMES, **table.counts())
    assert np.array_equal(again.cases, table.cases) and np.array_equal(again.positives, table.positives)
    assert np.allclose(again.probability, table.probability, atol=1e-4)


@pytest.mark.parametrize(
    ("cases", "positives"),
    [([1] * 7, [0] * 7), ([1] * 8, [2] + [0] * 7), ([1] * 8, [-1] + [0] * 7), ([0.5] * 8, [0] * 8)],
)
def test_counts_that_cannot_be_are_refused(cases, positives):
    with pytest.raises(ValueError, match="cases"):
        DiagnosisTable.of_counts(NAMES, cases, positives)
