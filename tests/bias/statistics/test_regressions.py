"""g and h: nobody is predicted by a fit that has seen them."""

import numpy as np
import pytest

from engine.bias.statistics.dependence import dependence
from engine.bias.statistics.regressions import FOLDS, LEARNERS, as_known_from, cross_fitted, folds


def leaning(n, seed, k=4, slope=1.0):
    random = np.random.default_rng(seed)
    z = random.standard_normal((n, k))
    return z, (random.random(n) < 1 / (1 + np.exp(-slope * z[:, 0]))).astype(int)


def test_a_patients_pictures_share_a_fold_and_folds_are_even():
    who = np.repeat(np.arange(50), 3)
    fold = folds(who, seed=0)
    assert all(len(set(fold[who == p])) == 1 for p in range(50))
    assert set(np.bincount(fold)) == {150 // FOLDS}


@pytest.mark.parametrize("learner", ["ridge", "boosting"])
def test_nobody_is_predicted_by_a_fit_that_has_seen_them(learner):
    """Each case's own prediction is turned round: what is predicted for it must not notice."""
    z, attribute = leaning(200, 2)
    predictions = (z[:, 1] > 0).astype(float)
    fold = folds(np.arange(200), 0)
    first = cross_fitted(predictions, attribute, z, 2, learner, fold, seed=0)
    turned = np.where(fold == 3, 1 - predictions, predictions)
    second = cross_fitted(turned, attribute, z, 2, learner, fold, seed=0)
    assert np.array_equal(first.g[fold == 3], second.g[fold == 3]) and np.array_equal(
        first.h[fold == 3], second.h[fold == 3]
    )
    assert not np.array_equal(first.g[fold != 3], second.g[fold != 3])
    assert np.array_equal(first.earlier[(fold > 0) & (fold <= 3)], second.earlier[(fold > 0) & (fold <= 3)])
    assert not np.array_equal(first.earlier[fold == 4], second.earlier[fold == 4])
    assert np.isnan(first.earlier[fold == 0]).all()


def test_every_learner_has_a_name_that_a_user_can_type():
    assert list(LEARNERS) == ["ridge", "kernel", "boosting", "forest", "mlp"]


def test_answers_and_attribute_that_both_bend_with_z_are_no_dependence():
    blamed = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        z = random.normal(0, 1, (300, 4))
        attribute = (random.random(300) < 1 / (1 + np.exp(-1.5 * (z[:, 1] ** 2 - 1)))).astype(int)
        predictions = 1 / (1 + np.exp(-(z[:, 0] + 0.5 * z[:, 1] ** 2 + random.normal(0, 1, 300))))
        g = as_known_from(z, np.stack([predictions, np.clip(predictions + 0.05, 0, 1)], 1), np.arange(300), seed)
        blamed += dependence(predictions, attribute, z, counterfactuals=g, seed=seed).log10_p <= np.log10(0.05)
    assert blamed <= 6  # 2 by chance; where h and e know straight lines only, most are blamed
