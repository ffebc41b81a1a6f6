"""Masked SSIM: sees what changes beside the lesion, and nothing of what changes on it."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from engine.metrics.measure import NotMeasurable
from engine.metrics.ssim import masked_ssim


def pictures(n=4, side=48, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, side, side)).astype(np.float32) * 0.2
    lesion = np.zeros(x.shape, bool)
    lesion[:, 10:22, 14:26] = True
    return x, lesion


def test_whatever_happens_on_the_lesion_alone_scores_one():
    x, lesion = pictures()
    assert masked_ssim(x, np.where(lesion, 5, x), lesion, 2.0).value == pytest.approx(1)


def test_removed_pixels_do_not_count_as_perfect():
    x, lesion = pictures()
    noise = np.random.default_rng(1).normal(size=x.shape) * 0.2
    large = lesion.copy()
    large[:, :, 10:] = True
    small = masked_ssim(x, x + noise, lesion, 2.0).value
    assert small < 0.9
    assert masked_ssim(x, x + noise, large, 2.0).value == pytest.approx(small, abs=0.08)


def test_without_a_lesion_it_is_the_ssim_of_wang_et_al():
    x, _ = pictures()
    y = x + np.random.default_rng(2).normal(size=x.shape).astype(np.float32) * 0.1
    settings = {"data_range": 2.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = [structural_similarity(a.astype(float), b.astype(float), **settings) for a, b in zip(x, y)]
    measure = masked_ssim(x, y, np.zeros(x.shape, bool), 2.0)
    assert measure.value == pytest.approx(np.mean(expected), abs=1e-6)
    assert measure.low < measure.value < measure.high and measure.n == 4


def test_more_noise_scores_less_and_the_range_sets_the_scale():
    x, lesion = pictures()
    noise = np.random.default_rng(1).normal(size=x.shape)
    weak, strong = (masked_ssim(x, x + s * noise, lesion, 2.0).value for s in (0.05, 0.2))
    assert weak > strong
    assert masked_ssim(100 * x, 100 * (x + 0.2 * noise), lesion, 200.0).value == pytest.approx(strong, abs=1e-5)


def test_a_picture_that_is_all_lesion_is_left_out():
    x, lesion = pictures()
    lesion[1] = True
    measure = masked_ssim(x, x, lesion, 2.0)
    assert measure.n == 3 and measure.remark == "1 of 4 pictures left out: all lesion"
    with pytest.raises(NotMeasurable, match="none of 4 pictures"):
        masked_ssim(x, x, np.ones_like(lesion), 2.0)


@pytest.mark.parametrize(
    ("side", "data_range", "sentence"), [(48, 0, "data_range must be above 0"), (10, 2, "at least 11 pixels")]
)
def test_what_has_no_ssim_is_refused(side, data_range, sentence):
    x = np.zeros((1, side, side))
    with pytest.raises(ValueError, match=sentence):
        masked_ssim(x, x, x > 0, data_range)
