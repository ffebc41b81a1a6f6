"""CAM precision: the area above half of the largest value, and how much of it is inside."""

import numpy as np
import pytest

from engine.metrics.cam_precision import cam_precision, precision_of
from engine.metrics.measure import NotMeasurable


def maps():
    cam, region = np.zeros((4, 4)), np.zeros((4, 4), bool)
    cam[0] = (1.0, 0.6, 0.5, 0.2)  # two above half of the largest
    region[:, 0] = True
    return cam, region


def test_the_area_is_what_exceeds_half_of_the_largest_value():
    cam, region = maps()
    assert precision_of(cam, region) == 0.5 == precision_of(7 * cam, region)
    assert precision_of(cam, np.ones((4, 4), bool)) == 1


def test_a_map_without_evidence_is_no_hit():
    assert precision_of(np.zeros((4, 4)), np.ones((4, 4), bool)) == 0 == precision_of(-maps()[0], maps()[1])


def test_pictures_without_a_region_are_left_out_and_chance_is_its_area():
    cam, region = maps()
    row = cam_precision([(cam, region), (cam, np.zeros((4, 4), bool)), (cam, ~region)], "Malignant")
    assert row.value == 0.5 and row.n == 2 and row.chance == 0.5 and "half" in row.remark
    with pytest.raises(NotMeasurable, match="no marked region"):
        cam_precision([(cam, np.zeros((4, 4), bool))])
    with pytest.raises(ValueError, match="share one"):
        cam_precision([(cam, region[:2])])
