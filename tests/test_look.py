"""What attributes account for: the classifier itself is asked, and only about what could be otherwise."""

import numpy as np
import pytest

from engine.look import Look, attribute_effects

VALUES = {"spiculation": 0.9, "lobulation": 0.8, "texture": 0.1}


def diagnose(several):
    """0.1, and 0.5 of spiculation and 0.3 of lobulation."""
    return [0.1 + 0.5 * v["spiculation"] + 0.3 * v["lobulation"] for v in several]


def test_a_positive_loses_what_is_there():
    found = {e.attributes: e.effect for e in attribute_effects(diagnose, VALUES, True)}
    whole = 0.1 + 0.45 + 0.24
    assert found[("spiculation",)] == pytest.approx(0.45 / whole)
    assert found[("spiculation", "lobulation")] == pytest.approx(0.69 / whole)
    assert not any("texture" in names for names in found)


def test_a_negative_gains_what_is_not_there():
    found = attribute_effects(diagnose, {"spiculation": 0.1, "lobulation": 0.9, "texture": 0.2}, False)
    assert found[0].attributes == ("spiculation",) and found[0].effect == pytest.approx(0.45 / (1 - 0.1 - 0.05 - 0.27))
    assert {names for e in found for names in e.attributes} == {"spiculation", "texture"}


def test_the_smaller_of_two_that_tie_comes_first():
    names = [e.attributes for e in attribute_effects(diagnose, VALUES | {"texture": 0.9}, True)]
    assert names.index(("spiculation", "lobulation")) < names.index(("spiculation", "lobulation", "texture"))


def test_nothing_that_could_be_otherwise_is_an_empty_list():
    assert attribute_effects(diagnose, dict.fromkeys(VALUES, 0.1), True) == []


def test_maps_and_attributes_belong_together():
    cam = np.zeros((4, 4), np.float32)
    assert Look("Malignant", 0.6, 0.5, cam, {"a": 0.1}, {"a": cam}).positive
    with pytest.raises(ValueError, match="every attribute has a map"):
        Look("Malignant", 0.6, 0.5, cam, {"a": 0.1}, {})
    with pytest.raises(ValueError, match="one"):
        Look("Malignant", 0.6, 0.5, cam, {"a": 0.1}, {"a": np.zeros((2, 2), np.float32)})
