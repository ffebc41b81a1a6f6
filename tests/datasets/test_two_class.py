"""Two classes of a collection: who takes part, as what, and that everything else about a picture stays as it was."""

from typing import ClassVar

import numpy as np
import pytest

from engine.datasets import SPLITS, open_collection
from engine.datasets.busi import BUSI
from engine.datasets.collection import Collection
from engine.datasets.two_class import TwoClass
from tests.datasets.test_busi import write_folder


class Told(Collection):
    """Labels alone, of two findings and every way to know or not to know of them."""

    name, kind, findings = "told", "unknown", ("A", "B")
    labels = np.array([[a, b] for a in (1, 0, np.nan) for b in (1, 0, np.nan)], np.float32)
    patients = np.arange(9).astype(str)
    attributes: ClassVar = {}

    def image(self, index, size=None):
        raise NotImplementedError

    def split(self, name):
        return np.arange(9)


@pytest.fixture
def frames(tmp_path):
    return BUSI(write_folder(tmp_path), findings=("Malignant", "Benign"))


def test_pictures_with_neither_take_no_part(frames):
    two, classes = TwoClass(frames, "Malignant", "Benign"), frames.attributes["class"]
    assert two.findings == ("Malignant",) and two.contrast_class == "Benign" and two.labels.shape == (30, 1)
    assert (two.labels[classes == "malignant"] == 1).all() and (two.labels[classes == "benign"] == 0).all()
    assert np.isnan(two.labels[classes == "normal"]).all()
    for part in SPLITS:
        assert set(classes[two.split(part)]) <= {"malignant", "benign"}
        assert two.split(part).tolist() == [i for i in frames.split(part) if classes[i] != "normal"]


def test_a_picture_with_both_has_the_finding_and_one_with_an_unknown_takes_no_part():
    two = TwoClass(Told(), "A", "B")
    assert np.array_equal(two.labels[:, 0], [1, 1, 1, 0, np.nan, np.nan, np.nan, np.nan, np.nan], equal_nan=True)
    assert two.split("all").tolist() == [0, 1, 2, 3]


def test_pictures_patients_and_masks_stay_as_they_are(frames):
    two = TwoClass(frames, "Malignant", "Benign")
    ill = int(np.flatnonzero(two.labels[:, 0] == 1)[0])
    assert np.array_equal(two.image(ill, 32), frames.image(ill, 32)) and np.array_equal(
        two.marks(ill), frames.marks(ill)
    )
    assert (two.mask(ill, "Malignant", 32) == frames.mask(ill, "Malignant", 32)).all()
    assert two.patients is frames.patients and two.attributes is frames.attributes and two.crop == "beam"


def test_unknown_and_equal_classes_are_refused_in_a_sentence(frames):
    with pytest.raises(ValueError, match="Malignant cannot be its own contrast class; name another finding of busi"):
        TwoClass(frames, "Malignant", "Malignant")
    with pytest.raises(ValueError, match="labelled for Malignant, Benign, not for Cyst"):
        TwoClass(frames, "Malignant", "Cyst")


def test_the_other_way_round_the_labels_are(frames):
    one, other = TwoClass(frames, "Malignant", "Benign"), TwoClass(frames, "Benign", "Malignant")
    assert np.array_equal(one.labels, 1 - other.labels, equal_nan=True)
    assert (
        open_collection("busi", frames.root, findings=("Benign", "Malignant")).split("test").tolist()
        == frames.split("test").tolist()
    )
