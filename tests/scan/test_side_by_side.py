"""A prior lies on the grid of the current scan: equal lengths are equal, and what cannot be scaled says so."""

import numpy as np
import pytest

from engine.scan import Scan
from engine.scan.side_by_side import placed_on


def disc(side, spacing, radius_mm, at="patient"):
    """A disc around the middle, of so many millimetres."""
    axis = (np.arange(side) + 0.5 - side / 2) * spacing
    distance = np.hypot(axis[:, None], axis[None])
    pixels = np.where(distance < radius_mm, 200.0, 10.0) + np.random.default_rng(0).random((side, side))
    return Scan.of(pixels, "radiograph", spacing_mm=(spacing, spacing), spacing_at=at)


def test_equal_lengths_are_equal_whatever_the_pixels():
    current, prior = disc(200, 1.0, 40), disc(300, 0.5, 40)
    placed = placed_on(prior, current)
    assert placed.scaled and placed.pixels.shape == current.pixels.shape and "in millimetres" in placed.note
    inside, expected = placed.pixels > 100, current.pixels > 100
    assert (inside & expected).sum() / (inside | expected).sum() > 0.97


def test_a_larger_disc_before_is_larger_beside():
    placed = placed_on(disc(300, 0.5, 60), disc(200, 1.0, 40))
    assert (placed.pixels > 100).sum() == pytest.approx(np.pi * 60**2, rel=0.05)


def test_what_does_not_say_its_millimetres_is_linked_by_the_whole_picture_and_says_so():
    current = disc(200, 1.0, 40)
    placed = placed_on(Scan.of(disc(300, 0.5, 40).pixels, "radiograph"), current)
    assert not placed.scaled and placed.pixels.shape == (200, 200) and "one of the two" in placed.note


def test_millimetres_of_different_places_are_told_apart():
    placed = placed_on(disc(100, 1.0, 30, "detector"), disc(100, 1.0, 30))
    assert "of the patient here, of the detector before" in placed.note
    assert "at the detector" in placed_on(disc(100, 1.0, 30, "detector"), disc(100, 1.0, 30, "detector")).note


def test_a_volume_is_refused():
    with pytest.raises(ValueError, match="one slice"):
        placed_on(Scan.of(np.random.default_rng(0).random((3, 20, 20)), "CT"), disc(100, 1.0, 30))
