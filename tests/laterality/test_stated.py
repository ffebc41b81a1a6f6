"""Contradictions between what a file says of sides, what it shows, and what readers saw in it."""

from __future__ import annotations

import numpy as np
import pytest

from engine.laterality.stated import SeenMarker, chest_wall, confirmed, contradictions
from engine.scan import Scan

FILM = Scan.of(np.zeros((40, 40)), "radiograph", tags={"BodyPartExamined": "CHEST", "ViewPosition": "PA"})
KNEE = Scan.of(np.zeros((40, 40)), "radiograph", tags={"BodyPartExamined": "KNEE"})


def breast(wall="left"):
    y, x = np.mgrid[:400, :300] / (400, 300)[0]
    pixels = np.where((x / 0.5) ** 2 + ((y - 0.5) / 0.4) ** 2 < 1, 900.0, 10.0)
    return Scan.of(pixels if wall == "left" else pixels[:, ::-1], "mammogram")


@pytest.mark.parametrize(
    ("scan", "stated", "says"),
    [
        (FILM, {}, ""),
        (FILM, {"PatientOrientation": ["L", "F"]}, ""),
        (FILM, {"PatientOrientation": ["R", "F"]}, "picture's right is the patient's right"),
        (FILM, {"PatientOrientation": [""]}, ""),
        (KNEE, {"PatientOrientation": ["R", "F"]}, ""),
        (KNEE, {"Laterality": ["R"], "ImageLaterality": ["L"]}, "series is of the right, its picture of the left"),
        (KNEE, {"Laterality": ["R"], "ImageLaterality": ["R"]}, ""),
        (KNEE, {"Laterality": ["R"], "ImageLaterality": ["B"]}, ""),
        (breast(), {"PatientOrientation": ["A", "R"], "ImageLaterality": ["L"]}, ""),
        (breast(), {"PatientOrientation": ["P", "L"]}, "chest wall lies on the picture's right"),
        (breast("right"), {"PatientOrientation": ["P", "L"], "ImageLaterality": ["R"]}, ""),
        (breast("right"), {"PatientOrientation": ["A", "FR"]}, "breast reaches its right edge"),
        (breast(), {"PatientOrientation": ["A", "FL"], "ImageLaterality": ["L"]}, "this is the left breast, but"),
        (breast(), {"ImageLaterality": ["L"]}, ""),
    ],
)
def test_a_contradiction_is_said_and_nothing_else(scan, stated, says):
    found = contradictions(scan, stated)
    assert len(found) == (1 if says else 0) and all(says in sentence for sentence in found)


@pytest.mark.parametrize(
    ("marker", "agrees"),
    [
        (SeenMarker("L", 0.9), True),
        (SeenMarker("R", 0.1), True),
        (SeenMarker("L", 0.1), False),
        (SeenMarker("R", 0.8), False),
    ],
)
def test_a_marker_that_was_seen_confirms_a_chest_film_or_contradicts_it(marker, agrees):
    assert confirmed(FILM, [marker]) == agrees
    found = contradictions(FILM, {}, [marker])
    assert bool(found) != agrees
    assert all(f"marker {marker.side} was seen" in sentence for sentence in found)
    assert not confirmed(KNEE, [marker]) and contradictions(KNEE, {}, [marker]) == []


def test_without_a_marker_nothing_is_confirmed_and_two_that_differ_confirm_nothing():
    assert not confirmed(FILM, [])
    assert not confirmed(FILM, [SeenMarker("L", 0.9), SeenMarker("R", 0.9)])


def test_where_the_chest_wall_lies_is_only_said_where_it_is_clear():
    assert chest_wall(breast().pixels) == "left" and chest_wall(breast("right").pixels) == "right"
    assert chest_wall(np.zeros((40, 40), np.float32)) == ""
    assert chest_wall(np.random.default_rng(0).random((64, 64)).astype(np.float32)) == ""
    spot = np.zeros((80, 80), np.float32)
    spot[30:50, 30:50] = 1
    assert chest_wall(spot) == "", "a compression view reaches no edge"


def test_slices_have_no_side_of_their_own():
    assert contradictions(Scan.of(np.zeros((3, 40, 40)), "CT"), {"Laterality": ["R"], "ImageLaterality": ["L"]}) == []
