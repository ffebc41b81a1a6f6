"""What is said of a marker: the map's number and the answer's stand in one sentence, and a clean map is no proof."""

from engine.metrics.measure import Measure
from engine.metrics.subjects import CHANGE, FLIPS, MEAN_MOVE
from engine.shortcuts import NO_PROOF, NO_PROOF_SYMBOL, both_numbers


def rows(covered, change=0.13, flips=0.127, low=0.116):
    return [
        Measure("confounder_sensitivity", "Cardiomegaly", covered, None, None, 187, chance=0.1),
        Measure(
            "effect",
            "Cardiomegaly",
            change,
            low,
            change + 0.02,
            300,
            attribute="marker",
            attribute_value="absent to present",
            variant=CHANGE,
        ),
        Measure("effect", "Cardiomegaly", flips, flips - 0.03, flips + 0.03, 300, attribute="marker", variant=FLIPS),
    ]


def test_both_numbers_stand_in_one_sentence():
    (said,) = both_numbers(rows(0.0))
    assert said.index("0.000") < said.index("+13.0 points (11.6 to 15.0)") < said.index(
        "12.7 of 100 decisions"
    ) and said.endswith(NO_PROOF)


def test_a_clean_map_is_called_no_proof_only_where_the_answer_moves():
    assert NO_PROOF not in both_numbers(rows(0.85))[0]
    assert NO_PROOF not in both_numbers(rows(0.0, change=0.0, flips=0.03, low=-0.01))[0]


def test_an_answer_that_nobody_measured_is_said_to_be_unknown():
    (said,) = both_numbers(rows(0.0)[:1])
    assert "was not measured" in said and NO_PROOF not in said


def test_only_the_findings_that_are_asked_about_are_named():
    assert both_numbers(rows(0.0), ["Edema"]) == [] == both_numbers(rows(0.0)[1:])


def symbol_rows(precision=0.79, moved=0.011, flips=0.0, low=0.0):
    return [
        Measure("cam_precision", "Malignant", precision, None, None, 120, chance=0.1),
        Measure("effect", "Malignant", moved, 0.5 * moved, 2 * moved, 120, attribute="symbol", variant=MEAN_MOVE),
        Measure("effect", "Malignant", flips, low, flips + 0.05, 120, attribute="symbol", variant=FLIPS),
    ]


def test_of_a_symbol_both_numbers_stand_in_one_sentence_too():
    (said,) = both_numbers(symbol_rows())
    assert said.index("79 %") < said.index("1.1 points (0.5 to 2.2)") < said.index("0.0 of 100 decisions flip")
    assert NO_PROOF_SYMBOL not in said


def test_a_map_in_the_region_is_called_no_proof_where_the_symbol_moves_the_answer():
    assert NO_PROOF_SYMBOL in both_numbers(symbol_rows(moved=0.12))[0]
    assert NO_PROOF_SYMBOL in both_numbers(symbol_rows(flips=0.2, low=0.1))[0]
    assert NO_PROOF_SYMBOL not in both_numbers(symbol_rows(precision=0.1, moved=0.5))[0]
    assert NO_PROOF_SYMBOL not in both_numbers(symbol_rows(flips=0.002, low=0.0004))[0]  # one of five hundred


def test_a_precision_without_a_symbol_says_nothing_of_one():
    assert both_numbers(symbol_rows()[:1]) == []


def test_the_sentence_rests_on_the_rows_that_the_method_makes():
    from engine.methods.causal_alignment.evaluate import MEAN_MOVE as WRITTEN

    assert WRITTEN is MEAN_MOVE
