"""A measure that stands is complete, finite and ready for JSON."""

import json

import numpy as np
import pytest

from engine.metrics.measure import Measure, NotMeasurable


def test_a_row_has_the_fields_of_the_design_and_chance_and_paper_only_where_there_is_one():
    plain = Measure("auc", "Edema", 0.8, 0.7, 0.9, 12)
    assert plain.row() == {
        "metric": "auc",
        "subject": "Edema",
        "finding": "Edema",
        "value": 0.8,
        "low": 0.7,
        "high": 0.9,
        "n": 12,
    }
    full = Measure("auc", "Edema", 0.8, 0.7, 0.9, 12, chance=0.5).beside(paper=0.875).row()
    assert full["chance"] == 0.5 and full["paper"] == 0.875


def test_numpy_scalars_become_plain_numbers():
    row = Measure(
        "auc", "Edema", np.float32(0.5), np.float64(0.25), np.float64(0.75), np.int64(3), chance=np.float32(0.5)
    ).row()
    assert json.loads(json.dumps(row)) == row


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"metric": "area"}, "metric must be one of"),
        ({"value": float("nan")}, "value of auc for 'Edema' must be finite"),
        ({"chance": float("inf")}, "chance of auc"),
        ({"low": None}, "both be given"),
        ({"low": 0.95}, "runs backwards"),
        ({"n": 0}, "n = 0"),
    ],
)
def test_a_measure_that_cannot_be_true_is_refused(changed, says):
    fields = {"metric": "auc", "finding": "Edema", "value": 0.8, "low": 0.7, "high": 0.9, "n": 12} | changed
    with pytest.raises(ValueError, match=says):
        Measure(**fields)


def test_not_measurable_is_a_value_error():
    assert issubclass(NotMeasurable, ValueError)
