"""h and e: they bend where attribute and answer do, and stay at the groups' shares where nothing is to be known."""

import numpy as np
import pytest

from engine.bias.statistics.nuisances import nuisances, splits, terms
from engine.bias.statistics.regressions import folds, standardised


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


SHAPES = {
    "line": lambda z: z[:, 0],
    "product": lambda z: 1.5 * z[:, 0] * z[:, 1],
    "threshold": lambda z: 2.0 * (z[:, 0] > 0.5) - 0.8,
    "wave": lambda z: 1.5 * np.sin(2 * z[:, 0]),
    "same side": lambda z: np.where(z[:, 0] * z[:, 1] > 0, 1.2, -1.2),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("k", [3, 12])
def test_e_and_h_follow_the_shape(shape, k):
    random = np.random.default_rng(0)
    z = random.standard_normal((1500, k))
    truth = sigmoid(SHAPES[shape](z))
    codes = (random.random(1500) < truth).astype(int)
    predictions = sigmoid(SHAPES[shape](z) + random.standard_normal(1500))
    found = nuisances(predictions, codes, standardised(z), folds(np.arange(1500), 0))
    assert np.allclose(found.e.sum(1), 1)
    assert np.mean((found.e[:, 1] - truth) ** 2) < 0.16 * truth.var()
    assert np.corrcoef(found.h, truth)[0, 1] > 0.9


def test_an_attribute_that_is_independent_of_the_representation_keeps_its_shares():
    random = np.random.default_rng(0)
    z, codes = random.standard_normal((900, 4)), random.choice(3, 900, p=(0.2, 0.3, 0.5))
    found = nuisances(random.random(900), codes, z, folds(np.arange(900), 0))
    assert np.abs(found.e - np.bincount(codes) / 900).mean() < 0.03
    assert np.abs(found.h - 0.5).mean() < 0.03


def test_nobody_is_predicted_by_a_fit_that_has_seen_them():
    """The answers of one fold are turned round: h and e of that fold can learn of it by a handful of weights alone."""
    random = np.random.default_rng(1)
    z = random.standard_normal((400, 4))
    codes, fold = (random.random(400) < sigmoid(z[:, 0])).astype(int), folds(np.arange(400), 0)
    noise = random.random(400)
    first = nuisances(noise, codes, z, fold)
    assert abs(np.corrcoef(first.h, noise)[0, 1]) < 0.1  # noise cannot be foretold; what has seen it would
    assert abs(np.corrcoef(first.e[:, 1] - sigmoid(z[:, 0]), codes - sigmoid(z[:, 0]))[0, 1]) < 0.15


def test_the_adjustment_leaves_room_for_the_cases():
    random = np.random.default_rng(2)
    z, codes = random.standard_normal((60, 20)), random.integers(0, 2, 60)
    assert nuisances(random.random(60), codes, z, folds(np.arange(60), 0)).adjustment.shape[1] <= 6


def test_terms_are_standardised_and_pairs_stand_last():
    z = np.random.default_rng(3).standard_normal((200, 3))
    found = terms(z)
    assert found.shape == (200, 3 * 30 + 2 * 3)
    assert np.allclose(found.mean(0), 0) and np.allclose(found.std(0), 1)
    assert np.allclose(found[:, -6], standardised((z[:, 0] * z[:, 1])[:, None])[:, 0])
    assert splits(z, [(0, 2)]).shape == (200, 49) and splits(z, []).shape == (200, 0)


def test_boosted_trees_are_a_candidate_for_any_number_of_values():
    random = np.random.default_rng(4)
    z = random.standard_normal((150, 3))
    for m in (2, 3):
        found = nuisances(random.random(150), random.integers(0, m, 150), z, folds(np.arange(150), 0), trees=True)
        assert found.e.shape == (150, m) and np.allclose(found.e.sum(1), 1) and found.e.min() > 0
