"""Disease sensitivity: evidence inside the annotation over all evidence, beside the annotation's share of the area."""

import numpy as np
import pytest

from engine.metrics.disease_sensitivity import disease_sensitivity
from engine.metrics.measure import NotMeasurable


def box(top, left, height, width, size=20):
    region = np.zeros((size, size), bool)
    region[top : top + height, left : left + width] = True
    return region


def test_evidence_inside_only_scores_one_and_outside_only_zero():
    region = box(2, 3, 5, 4)
    assert disease_sensitivity([(region * 2.0, [region])]).value == 1
    assert disease_sensitivity([((~region) * 2.0, [region])]).value == 0


def test_flat_and_random_evidence_score_the_area_share():
    random = np.random.default_rng(0)
    regions = [box(*random.integers(0, 10, 2), *random.integers(3, 10, 2)) for _ in range(60)]
    flat = disease_sensitivity([(np.ones((20, 20)), [region]) for region in regions])
    assert flat.value == pytest.approx(flat.chance) == np.mean(regions)
    noise = disease_sensitivity([(random.normal(size=(20, 20)), [region]) for region in regions])
    assert noise.value == pytest.approx(noise.chance, abs=0.02) and noise.low < noise.value < noise.high


def test_negative_evidence_does_not_count():
    evidence = np.full((20, 20), -9.0)
    evidence[0, 0], evidence[19, 19] = 1, 3
    assert disease_sensitivity([(evidence, [box(0, 0, 2, 2)])]).value == 0.25


def test_each_region_scores_alone_and_their_union_scores_together():
    first, second = box(0, 0, 4, 4), box(10, 10, 4, 4)
    evidence = 3.0 * first + 1.0 * second
    apart, together = (
        disease_sensitivity([(evidence, [first, second])]),
        disease_sensitivity([(evidence, [first | second])]),
    )
    assert (apart.value, apart.n, together.value, together.n) == (0.5, 2, 1, 1)
    assert apart.remark == "2 regions on 1 pictures" and apart.low is None  # one picture tells nothing about others


def test_regions_of_one_picture_and_pictures_of_one_patient_are_no_independent_evidence():
    random = np.random.default_rng(1)
    pictures = [(random.random() * box(0, 0, 5, 5) + 0.1, [box(0, 0, 5, 5)] * 4) for _ in range(12)]
    flat = [(evidence, regions[:1]) for evidence, regions in pictures]
    clustered, alone = disease_sensitivity(pictures), disease_sensitivity(flat)
    assert (clustered.low, clustered.high) == pytest.approx((alone.low, alone.high))
    assert disease_sensitivity(flat, groups=["a"] * 12).low is None


def test_a_map_without_positive_evidence_scores_zero():
    assert disease_sensitivity([(-np.ones((20, 20)), [box(0, 0, 3, 3)])]).value == 0


def test_regions_without_a_pixel_are_left_out_and_counted():
    measure = disease_sensitivity([(np.ones((20, 20)), [box(0, 0, 0, 0), box(0, 0, 4, 5)])])
    assert measure.n == 1 and "1 regions without a pixel" in measure.remark


def test_nothing_annotated_is_not_measurable():
    with pytest.raises(NotMeasurable, match="Edema has no annotated region on 2 pictures"):
        disease_sensitivity([(np.ones((4, 4)), []), (np.ones((4, 4)), [])], finding="Edema")


def test_a_region_on_another_grid_is_refused():
    with pytest.raises(ValueError, match=r"share one \(h, w\), got \(8, 8\) and \(20, 20\)"):
        disease_sensitivity([(np.ones((8, 8)), [box(0, 0, 4, 4)])])
