"""A measure that stands is complete, finite and ready for JSON."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from engine.discovery import declared
from engine.metrics.measure import Measure, NotMeasurable, metrics
from tests.places import ROOT


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


def test_every_metric_is_declared_where_it_is_measured():
    owners = declared("engine.metrics", "METRICS")
    assert tuple(owners) == metrics() and owners["recovery"] == owners["restraint"] == "engine.metrics.recovery"
    for name, module in owners.items():
        if module != "engine.metrics.measure":
            text = Path(import_module(module).__file__).read_text(encoding="utf-8")
            assert text.count(f'"{name}"') > 1, f"{module} declares {name} and makes no such row"


def test_results_are_read_without_the_libraries_of_the_measures():
    code = (
        "import sys; from engine.metrics.measure import Measure; Measure('ssim', '', 0.5, None, None, 3); "
        "print(*sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'sklearn', 'skimage', 'scipy'}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert ended.returncode == 0 and ended.stdout.strip() == "", ended.stderr
