"""The card beside somebody else's model: what it must say, and one sentence for what cannot be."""

import json

import pytest

from engine.methods.onnx.card import UnusableCard, parsed
from engine.methods.onnx.tiny import CARD


def read(**changes):
    return parsed(json.dumps({key: value for key, value in {**CARD, **changes}.items() if value != "gone"}))


def test_findings_are_read_in_the_order_of_the_outputs_and_null_is_none():
    card = read(findings=["Glioma", None, "Pituitary"], output="softmax", operating_points={"Glioma": 0.3})
    assert card.interface.findings == {"Glioma": (0,), "Pituitary": (2,)}
    assert card.thresholds == {"Glioma": 0.3, "Pituitary": 0.5} and card.unstated == ("Pituitary",)


def test_a_finding_may_be_several_classes_that_exclude_each_other():
    assert read(findings={"Tumour": [0, 1, 3]}, output="softmax").interface.findings == {"Tumour": (0, 1, 3)}
    with pytest.raises(UnusableCard, match="only where they exclude each other"):
        read(findings={"Tumour": [0, 1]})


def test_without_grey_levels_every_picture_has_its_own_black_and_white():
    assert read().preprocessing.fixed is None
    assert read(grey_levels=[0, 255]).preprocessing.fixed == (0, 255)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"terms": "gone"}, "lacks terms"),
        ({"terms": "  "}, "terms must be a text"),
        ({"weather": "fine"}, "'weather', which means nothing here"),
        ({"findings": []}, "at least one finding"),
        ({"findings": "Edema"}, "at least one finding"),
        ({"findings": ["Edema", "Edema"]}, "named twice"),
        ({"findings": [None]}, "at least one finding"),
        ({"findings": {"Edema": -1}}, "whole numbers from 0"),
        ({"findings": {"Edema": 0.5}}, "whole numbers from 0"),
        ({"findings": {"Edema\n": 0}}, "printable"),
        ({"input_size": 100_000}, "from 16 to 2048"),
        ({"input_size": [224, 256]}, "only square"),
        ({"input_size": "large"}, "from 16 to 2048"),
        ({"input_size": True}, "from 16 to 2048"),
        ({"value_range": [1, 0]}, "must rise"),
        ({"value_range": [0]}, "list of 2 finite numbers"),
        ({"value_range": [0, 10**400]}, "list of 2 finite numbers"),
        ({"value_range": [0, "1"]}, "list of 2 finite numbers"),
        ({"channel_order": "CHWN"}, "NCHW or NHWC"),
        ({"channel_order": ["NCHW"]}, "NCHW or NHWC"),
        ({"colour": "blue"}, "grey or colour"),
        ({"colour": ["grey"]}, "colour|unhashable"),
        ({"output": "opinions"}, "one of probabilities, logits, softmax, class_logits"),
        ({"mean": [0.5, 0.5, 0.5]}, "mean must be a list of 1 finite"),
        ({"std": [0]}, "std must be above 0"),
        ({"kind": "selfie"}, "kind must be one of"),
        ({"collection": "my cupboard"}, "collection must be one of .*phantom"),
        ({"grey_levels": [255, 0]}, "must rise"),
        ({"operating_points": {"Gout": 0.5}}, "operating_points must be an object from findings"),
        ({"operating_points": {"Effusion": 2}}, "must lie in"),
    ],
)
def test_a_card_that_cannot_be_is_refused_in_a_sentence(changes, words):
    with pytest.raises(UnusableCard, match=words) as refused:
        read(**changes)
    assert "\n" not in str(refused.value) and str(refused.value).endswith(".")


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"findings": 1e999}', "9" * 5000])
def test_what_is_no_card_at_all_is_refused_in_a_sentence(text):
    with pytest.raises(UnusableCard) as refused:
        parsed(text)
    assert "\n" not in str(refused.value)
