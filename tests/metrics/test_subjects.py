"""A row's words are made from its fields; nothing takes them apart again."""

import ast

import pytest

from engine.metrics.measure import Measure
from engine.metrics.subjects import CHANGE, FLIPS, MEAN, Variant, subject
from tests.places import ROOT


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "all"),
        ({"finding": "Edema"}, "Edema"),
        ({"finding": "Edema", "variant": "otsu"}, "Edema, otsu"),
        ({"variant": MEAN}, "mean"),
        ({"attribute": "view_position", "attribute_value": "AP"}, "view_position AP"),
        ({"attribute": "view_position", "attribute_value": "AP", "variant": Variant.SUBGROUP}, "view position AP"),
        (
            {"finding": "Edema", "attribute": "sex", "attribute_value": "F", "variant": Variant.SUBGROUP_OF_SOME},
            "sex F (Edema only)",
        ),
        ({"attribute": "sex", "variant": MEAN}, "sex, mean"),
        ({"finding": "Edema", "variant": Variant.AUC}, "AUC of Edema"),
        (
            {"finding": "Edema", "attribute": "sex", "variant": Variant.AUC, "model": "beta-VAE"},
            "beta-VAE: sex: AUC of Edema",
        ),
        (
            {"finding": "Edema", "attribute": "sex", "attribute_value": "F", "variant": Variant.PROBABILITY},
            "probability of Edema, sex F",
        ),
        ({"attribute": "sex", "variant": Variant.NULL}, "sex: null intervention"),
        ({"attribute": "sex", "variant": Variant.LEFT_ALONE}, "pictures left as they are, sex"),
        ({"finding": "Edema", "variant": Variant.WITHOUT}, "pictures without Edema"),
        ({"finding": "Edema", "attribute": "sex"}, "Edema by sex"),
        ({"finding": "Edema", "attribute": "sex", "variant": FLIPS}, "Edema by sex: decisions that flip"),
        (
            {"finding": "Edema", "attribute": "sex", "attribute_value": "F to M", "variant": CHANGE},
            "Edema by sex: mean change of the probability, F to M",
        ),
        (
            {"finding": "Edema", "attribute": "sex", "attribute_value": "F", "variant": Variant.TRACE},
            "Edema: trace of the generator under F",
        ),
        (
            {"finding": "Edema", "attribute": "sex", "variant": Variant.SHOWN_HOLM, "limit": 0.05},
            "Edema by sex: pictures show no more than 5 of 100, Holm",
        ),
    ],
)
def test_the_words_of_a_row(fields, words):
    assert subject(**fields) == words
    row = Measure("effect", **{"finding": ""} | fields, value=0.5, low=None, high=None, n=3)
    assert row.subject == words and Measure.of_row(row.row()) == row


def test_below_its_title_a_row_says_only_the_rest():
    row = Measure("effect", "Edema", 0.5, None, None, 3, attribute="sex", variant=FLIPS)
    assert row.detail == FLIPS
    assert Measure("eca", "Edema", 0.5, None, None, 3, attribute="sex").detail == ""


def test_nothing_takes_a_rows_words_apart():
    """A subject may be shown, and compared with nothing: what a row is about stands in its fields."""
    taken = []
    for path in (file for part in ("engine", "pages") for file in sorted((ROOT / part).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            parts = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            if isinstance(node, ast.Attribute) and node.attr in TAKEN_APART:
                parts = [node.value]
            if isinstance(node, ast.Subscript):
                parts = [node.value]
            taken += [f"{path.relative_to(ROOT)}:{node.lineno}" for part in parts if _is_subject(part)]
    assert taken == []


TAKEN_APART = (
    "startswith",
    "endswith",
    "removeprefix",
    "removesuffix",
    "split",
    "rsplit",
    "partition",
    "rpartition",
    "find",
    "index",
)


def _is_subject(node: ast.AST) -> bool:
    if isinstance(node, ast.Tuple):
        return any(map(_is_subject, node.elts))
    return isinstance(node, ast.Attribute) and node.attr == "subject"
