"""The structural models: what the attribute does, what it leaves alone, and counterfactuals with the same noise."""

import numpy as np
import pytest

from engine.datasets.invariance_scm import KINDS, StructuralModel


@pytest.mark.parametrize("kind", KINDS)
def test_at_strength_0_the_counterfactual_is_the_fact(kind):
    cases = StructuralModel(kind, 0.0, values=3).draw(50, seed=1)
    # Each value has a matrix product of its own, and two products of the same numbers may be summed in different
    # orders.
    same = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(cases.under[:, 1], cases.under[:, 0], **same)
    np.testing.assert_allclose(cases.under[:, 2], cases.under[:, 0], **same)
    np.testing.assert_allclose(cases.counterfactual(), cases.x, **same)


@pytest.mark.parametrize("kind", KINDS)
def test_the_fact_is_what_its_own_attribute_brings_about(kind):
    cases = StructuralModel(kind, 0.7).draw(50, seed=1)
    assert np.array_equal(cases.x, cases.under[np.arange(50), cases.attribute])
    assert np.array_equal(cases.counterfactual(), cases.under[np.arange(50), 1 - cases.attribute])
    assert not np.allclose(cases.counterfactual(), cases.x)


def test_the_counterfactual_has_the_same_noise_and_the_same_mechanisms():
    """With one step, X(1) - X(0) = M_X (M(1) - M(0)) Z exactly: xi, eps and r cancel only if they are the same."""
    model = StructuralModel("linear", 1.0, steps=2, sigma=0.5)
    cases = model.draw(40, seed=2)
    (transition,) = model.transitions
    expected = cases.representation @ (transition[1] - transition[0]).T @ model.mixing.T
    assert np.allclose(cases.under[:, 1] - cases.under[:, 0], expected)


def test_strength_changes_the_attributes_part_and_nothing_else():
    weak, strong = (StructuralModel("sin", strength).draw(60, seed=3) for strength in (0.1, 1.0))
    assert np.array_equal(weak.representation, strong.representation)
    assert np.array_equal(weak.attribute, strong.attribute) and np.array_equal(weak.finding, strong.finding)
    assert np.array_equal(weak.under[:, 0], strong.under[:, 0])
    effect = [np.abs(c.under[:, 1] - c.under[:, 0]).mean() for c in (weak, strong)]
    assert 0 < effect[0] < effect[1] / 2


def test_the_attribute_has_no_part_in_the_representation_unless_it_is_made_to():
    correlation = {}
    for confounding in (0.0, 2.0):
        cases = StructuralModel("linear", 0.5, confounding=confounding).draw(4000, seed=4)
        correlation[confounding] = np.corrcoef(cases.attribute, cases.representation[:, 0])[0, 1]
    assert abs(correlation[0.0]) < 0.06 and correlation[2.0] > 0.4


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("linear", 2 * 0.5 - 3 * 2 + 1),
        ("quadratic", 2 * 0.25 - 3 * 4 + 1),
        ("exponential", 2 * np.exp(0.5) - 3 * np.exp(2.0) + 1),
        ("log-exponential", np.log(1e-4) + 1),
        ("sin", 2 * np.sin(0.5) - 3 * np.sin(2.0) + 1),
    ],
)
def test_the_equations_by_hand(kind, expected):
    model = StructuralModel(kind, 0.0, k=2)
    model.weights, model.bias = np.array([2.0, -3.0]), 1.0
    assert model.logit(np.array([[0.5, 2.0]])) == pytest.approx([expected])


def test_the_interaction_leaves_the_squares_out():
    model = StructuralModel("interactive", 0.0, k=2)
    model.weights, model.bias = np.array([[100.0, 2.0], [-5.0, 100.0]]), 1.0
    assert model.logit(np.array([[0.5, 2.0]])) == pytest.approx([(2 - 5) * 0.5 * 2 + 1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_both_answers_occur_often_enough_to_learn(kind, seed):
    assert 0.2 < StructuralModel(kind, 0.5, seed).draw(2000, seed=9).finding.mean() < 0.8


def test_seeds_give_the_same_and_others_give_others():
    same = [StructuralModel("linear", 0.3, seed=1).draw(5, seed=2).x for _ in range(2)]
    assert np.array_equal(*same)
    assert not np.allclose(same[0], StructuralModel("linear", 0.3, seed=1).draw(5, seed=3).x)
    assert not np.allclose(same[0], StructuralModel("linear", 0.3, seed=2).draw(5, seed=2).x)


def test_what_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="no structural model is called 'cubic'; there are linear"):
        StructuralModel("cubic", 0.5)
    with pytest.raises(ValueError, match="strength must lie between 0 and 1, got 1.5"):
        StructuralModel("linear", 1.5)
