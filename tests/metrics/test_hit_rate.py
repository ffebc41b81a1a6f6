"""The pointing game: strongest point in the region, ties shared, nothing is a miss."""

import numpy as np
import pytest

from engine.metrics.hit_rate import hit_rate
from engine.metrics.measure import NotMeasurable


def region(size=10, rows=slice(2, 5), columns=slice(2, 6)):
    mask = np.zeros((size, size), bool)
    mask[rows, columns] = True
    return mask


def point(row, column, value=1.0, size=10):
    evidence = np.zeros((size, size))
    evidence[row, column] = value
    return evidence


def test_strongest_points_inside_are_counted_and_chance_is_the_area():
    row = hit_rate(
        [(point(3, 3), [region()]), (point(8, 8), [region()]), (point(8, 8, -1.0), [region()]), (point(3, 3), [])]
    )
    assert row.value == pytest.approx(1 / 3) and row.n == 3 and row.chance == pytest.approx(0.12)


def test_equal_points_share_and_any_of_the_regions_counts():
    both = point(3, 3) + point(8, 8)
    assert hit_rate([(both, [region()])]).value == 0.5
    assert hit_rate([(both, [region(), region(rows=slice(8, 9), columns=slice(8, 9))])]).value == 1


def test_without_a_region_there_is_nothing_to_point_at():
    with pytest.raises(NotMeasurable, match="Edema has no annotated region"):
        hit_rate([(point(1, 1), [])], finding="Edema")
