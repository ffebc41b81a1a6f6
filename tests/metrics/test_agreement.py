"""Two maps of one scan, and a map against a region."""

import numpy as np
import pytest

from engine.metrics.agreement import boxes, overlap, rank_correlation, region_score, strongest, strongest_overlap

RNG = np.random.default_rng(0)
MAP = RNG.normal(size=(40, 50))


def test_the_strongest_tenth_is_a_tenth_and_above_all_others():
    called = strongest(MAP)
    assert called.sum() == 200 and MAP[called].min() >= MAP[~called].max()


def test_what_is_not_above_zero_is_never_called():
    assert not strongest(np.zeros((10, 10))).any() and not strongest(-np.ones((10, 10))).any()
    few = np.zeros((10, 10))
    few[2, 3] = 1
    assert strongest(few).sum() == 1


def test_a_map_agrees_with_itself_and_not_with_its_negative():
    assert strongest_overlap(MAP, MAP) == 1 and rank_correlation(MAP, 3 * MAP + 1) == pytest.approx(1)
    assert strongest_overlap(MAP, -MAP) == 0 and rank_correlation(MAP, -MAP) == pytest.approx(-1)


def test_unrelated_maps_overlap_by_chance():
    found = [strongest_overlap(RNG.random((60, 60)), RNG.random((60, 60))) for _ in range(20)]
    assert np.mean(found) == pytest.approx(0.1 / 1.9, abs=0.01)


def test_a_constant_map_has_no_rank():
    assert rank_correlation(MAP, np.ones_like(MAP)) is None


def test_overlap_worked_out_by_hand():
    one, other = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    one[:2], other[1:3] = True, True
    assert overlap(one, other) == pytest.approx(4 / 12) and overlap(one & ~one, other & ~other) == 0


def test_boxes_lie_around_the_parts_the_largest_first():
    mask = np.zeros((30, 30), bool)
    mask[2:6, 3:9] = True
    mask[10:20, 12:25] = True
    mask[28, 28] = True  # less than a tenth
    assert boxes(mask) == [(10, 12, 20, 25), (2, 3, 6, 9)] and boxes(mask & ~mask) == []


def test_a_map_of_the_region_scores_perfectly_and_one_beside_it_nothing():
    region = np.zeros((20, 20), bool)
    region[4:9, 6:11] = True
    perfect, beside = region_score(region.astype(float), region), region_score(np.roll(region, 10, 0) * 1.0, region)
    assert (perfect.iou, perfect.hit, perfect.mass) == (1, True, 1) and perfect.chance == region.mean()
    assert (beside.iou, beside.hit, beside.mass) == (0, False, 0)


def test_a_map_without_anything_for_the_finding_has_no_mass():
    region = np.ones((5, 5), bool)
    score = region_score(-np.ones((5, 5)), region)
    assert score.mass is None and not score.hit and score.iou == 0


def test_an_empty_region_is_refused():
    with pytest.raises(ValueError, match="not empty"):
        region_score(MAP, np.zeros_like(MAP, bool))
