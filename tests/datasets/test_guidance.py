"""Guidance masks: the three pseudo forms, the four strategies, and that nothing of validation or test
reaches training.
"""

import numpy as np
import pytest

from engine.datasets.boxes import Box
from engine.datasets.chestxray8 import ChestXray8
from engine.datasets.collection import Collection
from engine.datasets.guidance import STRATEGIES, Guidance, bounding, central_square, coverage, union
from tests.places import REAL_SCANS

REAL = REAL_SCANS / "nih1000"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real films are not at {REAL}")

SIDE = 100  # every patient's box is one pixel of its own on a 100 x 100 grid, so a mask tells whose boxes made it


class Boxed(Collection):
    """100 patients with two pictures each, the first 50 boxed for "Mass" on both; 60/20/20 train,
    validation, test by turns.
    """

    name = "boxed"
    findings = ("Mass", "Edema")

    def __init__(self):
        self.patients = np.repeat([f"{i}" for i in range(100)], 2)
        self.pictures = np.array([f"p{i}" for i in range(200)])
        self.labels = np.tile(np.float32([1, 1]), (200, 1))
        self.attributes = {}
        turn = np.arange(200) // 2 % 5
        self._parts = {"train": turn < 3, "validation": turn == 3, "test": turn == 4, "all": turn >= 0}

    def image(self, index, size=None):
        return np.zeros((size or 8, size or 8), np.float32)

    def mask(self, index, finding, size):
        if finding != "Mass" or index >= 100:
            return None
        return pixel_box(self.pictures[index], self.patients[index]).mask(size)

    def split(self, name):
        return np.flatnonzero(self._parts[name])


class BoxedElsewhere(Boxed):
    """Knows boxes of 100 further pictures: of patients 0 to 49, present too, and of strangers 200 to 249,
    drawn lower down.
    """

    def boxes_elsewhere(self):
        return [pixel_box(f"q{patient}", f"{patient}", top=0.5) for patient in [*range(50), *range(200, 250)]]


def pixel_box(picture, patient, top=0.0):
    x = int(patient) % 100 / SIDE
    y = top + (0.2 if int(patient) >= 200 else 0)
    return Box(str(picture), str(patient), "Mass", x, y, x + 1 / SIDE, y + 1 / SIDE)


def patients_in(mask, row):
    return {str(column) for column in np.flatnonzero(mask[row])}


def two_masks():
    masks = np.zeros((2, 8, 8), bool)
    masks[0, 1:3, 1:3] = True
    masks[1, 2:6, 2:4] = True
    return masks


def test_the_binary_mask_is_the_union():
    first, second = two_masks()
    assert (union([first, second]) == (first | second)).all()


def test_the_weighted_mask_is_the_share_of_boxes_over_each_pixel():
    weighted = coverage(two_masks())
    assert weighted[2, 2] == 1 and weighted[1, 1] == 0.5 and weighted[0, 0] == 0 and weighted.dtype == np.float32


def test_the_bounding_box_holds_the_union_and_no_more():
    box = bounding(two_masks())
    assert box[1:6, 1:4].all() and box.sum() == 15


def test_the_loose_square_is_300_of_320():
    square = central_square(320)
    assert square[10:310, 10:310].all() and square.sum() == 300 * 300
    assert central_square(128).mean() == pytest.approx((300 / 320) ** 2, abs=0.02)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", [Boxed, BoxedElsewhere])
def test_no_mask_for_training_holds_a_box_of_validation_or_test_or_evaluation(kind, seed):
    collection = kind()
    guidance = Guidance(collection, seed=seed)
    apart = {str(p) for part in ("validation", "test") for p in collection.patients[collection.split(part)]}
    apart |= set(collection.patients[guidance.evaluation("Mass")])
    mask = guidance.pseudo("Mass", SIDE)
    for row in (0, 50):  # own boxes, and those of further pictures of the same patients
        assert not patients_in(mask, row) & apart
    assert patients_in(mask, 0) == guidance.training_patients


def test_boxes_of_strangers_are_used_and_those_of_kept_patients_are_not():
    guidance = Guidance(BoxedElsewhere(), most_pictures=1000)
    mask = guidance.pseudo("Mass", SIDE)
    assert mask[70].sum() == 50
    assert patients_in(mask, 50) == guidance.training_patients
    assert Guidance(Boxed()).pseudo("Mass", SIDE)[1:].sum() == 0


def test_four_in_ten_annotated_patients_are_for_training_whole_and_the_rest_for_evaluation():
    collection = Boxed()
    guidance = Guidance(collection)
    assert len(guidance.training_patients) == 20
    assert len(guidance.annotated("Mass")) == 40 and len(guidance.evaluation("Mass")) == 60
    assert set(guidance.annotated("Mass")) <= set(collection.split("train"))
    assert not set(collection.patients[guidance.annotated("Mass")]) & set(
        collection.patients[guidance.evaluation("Mass")]
    )
    assert (
        Guidance(collection, seed=1).training_patients
        != guidance.training_patients
        == Guidance(collection).training_patients
    )


def test_mixed_takes_the_own_annotation_where_it_may_and_the_pseudo_mask_elsewhere():
    collection = Boxed()
    guidance = Guidance(collection, "mixed")
    own = int(guidance.annotated("Mass")[0])
    assert (guidance.mask(own, "Mass", SIDE) == collection.mask(own, "Mass", SIDE)).all()
    for index in (int(guidance.evaluation("Mass")[0]), 150):  # annotated but kept for evaluation; not annotated
        assert (guidance.mask(index, "Mass", SIDE) == guidance.pseudo("Mass", SIDE)).all()
    assert (guidance.mask(own, "Edema", SIDE) == central_square(SIDE)).all()


def test_full_uses_every_training_annotation_and_nothing_else():
    collection = Boxed()
    guidance = Guidance(collection, "full")
    assert set(guidance.annotated("Mass")) == {i for i in collection.split("train") if i < 100}
    assert set(guidance.evaluation("Mass")) == {i for i in range(100) if i not in collection.split("train")}
    for index in range(0, 200, 7):
        allowed = index in guidance.annotated("Mass")
        assert (guidance.mask(index, "Mass", SIDE) is not None) == allowed
    assert guidance.mask(0, "Edema", SIDE) is None


def test_pseudo_gives_every_picture_the_same_mask_and_none_gives_nothing():
    pseudo, nothing = Guidance(Boxed(), "pseudo"), Guidance(Boxed(), "none")
    assert (pseudo.mask(0, "Mass", SIDE) == pseudo.mask(150, "Mass", SIDE)).all()
    assert nothing.mask(0, "Mass", SIDE) is None
    assert len(pseudo.annotated("Mass")) == len(nothing.annotated("Mass")) == 0


def test_a_pseudo_mask_is_made_of_at_most_so_many_pictures():
    assert Guidance(Boxed(), form="binary", most_pictures=4).pseudo("Mass", SIDE).sum() <= 4
    elsewhere = Guidance(BoxedElsewhere(), most_pictures=45).pseudo("Mass", SIDE)
    assert patients_in(elsewhere, 0) == Guidance(BoxedElsewhere()).training_patients  # the own 40 pictures come first
    assert 0 < elsewhere[1:].sum() <= 5


def test_annotations_that_lie_in_validation_make_masks_when_the_collection_says_so():
    class Segmented(Boxed):
        guidance_part = "validation"

    collection = Segmented()
    guidance = Guidance(collection)
    validation = set(collection.patients[collection.split("validation")]) & {f"{i}" for i in range(50)}
    assert patients_in(guidance.pseudo("Mass", SIDE), 0) == validation == guidance.training_patients
    assert len(guidance.annotated("Mass")) == 0
    assert not set(collection.patients[guidance.evaluation("Mass")]) & validation


def test_a_mask_handed_out_is_the_receivers_own():
    guidance = Guidance(Boxed(), "pseudo")
    guidance.mask(0, "Mass", SIDE)[:] = 9
    assert guidance.pseudo("Mass", SIDE).max() == 1


def test_unknown_strategies_and_forms_are_refused():
    with pytest.raises(ValueError, match="strategy must be one of none, full, pseudo, mixed, got 'some'"):
        Guidance(Boxed(), "some")
    with pytest.raises(ValueError, match="form must be one of binary, weighted, bounding, got 'soft'"):
        Guidance(Boxed(), form="soft")


@needs_real
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_on_the_real_selection_no_test_patients_box_guides(strategy):
    collection = ChestXray8(REAL, findings=("Pneumonia", "Cardiomegaly", "Consolidation"))
    guidance = Guidance(collection, strategy)
    unseen = {str(p) for part in ("validation", "test") for p in collection.patients[collection.split(part)]}
    assert not guidance.training_patients & unseen
    assert not {box.patient for box in guidance.borrowed} & unseen
    assert not np.intersect1d(guidance.annotated("Pneumonia"), guidance.evaluation("Pneumonia")).size
    if strategy != "full":
        assert (guidance.pseudo("Consolidation", 320) == central_square(320)).all()


@needs_real
def test_the_real_cardiomegaly_mask_lies_over_the_heart_and_is_as_large_as_the_papers():
    pytest.importorskip("torchxrayvision", reason="torchxrayvision, whose table has all boxes, is not installed")
    mask = Guidance(ChestXray8(REAL)).pseudo("Cardiomegaly", 320)
    assert mask.mean() == pytest.approx(0.51, abs=0.06)  # the published masks cover 0.51 of the picture
    assert mask[200, 170] == 1 and mask[20, 160] == 0 and mask[:, :5].sum() == 0
