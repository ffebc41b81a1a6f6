"""Promises of what a resumed training compares: other data are told apart, the same data in another place are not."""

import json

import numpy as np
import pytest

from engine.datasets import open_collection
from engine.datasets.identity import PICTURES, agree, data_settings, in_words
from engine.datasets.phantom.collection import Marker, Phantom
from engine.datasets.selected_findings import SelectedFindings
from engine.datasets.two_class import TwoClass
from tests.datasets.test_busi import write_folder

MARK = Marker(text="CXR-ROOM1")
PLAIN = {"count": 60, "seed": 1, "size": 64}


def differing(one, other):
    one, other = (json.loads(json.dumps(data_settings(collection))) for collection in (one, other))
    assert one.keys() == other.keys()
    return {name for name in one if not agree(name, one[name], other[name])}


def test_the_same_data_agree():
    assert differing(Phantom(**PLAIN), Phantom(**PLAIN)) == set()
    assert differing(Phantom(**PLAIN, marker=MARK), Phantom(**PLAIN, marker=MARK)) == set()


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"count": 61}, {"data", "labels of the data"}),
        ({"seed": 2}, {"options of the data", "labels of the data", PICTURES}),
        ({"size": 96}, {"options of the data"}),
        ({"marker": MARK}, {"options of the data", "labels of the data"}),
        ({"marker": Marker(text="CXR-ROOM1", share_of_positives=0, share_of_negatives=0)}, {"options of the data"}),
    ],
)
def test_other_options_seeds_and_lengths_are_told_apart(changes, parts):
    assert parts <= differing(Phantom(**PLAIN), Phantom(**PLAIN | changes))


def test_another_text_of_the_marker_is_told_apart():
    assert "options of the data" in differing(
        Phantom(**PLAIN, marker=MARK), Phantom(**PLAIN, marker=Marker(text="CXR-ROOM2"))
    )


def test_pictures_that_changed_behind_their_names_are_told_apart(monkeypatch):
    plain, marked = Phantom(**PLAIN), Phantom(**PLAIN)
    everywhere = Phantom(**PLAIN, marker=Marker(text="CXR-ROOM1", share_of_positives=1, share_of_negatives=1))
    monkeypatch.setattr(marked, "image", everywhere.image, raising=False)
    assert PICTURES in differing(plain, marked)


def test_pictures_as_another_machine_draws_them_agree():
    said = data_settings(Phantom(**PLAIN))[PICTURES]
    assert agree(PICTURES, said, (np.array(said) + 0.001).tolist()) and not agree(PICTURES, said, said[:-1])


def test_a_choice_of_findings_or_classes_is_told_apart():
    plain = Phantom(**PLAIN)
    assert differing(plain, SelectedFindings(plain, ["Effusion"])) and differing(
        SelectedFindings(plain, ["Effusion"]), TwoClass(plain, "Effusion", "Edema")
    )


def test_a_folder_that_moved_agrees_and_one_whose_pictures_changed_does_not(tmp_path):
    for name in ("here", "there", "other"):
        write_folder(tmp_path / name)
    import cv2

    for path in (tmp_path / "other").rglob("*.png"):
        if "mask" not in path.name:
            cv2.imwrite(str(path), 255 - cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
    here, there, other = (open_collection("busi", tmp_path / name) for name in ("here", "there", "other"))
    assert differing(here, there) == set() and PICTURES in differing(here, other)


def test_what_differs_is_said_in_few_words():
    assert in_words(["rate", "data", "labels of the data", PICTURES]) == "rate, data set (its labels, pictures)"
    assert in_words(["data"]) == "data" and in_words(["rate", "width"]) == "rate, width"
