"""Answer change by hand: the mean of the differences, the decisions that flip, and patients counted once."""

import numpy as np
import pytest

from engine.metrics.answer_change import answer_change

ASKED = 0.5, "Edema", "marker", ("absent", "present")


def test_mean_and_flips_by_hand():
    change, flips = answer_change(np.array([0.1, 0.4, 0.6, 0.9]), np.array([0.2, 0.6, 0.6, 0.3]), *ASKED)
    assert change.value == pytest.approx((0.1 + 0.2 + 0 - 0.6) / 4) and flips.value == 0.5
    assert change.subject == "Edema by marker: mean change of the probability, absent to present"
    assert change.low < change.value < change.high and 0 < flips.low < 0.5 < flips.high < 1


def test_many_pictures_of_few_patients_are_few_patients():
    random = np.random.default_rng(0)
    before, after = random.random((2, 60))
    alone = answer_change(before, after, *ASKED)
    thrice = answer_change(*(np.repeat(x, 3) for x in (before, after)), *ASKED, groups=np.repeat(np.arange(60), 3))
    for one, three in zip(alone, thrice):
        assert (three.low, three.high) == pytest.approx((one.low, one.high), abs=0.01)


def test_cases_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        answer_change(np.zeros(3), np.zeros(4), *ASKED)
    with pytest.raises(ValueError, match="n at least 1"):
        answer_change(np.zeros(0), np.zeros(0), *ASKED)
