"""Correlation of maps with truths: Pearson's, whatever the scale, and what has none."""

import numpy as np
import pytest

from engine.metrics.measure import NotMeasurable
from engine.metrics.ncc import correlations, ncc


def stack(n=12, seed=0):
    random = np.random.default_rng(seed)
    truth = random.random((n, 16, 16)) > 0.8
    return truth + random.normal(size=truth.shape) * 0.5, truth


def test_it_is_pearsons_correlation_of_each_picture():
    maps, truth = stack()
    expected = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(maps, truth)]
    assert np.allclose(correlations(maps, truth), expected)
    measure = ncc(maps, truth)
    assert (
        measure.value == pytest.approx(np.mean(expected))
        and measure.low < measure.value < measure.high
        and measure.n == 12
    )


def test_scale_and_offset_of_a_map_do_not_matter_but_its_sign_does():
    maps, truth = stack()
    assert ncc(3 * maps + 7, truth).value == pytest.approx(ncc(maps, truth).value)
    assert ncc(-maps, truth).value == pytest.approx(-ncc(maps, truth).value)
    assert ncc(truth * -0.25, truth * -1.0).value == pytest.approx(1)


def test_a_constant_map_scores_zero_and_a_constant_truth_is_left_out():
    maps, truth = stack(3)
    maps[0], truth[2] = 0.1, False
    measure = ncc(maps, truth)
    assert correlations(maps, truth)[0] == 0
    assert measure.n == 2 and "1 of 3 pictures left out" in measure.remark
    with pytest.raises(NotMeasurable, match="none of 3 pictures varies"):
        ncc(maps, np.zeros_like(truth))


def test_pictures_of_one_patient_count_together():
    maps, truth = stack(40)
    maps[:20] += truth[:20] * 3
    alone, together = ncc(maps, truth), ncc(maps, truth, groups=np.repeat(["a", "b", "c", "d"], 10))
    assert together.high - together.low > alone.high - alone.low
