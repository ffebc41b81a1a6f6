"""Non-resemblance: high where the counterfactual differs, low where it does not, whichever way it differs."""

import numpy as np
import pytest

from engine.metrics.measure import NotMeasurable
from engine.metrics.non_resemblance import non_resemblance


def pictures(n=6):
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (n, 20, 20))
    lesion = np.zeros(x.shape, bool)
    lesion[:, 5:10, 5:15] = True
    return x, lesion


def by_region(rows):
    return {row.variant: row for row in rows}


def test_a_change_on_the_lesion_alone_is_all_inside():
    x, lesion = pictures()
    rows = by_region(non_resemblance(x, x - 0.5 * lesion, lesion, 2.0))
    values = {name: row.value for name, row in rows.items()}
    assert values == pytest.approx({"inside": 0.25, "outside": 0, "total": 0.125, "inside - outside": 0.25})


def test_brightening_and_darkening_do_not_cancel():
    x, lesion = pictures()
    change = np.where(np.arange(20) % 2, 0.4, -0.4)
    rows = by_region(non_resemblance(x, x + change, lesion, 2.0))
    assert rows["inside"].value == pytest.approx(0.2) and rows["outside"].value == pytest.approx(0.2)
    assert rows["inside - outside"].value == pytest.approx(0)


def test_the_difference_has_an_interval_that_tells_where_the_change_lies():
    x, lesion = pictures(30)
    random = np.random.default_rng(1)
    y = x + random.normal(size=x.shape) * (0.1 + 0.3 * lesion) * random.uniform(0.5, 1.5, (30, 1, 1))
    difference = non_resemblance(x, y, lesion, 2.0)[3]
    assert 0 < difference.low < difference.value < difference.high
    assert difference.remark == "" and difference.n == 30


def test_pictures_without_both_regions_are_left_out():
    x, lesion = pictures(3)
    lesion[0], lesion[1] = False, True
    rows = non_resemblance(x, x, lesion, 2.0)
    assert rows[0].n == 1 and rows[0].low is None and "2 of 3 pictures left out" in rows[0].remark
    with pytest.raises(NotMeasurable, match="none of 3 pictures has a lesion"):
        non_resemblance(x, x, np.zeros_like(lesion), 2.0)


def test_a_range_that_is_none_is_refused():
    x, lesion = pictures()
    with pytest.raises(ValueError, match="data_range must be above 0, got 0"):
        non_resemblance(x, x, lesion, 0)
