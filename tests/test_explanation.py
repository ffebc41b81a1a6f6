"""The record that every method returns refuses what cannot be, and says the rest in JSON."""

import json

import numpy as np
import pytest

from engine.explanation import Explanation, Path, fitting_change_limit
from engine.regions import Region

STEPS = np.array([0, 0.5, 1, 1.5], np.float32)


def path(probabilities=(0.9, 0.7, 0.3, 0.1), steps=STEPS):
    return Path(
        np.asarray(steps, np.float32),
        np.asarray(probabilities, np.float32),
        np.zeros((len(steps), 4, 4), np.float32),
        255.0,
    )


def explanation(**changes):
    fields = {
        "scan_sha256": "a" * 64,
        "checkpoint_sha256": "b" * 64,
        "checkpoint_identity": "c" * 64,
        "finding": "Effusion",
        "probability": 0.9,
        "threshold": 0.5,
        "attribution": np.zeros((8, 6), np.float32),
        "attribution_unit": "log-odds per cell",
        "attribution_limit": 0.2,
        "evidence": np.zeros((4, 4), np.float32),
        "counterfactual": np.zeros((8, 6), np.float32),
        "path": path(),
        "in_distribution": (0.8, 1.5),
        "seconds": 0.012345,
    }
    return Explanation(**{**fields, **changes})


def test_the_flip_is_interpolated_where_the_probability_falls_to_the_threshold():
    assert path().flip(0.5) == pytest.approx(0.75)
    assert path().flip(0.7) == pytest.approx(0.5)
    assert path().flip(0.1) == pytest.approx(1.5)


def test_a_path_that_starts_below_or_never_falls_has_no_flip():
    assert path().flip(0.95) is None
    assert path().flip(0.9) is None  # not above the threshold to begin with
    assert path().flip(0.05) is None
    assert path((0.9, 0.9, 0.9, 0.9)).flip(0.5) is None


def test_the_first_of_several_crossings_is_the_flip():
    assert path((0.9, 0.1, 0.9, 0.1)).flip(0.5) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"steps": [0.25, 0.5, 1, 1.5]}, "rise strictly from 0"),
        ({"steps": [0, 0.5, 0.5, 1]}, "rise strictly from 0"),
        ({"steps": [0, 1, 0.5, 2]}, "rise strictly from 0"),
        ({"probabilities": (0.9, 0.1)}, "must agree in length"),
    ],
)
def test_a_path_that_does_not_hang_together_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        path(**wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"probability": 1.01}, "probability must lie in"),
        ({"probability": float("nan")}, "probability must lie in"),
        ({"attribution": np.zeros((6, 8), np.float32)}, "must share one"),
        ({"attribution": np.zeros((1, 8, 6), np.float32)}, "must share one"),
        ({"attribution": np.zeros(8, np.float32), "counterfactual": None, "path": None}, "must share one"),
        ({"evidence": np.zeros((2, 4, 4), np.float32)}, "both be of a picture or of a volume"),
        ({"regions": Region("Chest", "attribute", 0.5)}, "begin with the image"),
        ({"regions": Region("Chest", "image", 0.5, np.zeros((6, 8), bool))}, "the scan's own grid"),
        (
            {
                "regions": Region(
                    "Chest", "image", 0.5, parts=(Region("Edge", "attribute", 1.0, np.zeros((1, 8, 6), bool)),)
                )
            },
            "the scan's own grid",
        ),
        ({"path": None}, "both be there or both be None"),
        ({"counterfactual": None}, "both be there or both be None"),
        ({"attribution": np.full((8, 6), np.nan, np.float32)}, "must be finite"),
    ],
)
def test_an_explanation_that_cannot_be_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        explanation(**wrong)


def test_the_call_is_positive_strictly_above_the_threshold():
    assert explanation(probability=0.51).positive
    assert not explanation(probability=0.5).positive


def test_a_scan_at_the_limit_is_still_like_the_training():
    assert explanation(in_distribution=(1.5, 1.5)).like_training
    assert not explanation(in_distribution=(1.51, 1.5)).like_training
    drawn = explanation(in_distribution=(0.1, 1.5), only_drawn=True)
    assert drawn.like_training is False
    said = {"score": 0.1, "limit": 1.5, "like_training": False, "only_drawn": True}
    assert drawn.record()["in_distribution"] == said


def test_a_method_without_counterfactuals_or_known_training_says_null():
    alone = explanation(counterfactual=None, path=None, in_distribution=None)
    assert alone.like_training is None
    record = json.loads(json.dumps(alone.record(), allow_nan=False))
    assert record["path"] is None and record["in_distribution"] is None


def test_the_record_is_strict_json_without_pictures():
    record = json.loads(json.dumps(explanation().record(), allow_nan=False))
    assert record["positive"] is True and record["probability"] == 0.9
    assert record["path"]["flip"] == pytest.approx(0.75) and len(record["path"]["steps"]) == 4
    assert record["in_distribution"] == {"score": 0.8, "limit": 1.5, "like_training": True}
    assert not any(isinstance(value, list) and len(value) > 10 for value in record.values())


def test_a_volume_is_explained_on_its_own_grid():
    changes = np.zeros((4, 2, 4, 4), np.float32)
    made = explanation(
        attribution=np.zeros((5, 8, 6), np.float32),
        counterfactual=np.zeros((5, 8, 6), np.float32),
        evidence=np.zeros((2, 4, 4), np.float32),
        path=Path(STEPS, np.full(4, 0.5, np.float32), changes, 2000.0),
        regions=Region("Chest", "image", 0.5, np.ones((5, 8, 6), bool)),
    )
    assert made.attribution.shape == (5, 8, 6) and made.without_pictures().attribution is None


def test_the_record_names_weights_and_configuration_and_holds_the_regions():
    edge = Region("Edge", "attribute", 1.5, np.eye(8, 6, dtype=bool), (Region("Malignant", "diagnosis", 0.25),))
    made = explanation(regions=Region("Image", "image", 0.75, None, (edge,)))
    record = json.loads(json.dumps(made.record(), allow_nan=False))
    assert (record["checkpoint_sha256"], record["checkpoint_identity"]) == ("b" * 64, "c" * 64)
    assert record["regions"] == made.regions.record() and record["regions"]["parts"][0]["mask"] == 0
    left = made.without_pictures()
    assert left.regions.masks() == [] and left.regions.parts[0].parts[0].score == 0.25
    assert explanation().record()["regions"] is None


def test_numbers_of_numpy_are_written_as_json_too():
    numbers = {"probability": np.float32(0.9), "threshold": np.float32(0.5), "seconds": np.float64(1)}
    made = explanation(in_distribution=(np.float32(1), np.float32(2)), **numbers)
    json.dumps(made.record(), allow_nan=False)


def test_records_cannot_be_changed_afterwards():
    with pytest.raises(AttributeError):
        explanation().probability = 0.1


@pytest.mark.parametrize(("largest", "limit"), [(0.62, 0.35), (0.6, 0.3), (1e-4, 0.05), (5.0, 1.0)])
def test_the_colour_bar_of_changes_fits_them_and_ends_at_a_round_share(largest, limit):
    changes = np.zeros((50, 4, 4), np.float32)
    changes[:, 1, 2] = -largest
    assert fitting_change_limit(changes, grey_range=2.0) == pytest.approx(limit)


def test_a_path_without_a_grey_range_is_refused():
    with pytest.raises(ValueError, match="grey_range"):
        Path(STEPS, np.zeros(4, np.float32), np.zeros((4, 4, 4), np.float32), 0.0)
