"""IoU and Dice against values computed by hand, and the three rules that call a map's pixels."""

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from engine.metrics.measure import NotMeasurable
from engine.metrics.overlap import above, best_threshold, by_area, by_otsu, dice, iou


def squares(n=20, side=32, seed=0):
    """(n, side, side) bool: one 8 x 8 square in each."""
    random = np.random.default_rng(seed)
    truth = np.zeros((n, side, side), bool)
    for one, (row, column) in zip(truth, random.integers(0, side - 8, (n, 2))):
        one[row : row + 8, column : column + 8] = True
    return truth


def noisy(truth, strength=2.0, seed=1):
    return truth * strength + np.random.default_rng(seed).normal(size=truth.shape)


def test_half_covered_squares_score_one_third_and_one_half():
    truth = np.zeros((2, 8, 8), bool)
    truth[:, :4, :4] = True
    called = np.roll(truth, 2, axis=1)
    assert iou(called, truth).value == pytest.approx(1 / 3) and dice(called, truth).value == pytest.approx(1 / 2)
    assert iou(truth, truth).value == dice(truth, truth).value == 1
    assert iou(~truth, truth).value == dice(np.zeros_like(truth), truth).value == 0


def test_means_run_over_pictures_not_pixels():
    truth = np.zeros((2, 16, 16), bool)
    truth[0, :2, :2] = truth[1, :12, :12] = True
    called = truth.copy()
    called[0] = False
    assert iou(called, truth).value == dice(called, truth).value == 0.5


def test_pictures_without_truth_are_left_out_and_counted():
    truth = squares(4)
    truth[2] = False
    measure = iou(truth, truth)
    assert measure.n == 3 and measure.value == 1 and "1 of 4 pictures left out" in measure.remark
    with pytest.raises(NotMeasurable, match="none of 4 pictures has anything annotated"):
        dice(truth, np.zeros_like(truth))


def test_chance_is_what_calling_every_pixel_scores():
    truth = squares(5)
    for measure in (iou, dice):
        everything = measure(np.ones_like(truth), truth)
        assert everything.chance == pytest.approx(everything.value)


def test_the_interval_covers_the_mean_and_widens_when_pictures_share_a_patient():
    truth = squares(60)
    called = above(noisy(truth, np.linspace(1, 4, 60)[:, None, None]), 1.5)
    alone = iou(called, truth)
    together = iou(called, truth, groups=np.repeat(np.arange(6), 10).astype(str))
    assert alone.low < alone.value < alone.high
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    with pytest.raises(ValueError, match="one patient a picture, got 2 for 60"):
        iou(called, truth, groups=["a", "b"])


def test_otsu_agrees_with_scikit_image_within_one_level():
    maps = noisy(squares(12), np.linspace(0, 5, 12)[:, None, None])
    called = by_otsu(maps)
    for one, out in zip(maps, called):
        threshold = threshold_otsu(one, nbins=256)  # the middle of a level; ours is the level's edge
        assert np.abs(one[out != (one > threshold)] - threshold).max(initial=0) <= np.ptp(one) / 256


def test_otsu_calls_nothing_on_a_constant_map_and_is_blind_to_the_unit():
    maps = np.zeros((2, 16, 16), np.float32)
    maps[1] = np.random.default_rng(0).random((16, 16))
    assert not by_otsu(maps)[0].any() and by_otsu(maps)[1].any()
    assert (by_otsu(maps * 64 + 5) == by_otsu(maps)).mean() > 0.99


def test_the_area_rule_calls_as_many_pixels_as_the_truth_has_the_strongest():
    truth, maps = squares(10), noisy(squares(10))
    called = by_area(maps, truth)
    assert (called.sum(axis=(1, 2)) == truth.sum(axis=(1, 2))).all()
    assert all(one[out].min() >= one[~out].max() for one, out in zip(maps, called))


def test_the_area_rule_gives_a_constant_map_chance_rather_than_a_lucky_corner():
    truth = np.zeros((1, 64, 64), bool)
    truth[0, :32, :32] = True
    assert dice(by_area(np.zeros((1, 64, 64)), truth), truth).value == pytest.approx(0.25, abs=0.05)


def test_the_best_threshold_beats_its_neighbours_and_may_be_used_on_other_pictures():
    validation, test = squares(40), squares(40, seed=5)
    threshold = best_threshold(noisy(validation, 4), validation)
    tried = {t: dice(above(noisy(validation, 4), t), validation).value for t in np.linspace(0, 4, 41)}
    assert dice(above(noisy(validation, 4), threshold), validation).value > max(tried.values()) - 0.002
    assert dice(above(noisy(test, 4, seed=9), threshold), test).value == pytest.approx(max(tried.values()), abs=0.02)
    with pytest.raises(NotMeasurable, match="no threshold can be chosen"):
        best_threshold(noisy(validation), np.zeros_like(validation))


def test_two_thousand_pictures_are_walked_through_in_blocks_alike(monkeypatch):
    maps, truth = noisy(squares(30)), squares(30)

    def found():
        return (
            best_threshold(maps, truth),
            by_otsu(maps).tobytes(),
            by_area(maps, truth).tobytes(),
            iou(above(maps, 1.0), truth),
        )

    whole = found()
    monkeypatch.setattr("engine.metrics.stacks.BLOCK", 7 * 32 * 32)
    assert found() == whole


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda t: iou(t, t[:3]), r"share one \(N, H, W\), got called \(5, 32, 32\), truth \(3, 32, 32\)"),
        (lambda t: iou(t.astype(float), t), "called must be bool"),
        (lambda t: above(np.full((1, 4, 4), np.nan), 0), "maps must be finite"),
        (lambda t: by_area(t[0], t[0]), "must share one"),
    ],
)
def test_what_is_no_stack_of_pictures_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(squares(5))
