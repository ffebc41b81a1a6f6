"""Checkpoints of earlier versions open under today's names, and no other place knows the old ones."""

import json

import pytest

from engine.checkpoints.resolve import shipped, shipped_folder
from engine.classifiers.resnet50 import Preset
from engine.configuration import UnusableConfiguration, parsed, tensor_name
from engine.methods.cit_lr.training_data import PRESETS
from engine.registry import method
from engine.training.presets import with_changes

OLD = {
    "format": 1,
    "method": "foreign",
    "findings": ["effusion"],
    "network": {"width": 4, "judge_width": 8},
    "preprocessing": {"size": 64, "reach": 0.8},
    "thresholds": {"effusion": 0.5},
    "weights_sha256": "0" * 64,
    "diffusion": {"reach": 0.7, "hops": 8, "mends": 2},
    "strength": 0.005,
    "against": "nodule",
}


def read(config):
    return parsed(json.dumps(config), ["onnx", "cit_lr"])


def test_old_names_are_read_under_todays_with_the_values_that_stand_there():
    now = read(OLD)
    assert now["method"] == "onnx" and now["contrast_class"] == "nodule" and now["perturbation_scale"] == 0.005
    assert now["preprocessing"] == {"size": 64, "value_range": 0.8}
    assert now["network"] == {"width": 4, "oracle_width": 8}
    assert now["diffusion"] == {"strength": 0.7, "num_steps": 8, "fixed_point_iterations": 2}
    assert "against" not in now and "strength" not in now


def test_todays_names_stay():
    assert read(read(OLD)) == read(OLD)


def test_a_setting_under_both_names_is_refused():
    with pytest.raises(UnusableConfiguration, match="reach"):
        read({**OLD, "preprocessing": {"size": 64, "reach": 0.8, "value_range": 0.9}})


@pytest.mark.parametrize("name", shipped())
def test_what_was_shipped_is_read_under_todays_names(name):
    text = (shipped_folder() / name / "config.json").read_text(encoding="utf-8")
    now, written = parsed(text, [json.loads(text)["method"]]), json.loads(text)
    for part in ("preprocessing", "diffusion"):
        assert [*now.get(part, {}).values()] == [*written.get(part, {}).values()]
    assert "value_range" in now["preprocessing"]
    if "diffusion" in now:
        assert [*now["diffusion"]][2:] == ["strength", "num_steps", "fixed_point_iterations"]
        assert "perturbation_scale" in now and "strength" not in now


def test_tensors_are_read_under_todays_names():
    assert tensor_name("likeness.mean") == "out_of_distribution.mean" == tensor_name("out_of_distribution.mean")
    assert tensor_name("judge.first.weight") == "oracle.first.weight"
    assert tensor_name("net.judge.likeness.weight") == "net.judge.likeness.weight"


@pytest.mark.parametrize(
    ("preset", "old", "new"),
    [
        (PRESETS["demo"], "reach", "strength"),
        (PRESETS["demo"], "hops", "num_steps"),
        (Preset(), "reach", "value_range"),
    ],
)
def test_an_old_setting_on_the_command_line_is_todays(preset, old, new):
    value = type(getattr(preset, new))(1)
    assert with_changes(preset, {old: str(value)}) == with_changes(preset, {new: str(value)}) != preset


def test_a_method_is_found_under_its_old_name():
    assert method("foreign") is method("onnx")
