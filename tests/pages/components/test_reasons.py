"""The reasons of a classifier that reads attributes: numbers in words, names from a checkpoint as text."""

import pytest

from engine.look import AttributeEffect
from pages.components.reasons import effect_words, effects_chart, has_reasons, joined
from tests.pages.components.aligned_checkpoints import aligned
from tests.tiny_checkpoints import tiny


def effect(*names, share=0.62, rated=None):
    return AttributeEffect(names, share, rated)


def test_what_accounts_for_an_answer_is_a_sentence():
    both = effect("spiculation", "lobulation")
    assert effect_words(both, True) == "Spiculation and lobulation together account for 0.62 of this answer."
    assert effect_words(effect("margin", share=0.3), True) == "Margin accounts for 0.30 of this answer."
    assert effect_words(effect("margin"), False) == "The absence of margin accounts for 0.62 of this answer."


def test_three_names_are_joined_as_people_do():
    assert joined(["a", "b", "c"]) == "a, b and c" and joined(["a"]) == "a"


def test_the_chart_shows_the_best_sets_and_says_each_number():
    shown = effects_chart([effect("a", share=0.9 - 0.1 * k, rated=0.2) for k in range(9)], True)
    assert shown.count("role='img'") == 6 and "aria-label='a: 0.90, in the ratings 0.20'" in shown
    assert "radiologists" in shown and "radiologists" not in effects_chart([effect("a")], True)


@pytest.mark.parametrize(
    ("effects", "positive", "why"),
    [
        ([], True, "none that it reads is there"),
        ([], False, "all of them are there"),
        ([effect("a", share=0.0)], True, "stays"),
    ],
)
def test_an_answer_that_no_attribute_accounts_for_says_so(effects, positive, why):
    assert why in effects_chart(effects, positive) and "role='img'" not in effects_chart(effects, positive)


def test_names_from_a_checkpoint_are_text():
    shown = effects_chart([effect("<img src=x onerror=alert(1)>'")], True)
    assert "<img" not in shown and "&lt;img" in shown


def test_only_a_checkpoint_with_attributes_has_reasons(tmp_path):
    assert has_reasons(aligned(tmp_path / "aligned"))
    assert not has_reasons(tiny(tmp_path / "attri-net"))
