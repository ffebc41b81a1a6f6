"""The ten types of classifier: every seed another one, and their true counterfactual accuracy."""

import numpy as np
import pytest

from engine.bias.studies.classifiers import TYPES, expected_counterfactual_accuracy, trained
from engine.datasets.invariance_scm import StructuralModel

CASES = StructuralModel("linear", 0.5, k=6).draw(150, seed=0)


class Sign:
    """Says 1 where the first feature is positive."""

    def predict(self, x):
        return (x[:, 0] > 0).astype(int)


def test_there_are_the_ten_types_of_table_1():
    assert len(TYPES) == 10


@pytest.mark.parametrize("kind", TYPES)
def test_every_seed_is_another_classifier_and_the_same_seed_the_same(kind):
    unseen = StructuralModel("linear", 0.5, k=6).draw(1500, seed=1).x
    first, again, other = (trained(kind, CASES.x, CASES.finding, seed).predict(unseen) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_accuracy_counts_labels_that_stay():
    under = np.array([[[1.0], [1.0]], [[1.0], [-1.0]], [[-1.0], [-2.0]], [[-1.0], [3.0]]])
    assert expected_counterfactual_accuracy(Sign(), under, np.array([0, 0, 1, 1])) == 0.5


def test_with_three_values_each_other_one_counts_alike():
    under = np.array([[[1.0], [1.0], [-1.0]]])
    assert expected_counterfactual_accuracy(Sign(), under, np.array([0])) == 0.5
    assert expected_counterfactual_accuracy(Sign(), under, np.array([2])) == 0.0


def test_it_is_1_without_an_effect_and_falls_as_the_effect_grows():
    model = trained("logistic regression", CASES.x, CASES.finding, 0)
    found = []
    for strength in (0.0, 0.1, 0.4, 1.0):
        cases = StructuralModel("linear", strength, k=6).draw(1500, seed=2)
        found.append(expected_counterfactual_accuracy(model, cases.under, cases.attribute))
    assert found[0] == 1.0 and found == sorted(found, reverse=True) and found[-1] < 0.8
