"""Other papers' tests: each keeps its size where its assumptions hold, and is blind where its paper says so."""

import numpy as np
import pytest

from engine.bias.statistics.comparisons import COMPARISONS


def samples(count, effect=0.0, turned=False, labels=False, m=2):
    for seed in range(count):
        random = np.random.default_rng(seed)
        z, codes = random.standard_normal((300, 3)), random.integers(0, m, 300)
        moved = effect * (codes - (m - 1) / 2) * (np.sign(z[:, 2]) if turned else 1)
        logit = 0.5 * z[:, 0] + moved + random.standard_normal(300)
        yield ((logit > 0).astype(float) if labels else 1 / (1 + np.exp(-logit))), codes, z


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("m", [2, 3])
def test_without_dependence_few_are_found_and_with_one_most(name, m):
    test = COMPARISONS[name]
    assert sum(test(*one) <= 0.05 for one in samples(24, m=m)) <= 5  # 1.2 expected
    assert sum(test(*one) <= 0.05 for one in samples(12, effect=1.0, m=m)) >= 9


def test_the_covariance_measure_sees_no_effect_that_changes_sign_and_the_projected_one_does():
    found = {
        name: sum(COMPARISONS[name](*one) <= 0.05 for one in samples(15, effect=1.6, turned=True))
        for name in ("GCM", "PCM")
    }
    assert found["GCM"] <= 4 and found["PCM"] >= 10


def test_the_likelihood_ratio_takes_labels_and_constants():
    test = COMPARISONS["likelihood ratio"]
    assert sum(test(*one) <= 0.05 for one in samples(24, labels=True)) <= 5
    _predictions, codes, z = next(samples(1))
    assert test(np.full(300, 0.4), codes, z) == 1
