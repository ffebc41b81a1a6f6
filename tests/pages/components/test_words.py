"""Promises of the plain language: it says what the numbers say, and no more."""

from dataclasses import replace

import numpy as np
import pytest

from engine.explanation import Explanation, Path
from engine.metrics.measure import Measure
from engine.scan import Scan
from pages.components import words

RATES = [
    Measure("sensitivity", "Effusion", 0.77, 0.70, 0.83, 90),
    Measure("specificity", "Effusion", 0.84, 0.80, 0.88, 300),
]


def a_scan(spacing=None, **fields):
    return Scan.of(
        np.random.default_rng(0).uniform(0, 255, (60, 40)),
        spacing_mm=spacing,
        **fields,
        tags={"ViewPosition": "PA", "BodyPartExamined": "CHEST"},
    )


def explained(probability=0.83, without=0.2, evidence=None, score=0.5, bend=False):
    steps = np.array([0, 0.5, 1, 1.5], np.float32)
    change = np.zeros((8, 8), np.float32)
    change[:4] = -40.0
    changes = steps[:, None, None] * change
    if bend:
        changes[1] *= 0.2
    if evidence is None:
        evidence = np.zeros((8, 8), np.float32)
        evidence[6:, :4] = 1.0
    return Explanation(
        scan_sha256="0" * 64,
        checkpoint_sha256="1" * 64,
        checkpoint_identity="2" * 64,
        finding="Effusion",
        probability=probability,
        threshold=0.47,
        attribution=np.zeros((60, 40), np.float32),
        attribution_unit="log-odds per cell",
        attribution_limit=0.2,
        evidence=evidence,
        counterfactual=np.zeros((60, 40), np.float32),
        path=Path(
            steps, np.array([probability, (probability + without) / 2, without, without], np.float32), changes, 255.0
        ),
        in_distribution=(score, 1.0),
        seconds=0.1,
    )


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [
        (0.02, "far below"),
        (0.3, "below"),
        (0.45, "just below"),
        (0.47, "just below"),
        (0.5, "just above"),
        (0.7, "above"),
        (0.99, "far above"),
    ],
)
def test_the_degree_follows_the_distance_in_log_odds(probability, verdict):
    assert words.degree(probability, 0.47) == verdict


def test_a_positive_call_names_place_counterfactual_and_false_alarms():
    said = words.sentence(explained(), RATES)
    assert said == (
        "The model sees effusion. 100 % of its evidence lies in the lower left of the picture as it is shown. "
        "Without that change in the film it would say no. "
        "Of 100 films without effusion that it was not trained on, it wrongly calls 16 (12 to 20)."
    )


def test_on_a_frontal_film_the_side_is_the_patients():
    assert "in the lower left of the picture (the patient's right)." in words.sentence(explained(), RATES, facing=True)
    assert "the patient's right" in words.finding_view(explained(), a_scan(), RATES).sentence
    assert "as it is shown" in words.finding_view(explained(), replace(a_scan(), tags={}), RATES).sentence


def test_the_truth_is_recovered_wholly_in_part_or_not_at_all():
    truth = np.zeros((16, 16), np.float32)
    truth[4:9, 3:7] = -20
    assert words.recovered(truth, truth) == 1 and words.recovered(0 * truth, truth) == 0
    assert words.recovered(0.5 * truth, truth) == pytest.approx(0.5) and words.recovered(
        -truth, truth
    ) == pytest.approx(-1)


def test_a_negative_call_names_what_is_missed_and_no_evidence():
    said = words.sentence(explained(probability=0.2, without=0.1), RATES)
    assert (
        said
        == "The model does not see effusion. Of 100 films with effusion that it was not trained on, it misses 23 (17 "
        "to 30)."
    )


def test_an_error_too_rare_to_round_to_1_is_not_called_0():
    rare = [Measure("sensitivity", "Effusion", 1.0, 0.996, 1.0, 900)]
    assert words.sentence(explained(probability=0.2, without=0.1), rare).endswith(
        "not trained on, it misses fewer than 1."
    )
    some = [replace(rare[0], low=0.98)]
    assert words.sentence(explained(probability=0.2, without=0.1), some).endswith("it misses 0 (0 to 2).")


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        ("Lesion", "a lesion"),
        ("Pituitary tumour", "a pituitary tumour"),
        ("Nodule/Mass", "a nodule/mass"),
        ("Old fracture", "an old fracture"),
        ("Pneumonia", "pneumonia"),
        ("Pleural thickening", "pleural thickening"),
        ("Malignant", "malignant"),
    ],
)
def test_what_can_be_counted_has_an_article(finding, said):
    assert words.with_article(finding) == said
    of_it = [replace(row, finding=finding) for row in RATES]
    for probability, sees, pictures in ((0.83, "sees", "without"), (0.2, "does not see", "with")):
        text = words.sentence(replace(explained(probability, without=0.1), finding=finding), of_it)
        assert text.startswith(f"The model {sees} {said}.") and f"films {pictures} {said} that it" in text


def test_of_a_picture_that_is_normal_already_it_is_said_how_much_would_change():
    normal = replace(explained(probability=0.2, without=0.1), both_signs=True)
    assert "The film stays nearly as it is: 0.4 % of it would change." in words.sentence(normal, RATES, changed=0.004)
    assert "would not stay as it is: 30.0 %" in words.sentence(normal, RATES, changed=0.3)
    assert "% of it would change" in words.finding_view(normal, a_scan(), RATES).sentence


def test_a_call_that_the_counterfactual_does_not_undo_is_said_to_stay():
    assert "would still say yes (0.60)" in words.sentence(explained(without=0.6), RATES)


def test_a_model_whose_answer_does_not_move_shows_no_result():
    flat = explained(probability=0.474)
    flat = replace(flat, path=replace(flat.path, probabilities=np.full_like(flat.path.probabilities, 0.474)))
    assert (
        words.sentence(flat, RATES)
        == "The model has not learned effusion: its answer hardly depends on the film. No result is shown."
    )
    assert words.no_answer(flat, RATES) is words.NoAnswer.INDIFFERENT
    view = words.finding_view(flat, a_scan(), RATES)
    assert (
        view.unsure
        and view.verdict == "cannot tell"
        and not view.evidence.any()
        and not view.changes.any()
        and not view.facts
    )
    assert not words.finding_view(explained(), a_scan(), RATES).unsure


@pytest.mark.parametrize(
    ("low", "chance", "nothing"), [(0.37, 0.5, True), (0.5, 0.5, True), (0.51, 0.5, False), (0.37, None, False)]
)
def test_a_model_whose_auc_may_be_chance_shows_no_result(low, chance, nothing):
    rates = [*RATES, Measure("auc", "Effusion", 0.63, low, 0.83, 153, chance=chance)]
    assert words.no_answer(explained(), rates) is (words.NoAnswer.AUC_HOLDS_CHANCE if nothing else None)
    assert bool(words.learned_nothing(explained(), rates)) == nothing
    view = words.finding_view(explained(), a_scan(), rates)
    assert view.unsure == nothing and view.evidence.any() != nothing
    assert not nothing or f"its AUC is 0.63 ({low:.2f} to 0.83), and 0.50 is chance" in view.sentence


def test_findings_of_which_nothing_is_shown_are_named_with_their_intervals():
    auc = lambda finding, low: Measure("auc", finding, 0.63, low, 0.83, 153, chance=0.5)
    known = [auc("Edema", 0.41), auc("Effusion", 0.7), auc("Mass", 0.5)]
    said = words.withheld(("Edema", "Effusion", "Mass"), known)
    assert "edema (0.41 to 0.83) and a mass (0.50 to 0.83)" in said and "effusion" not in said
    assert words.withheld(("Effusion",), known) == ""


def test_a_counterfactual_that_makes_the_model_more_sure_is_called_a_failure():
    said = words.sentence(explained(probability=0.6, without=0.7), RATES)
    assert "Without it the model is more certain (0.70). The film without it explains nothing here." in said


def test_a_counterfactual_that_turns_a_no_into_a_yes_is_called_wrong():
    said = words.sentence(explained(probability=0.2, without=0.7), RATES)
    assert "the model would say yes of that (0.70)" in said
    assert "would say yes" not in words.sentence(explained(probability=0.2, without=0.1), RATES)


def test_evidence_that_speaks_against_a_call_is_not_said_to_carry_it():
    said = words.sentence(replace(explained(), evidence=-np.ones_like(explained().evidence)), RATES)
    assert "What speaks against it outweighs" in said and "% of its evidence" not in said


def test_numbers_are_not_promised_for_an_unlike_film_or_a_silent_card():
    assert words.sentence(explained(score=2.0), RATES).endswith(
        "This film is unlike those, so the number may not hold."
    )
    assert words.sentence(explained(), []).endswith("Its card does not say how often such calls are wrong.")


def test_a_model_of_drawn_films_calls_no_real_film_alike():
    assert words.likeness_badge((0.1, 1.0), "film", drawn=True) == ("trained on drawn films only", "bad")
    assert "drawn films only" in words.unlike((0.1, 1.0), "film", drawn=True)
    assert words.sentence(explained(score=0.1), RATES, drawn=True).endswith(
        "This film is unlike those, so the number may not hold."
    )
    assert words.unlike((0.5, 1.0), "film", False) == "" == words.unlike(None, "film", False)
    assert "unlike the slices" in words.unlike((1.5, 1.0), "slice", False)


def test_negative_evidence_never_counts_as_evidence_for():
    evidence = np.full((9, 8), -5.0, np.float32)
    assert words.whereabouts(evidence) is None
    evidence[0, 7] = 1.0
    assert words.whereabouts(evidence) == (1.0, "upper right")


def test_the_change_is_told_as_a_share_and_as_an_area_where_spacing_is_known():
    without_spacing = dict(words.facts(explained(), a_scan()))
    with_spacing = dict(words.facts(explained(), a_scan((2.0, 0.5))))
    assert without_spacing["changed at a = 1"] == "50.0 % of the film" and "that is" not in without_spacing
    assert without_spacing["counted from"] == "1.2 % of the grey range"
    assert with_spacing["that is"] == "1,200 mm\u00b2"  # 60 x 40 pixels of 1 square millimetre, half of them
    at_the_detector = dict(words.facts(explained(), a_scan((2.0, 0.5), spacing_at="detector")))
    assert at_the_detector["that is"] == "1,200 mm\u00b2 at the detector"


def test_a_straight_path_travels_as_one_picture_and_a_bent_one_whole():
    straight, bent = (words.finding_view(explained(bend=bend), a_scan(), RATES) for bend in (False, True))
    assert straight.changes.shape == (8, 8) and bent.changes.shape == (4, 8, 8)
    np.testing.assert_allclose(straight.changes, explained().path.changes[2])


def test_a_badge_says_how_far_a_scan_is_from_the_training_films():
    assert words.likeness_badge((0.5, 2.0)) == ("like the training films (distance 0.25 times the limit)", "good")
    assert words.likeness_badge((8.0, 2.0)) == ("unlike the training films (distance 4.0 times the limit)", "bad")
    assert words.likeness_badge((900.0, 2.0)) == (
        "unlike the training films (distance over 100 times the limit)",
        "bad",
    )
    assert words.likeness_badge((0.5, 2.0), "slice") == (
        "like the training slices (distance 0.25 times the limit)",
        "good",
    )
    assert words.likeness_badge(None) == ("training films not known", "warn")


def test_a_model_from_elsewhere_is_not_said_to_know_the_film_or_to_have_a_counterfactual():
    stranger = replace(explained(), counterfactual=None, path=None, in_distribution=None)
    said = words.sentence(stranger, RATES)
    assert said.endswith("Whether this one is like those is not known.") and "would" not in said
    view = words.finding_view(stranger, a_scan(), RATES)
    assert view.steps is None and view.changes is None and not view.facts


@pytest.mark.parametrize(
    ("kind", "said"),
    [("radiograph", "film"), ("MR", "slice"), ("CT", "slice"), ("ultrasound", "frame"), ("unknown", "picture")],
)
def test_only_a_radiograph_is_called_a_film(kind, said):
    assert words.noun(kind) == said
    scan = Scan.of(np.arange(400, dtype=np.float32).reshape(20, 20), kind=kind)
    assert dict(words.facts(explained(), scan))["changed at a = 1"].endswith(f"of the {said}")


def test_a_map_of_changes_is_not_called_evidence_for_the_finding():
    assert words.finding_view(explained(), a_scan(), []).evidence_title == ""
    changes = replace(explained(), both_signs=True)
    assert words.finding_view(changes, a_scan(), []).evidence_title == "Change towards normal"
    assert (
        words.finding_view(replace(changes, contrast_class="Benign"), a_scan(), []).evidence_title
        == "Change towards benign"
    )


@pytest.mark.parametrize(
    ("share", "said"),
    [(1.0, "100 % of the true change"), (0.0, "0 % of the true change"), (-0.2, "worse than no change")],
)
def test_recovery_is_said_as_a_share_of_the_true_change(share, said):
    assert words.recovery_words(share).startswith(said)
