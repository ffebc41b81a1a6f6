"""What is said above a scan of its sides."""

from __future__ import annotations

import numpy as np
import pytest

from engine.laterality.chest import ChestCheck
from engine.review.records import Annotation, new_id, now
from engine.scan import Scan
from engine.scan.source import SourceRecord, SourceSlice
from pages.components import open_scans, sides
from pages.components.shelf import Entry, OpenScan

CHEST = {"BodyPartExamined": "CHEST", "ViewPosition": "PA"}


def check(looks_mirrored=True, specificity=(0.996, 0.990, 0.999)):
    class Always(ChestCheck):
        def looks_mirrored(self, scan):
            return looks_mirrored

    return Always({}, -1.0, specificity, (0.9, 0.88, 0.92), 768)


def marker(label, column):
    points = ((5.0, column - 2), (9.0, column + 2))
    return Annotation(new_id(), "a" * 64, "box", points, "A", now(), label=label)


@pytest.fixture
def film(monkeypatch):
    """An open film; what is known of it can be set."""
    scan = Scan.of(np.random.default_rng(0).random((40, 50)), "radiograph", tags=CHEST)
    entry, drawn = Entry("one", "One"), []
    opened = OpenScan("One", scan, id="one")
    monkeypatch.setattr(open_scans, "scans", lambda: {"one": entry})
    monkeypatch.setattr(sides, "_drawn", lambda opened: drawn)
    monkeypatch.setattr(sides, "chest_check", check)
    sides._mirrored.clear()
    return opened, entry, drawn


def test_a_film_that_looks_mirrored_is_to_be_compared_with_its_marker_and_how_often_that_is_wrong_is_said(film):
    (said,) = sides.sentences(film[0])
    assert "as in a mirrored film" in said and "heart on the right" in said and said.endswith(sides.COMPARE)
    assert "Of 1000 films that are not mirrored, 4 (1 to 10)" in said


def test_a_marker_that_a_reader_saw_settles_it(film, monkeypatch):
    opened, _, drawn = film
    drawn.append(marker("Side marker L", 45))
    assert sides.sentences(opened) == [sides.SETTLED], "a line stands where a line stood: nothing below it moves"
    with monkeypatch.context() as patch:
        patch.setattr(sides, "chest_check", lambda: None)
        assert sides.sentences(opened) == []
    drawn[:] = [marker("Side marker L", 5)]
    (said,) = sides.sentences(opened)
    assert "marker L was seen on the picture's left" in said
    drawn[:] = [marker("Nodule", 5)]
    assert "as in a mirrored film" in sides.sentences(opened)[0]


def test_what_the_file_says_goes_before_what_the_picture_suggests(film):
    opened, entry, _ = film
    entry.source = SourceRecord((SourceSlice({"PatientOrientation": ["R", "F"]}),))
    (said,) = sides.sentences(opened)
    assert said.startswith("The file says that the picture's right is the patient's right")


def test_a_check_that_is_wrong_too_often_is_not_heard(film, monkeypatch):
    monkeypatch.setattr(sides, "chest_check", lambda: check(specificity=(0.985, 0.97, 0.99)))
    assert sides.sentences(film[0]) == []
    monkeypatch.setattr(sides, "chest_check", lambda: None)
    assert sides.sentences(film[0]) == []


def test_drawn_films_and_volumes_are_not_asked_about(film):
    opened, _, _ = film
    assert sides.sentences(OpenScan("P", opened.scan, "phantom", id="one")) == []
    assert sides.sentences(OpenScan("V", Scan.of(np.zeros((3, 40, 40)), "CT"), id="one")) == []
