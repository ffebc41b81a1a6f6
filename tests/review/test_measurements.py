"""Lengths, angles, areas and grey levels are those of shapes that are worked out by hand."""

import numpy as np
import pytest

from engine.review.measurements import ScanFacts, box_around, check_place, mask_of, measured
from engine.review.records import Annotation, UnusableRecord, new_id, now
from engine.scan import Scan

FILM = ScanFacts((40, 60), "radiograph", (0.5, 0.25), "detector")
VOLUME = ScanFacts((5, 40, 60), "CT", (3.0, 0.5, 0.25))


def drawn(kind, *points, **more):
    return Annotation(new_id(), "ab" * 32, kind, points, "R", now(), **more)


def values(annotation, facts=FILM, pixels=None):
    return {m.name: (round(m.value, 6), m.unit, m.at) for m in measured(annotation, facts, pixels)}


def test_a_length_follows_the_spacing_of_both_axes_and_says_where_it_holds():
    line = drawn("length", (10, 10), (16, 26))  # 3 mm down, 4 mm across
    assert values(line) == {"length": (5.0, "mm", "detector")}
    assert values(line, ScanFacts((40, 60))) == {"length": (round(292**0.5, 6), "px", "")}


def test_a_length_on_another_plane_of_a_volume_follows_that_planes_spacing():
    line = drawn("length", (0, 10), (1, 26), slice=7, axis=1)  # one slice of 3 mm, 16 columns of 0.25 mm
    assert values(line, VOLUME) == {"length": (5.0, "mm", "patient")}
    assert values(line, ScanFacts((5, 40, 60), "CT", (None, 0.5, 0.25)))["length"][1] == "px"


def test_an_angle_is_the_patients_and_not_that_of_the_pixels():
    right_angle = drawn("angle", (10, 20), (10, 10), (20, 10))
    assert values(right_angle)["angle"] == (90.0, "°", "")
    diagonal = drawn("angle", (10, 20), (10, 10), (15, 20))  # 2.5 mm across, 2.5 mm down
    assert values(diagonal)["angle"][0] == 45.0
    assert values(drawn("angle", (10, 20), (10, 10), (10, 0)))["angle"][0] == 180.0


@pytest.mark.parametrize(
    ("region", "pixels"),
    [
        (drawn("box", (2, 3), (12, 23)), 200),
        (drawn("polygon", (0, 0), (0, 10), (10, 10)), 50),
        (drawn("freehand", (10, 10), (0, 10), (0, 0)), 50),
        (drawn("area", (0, 0), (20, 40)), np.pi * 200),
        (drawn("brush", runs=((3, 4, 5), (4, 4, 2))), 7),
    ],
    ids=lambda part: getattr(part, "kind", ""),
)
def test_an_area_is_that_of_the_outline(region, pixels):
    assert values(region)["area"] == (round(pixels * 0.125, 6), "mm²", "detector")
    assert values(region, ScanFacts((40, 60)))["area"][1] == "px²"
    assert mask_of(region, (40, 60)).sum() == pytest.approx(pixels, rel=0.12)


def test_mean_and_deviation_are_of_the_pixels_whose_middle_lies_inside():
    pixels = np.arange(2400, dtype=np.float32).reshape(40, 60)
    found = values(drawn("box", (0.4, 0.6), (2.4, 3.5)), FILM, pixels)
    inside = pixels[0:2, 1:3]
    assert found["mean"] == (inside.mean(), "grey levels", "")
    assert found["deviation"][0] == pytest.approx(inside.std(), abs=1e-6)
    assert set(values(drawn("box", (0.6, 0.6), (0.9, 0.9)), FILM, pixels)) == {"area"}  # no middle inside


def test_mean_is_of_the_slice_and_the_plane_that_it_was_drawn_on():
    pixels = np.random.default_rng(0).normal(size=VOLUME.shape).astype(np.float32)
    found = values(drawn("brush", runs=((1, 2, 3),), slice=7, axis=1), VOLUME, pixels)
    assert found["mean"] == (pytest.approx(pixels[1, 7, 2:5].mean(), abs=1e-5), "HU", "")
    assert values(drawn("box", (1, 2), (3, 4), slice=4), VOLUME, pixels)["mean"][0] == pytest.approx(
        pixels[4, 1:3, 2:4].mean(), abs=1e-5
    )


def test_the_outline_of_a_mask_is_that_of_the_shape():
    mask = mask_of(drawn("polygon", (10, 10), (10, 20), (20, 20), (20, 10)), (40, 60))
    expected = np.zeros((40, 60), bool)
    expected[10:20, 10:20] = True
    assert np.array_equal(mask, expected)
    assert np.array_equal(mask_of(drawn("box", (10, 10), (20, 20)), (40, 60)), expected)


def test_what_marks_no_pixels_has_no_mask():
    with pytest.raises(UnusableRecord, match="marks no pixels"):
        mask_of(drawn("length", (1, 1), (2, 2)), (4, 4))


def test_a_box_around_every_kind():
    assert box_around(drawn("brush", runs=((3, 4, 5), (4, 2, 1)))) == (3, 2, 5, 9)
    assert box_around(drawn("polygon", (5, 1), (2, 9), (8, 4))) == (2, 1, 8, 9)


def test_an_annotation_beyond_the_scan_or_on_no_slice_of_it_is_refused():
    check_place(drawn("box", (0, 0), (40, 60)), FILM)
    check_place(drawn("box", (0, 0), (5, 60), slice=39, axis=1), VOLUME)
    for wrong, facts in [
        (drawn("box", (0, 0), (41, 60)), FILM),
        (drawn("length", (-1, 0), (4, 6)), FILM),
        (drawn("brush", runs=((3, 58, 3),)), FILM),
        (drawn("box", (0, 0), (4, 6), slice=0), FILM),
        (drawn("box", (0, 0), (4, 6)), VOLUME),
        (drawn("box", (0, 0), (4, 6), slice=5), VOLUME),
    ]:
        with pytest.raises(UnusableRecord):
            check_place(wrong, facts)


def test_facts_come_from_a_scan_and_back_from_json():
    scan = Scan.of(np.random.default_rng(0).normal(size=(4, 20, 30)), "MR", spacing_mm=(None, 0.7, 0.7))
    facts = ScanFacts.of(scan)
    assert facts.shape == (4, 20, 30) and facts.plane() == ((20, 30), (0.7, 0.7))
    assert facts.plane(1) == ((4, 30), None)
    assert ScanFacts(**facts.to_json()) == facts
    for wrong in ({"shape": (3,)}, {"shape": (3, 4), "kind": "X"}, {"shape": (3, 4), "spacing_mm": (1, -1)}):
        with pytest.raises(UnusableRecord):
            ScanFacts(**wrong)
