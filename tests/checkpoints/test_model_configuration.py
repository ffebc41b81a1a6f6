"""What a model reads of its configuration is typed and checked in one place."""

from dataclasses import FrozenInstanceError, dataclass

import pytest

from engine.checkpoints.model_configuration import ModelConfiguration
from engine.explanation import CHANGE_LIMIT
from engine.preprocessing import Preprocessing


@dataclass(frozen=True)
class Sizes:
    size: int
    width: int = 4


CONFIG = {
    "findings": ["Edema", "Mass"],
    "network": {"size": 32, "width": 8},
    "preprocessing": {"size": 32},
    "thresholds": {"Mass": 0.25, "Edema": 1},
    "scales": {"Edema": 0.5, "Mass": 2},
}


def test_every_part_has_its_type_in_the_order_of_the_findings():
    read = ModelConfiguration.of({**CONFIG, "data": {"kind": "CT"}, "change_limit": 1}, Sizes)
    assert read.findings == ("Edema", "Mass") and read.network == Sizes(32, 8)
    assert read.preprocessing == Preprocessing(32)
    assert (read.thresholds, read.limits) == ((1.0, 0.25), (0.5, 2.0))
    assert (read.kind, read.change_limit) == ("CT", 1.0)
    with pytest.raises(FrozenInstanceError):
        read.kind = "MR"


def test_what_the_file_need_not_say_has_a_value():
    read = ModelConfiguration.of(CONFIG, Sizes)
    assert (read.kind, read.change_limit) == ("unknown", CHANGE_LIMIT)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"network": {"size": 64}}, ValueError),
        ({"network": {"colour": 3}}, TypeError),
        ({"preprocessing": {}}, TypeError),
        ({"thresholds": {"Mass": 0.5}}, KeyError),
        ({"scales": {}}, KeyError),
        ({"scales": {"Edema": "wide", "Mass": 1}}, ValueError),
    ],
)
def test_a_configuration_that_does_not_hang_together_is_refused(change, error):
    with pytest.raises(error):
        ModelConfiguration.of({**CONFIG, **change}, Sizes)
