"""Pixels changed: counted above 0.001 of the grey range."""

import numpy as np
import pytest

from engine.metrics.measure import NotMeasurable
from engine.metrics.pixels_changed import pixels_changed


def test_pixels_that_change_by_more_than_a_thousandth_of_the_range_count():
    before = np.zeros((2, 3, 3), np.float32)
    after = before.copy()
    after[0, 0] = (0.0019, -0.0021, 1.0)
    row = pixels_changed(before, after, 2.0, "Malignant")
    assert row.value == 1.0 and row.n == 2 and row.remark == "of 9 pixels"


def test_shapes_that_differ_and_no_pictures_are_refused():
    with pytest.raises(ValueError, match="must share"):
        pixels_changed(np.zeros((2, 3, 3)), np.zeros((2, 3, 4)), 1.0)
    with pytest.raises(NotMeasurable):
        pixels_changed(np.zeros((0, 3, 3)), np.zeros((0, 3, 3)), 1.0)
