"""The tree of regions refuses what cannot be, keeps its masks, and is written as JSON."""

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from engine.regions import Region, places_in_words, strongest_places

MASK = np.eye(8, 6, dtype=bool)


def nodule():
    """An image with two attributes that speak for the same diagnoses."""
    diagnoses = [Region(name, "diagnosis", score) for name, score in (("Malignant", 0.75), ("Benign", -0.25))]
    return Region(
        "Image",
        "image",
        0.5,
        ~MASK,
        (
            Region("Spiculation", "attribute", 4, MASK, tuple(diagnoses)),
            Region("Calcification", "attribute", np.float32(1), None, tuple(diagnoses[:1])),
        ),
    )


def test_the_tree_is_walked_each_region_before_its_parts():
    names = [region.name for region in nodule().walk()]
    assert names == ["Image", "Spiculation", "Malignant", "Benign", "Calcification", "Malignant"]
    assert [mask.tolist() for mask in nodule().masks()] == [(~MASK).tolist(), MASK.tolist()]


def test_the_tree_is_written_as_json_and_points_to_its_masks():
    record = json.loads(json.dumps(nodule().record(), allow_nan=False))
    assert (record["name"], record["level"], record["score"], record["mask"]) == ("Image", "image", 0.5, 0)
    spiculation, calcification = record["parts"]
    assert (spiculation["mask"], calcification["mask"]) == (1, None)
    assert spiculation["parts"][1] == {
        "name": "Benign",
        "level": "diagnosis",
        "score": -0.25,
        "mask": None,
        "parts": [],
    }


def test_a_counterfactual_score_is_written_where_there_is_one():
    region = Region("Image", "image", 0.9, None, (Region("Margin", "attribute", 0.75, counterfactual=0.25),))
    assert "counterfactual" not in region.record() and region.record()["parts"][0]["counterfactual"] == 0.25
    assert region.without_masks().parts[0].counterfactual == 0.25


def test_without_masks_names_and_scores_stay():
    bare = nodule().without_masks()
    assert bare.masks() == [] and [r.name for r in bare.walk()] == [r.name for r in nodule().walk()]


def test_a_region_cannot_be_changed_afterwards():
    mask = MASK.copy()
    region = Region("Image", "image", 0.5, mask, [Region("Edge", "attribute", 1.0)])
    mask[:] = True
    assert np.array_equal(region.mask, MASK) and isinstance(region.parts, tuple)
    with pytest.raises(ValueError, match="read-only"):
        region.mask[0, 0] = False
    with pytest.raises(FrozenInstanceError):
        region.score = 1.0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": " "}, "must have a name"),
        ({"level": "organ"}, "must be one of image, attribute, diagnosis"),
        ({"score": float("nan")}, "must be finite"),
        ({"score": float("inf")}, "must be finite"),
        ({"counterfactual": float("nan")}, "counterfactual score of region 'Image' must be finite"),
        ({"mask": MASK.astype(np.float32)}, "bool"),
        ({"mask": MASK[0]}, r"\(H, W\) or \(S, H, W\)"),
        ({"parts": (Region("a", "attribute", 1), Region("a", "attribute", 2))}, "different names"),
        ({"parts": (Region("a", "diagnosis", 1),)}, "must be of level attribute"),
        ({"parts": (Region("a", "image", 1),)}, "must be of level attribute"),
        ({"level": "diagnosis", "parts": (Region("a", "diagnosis", 1),)}, "must be of level none"),
    ],
)
def test_a_region_that_cannot_be_is_refused_in_a_sentence(fields, words):
    with pytest.raises(ValueError, match=words) as refused:
        Region(**{"name": "Image", "level": "image", "score": 0.5, **fields})
    assert "\n" not in str(refused.value)


def test_the_strongest_places_are_named_with_their_shares():
    shares = {"left MCA": 0.6, "left ACA": 0.25, "right PCA": 0.11, "right ACA": 0.04}
    places = [Region(name, "attribute", share, is_place=True) for name, share in shares.items()]
    tree = Region("Volume", "image", 0.9, parts=(Region("early attention", "attribute", 0.9), *places))
    assert strongest_places(tree, most=9) == [(name, share) for name, share in shares.items() if share >= 0.1]
    words = places_in_words(tree)
    assert "left MCA" in words and "60 %" in words and "left ACA" in words and "right" not in words
    assert places_in_words(None) == places_in_words(Region("Volume", "image", 0.9)) == ""
