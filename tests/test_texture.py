"""The numbers that say what a picture is made of."""

import numpy as np
import pytest

from engine.texture import DIRECTIONS, LENGTH, RINGS, SIDE, WIDE_RINGS, texture

RING = len(RINGS) - 1
DOWN, ACROSS = np.meshgrid(np.arange(SIDE) / SIDE, np.arange(SIDE) / SIDE, indexing="ij")


def grating(periods, turned=False):
    """A wave of so many periods along the rows, or along the columns."""
    return (0.8 * np.sin(2 * np.pi * periods * (DOWN if turned else ACROSS))).astype(np.float32)


@pytest.mark.parametrize("shape", [(96, 96), (40, 40), (150, 120)])
def test_a_texture_has_one_length_whatever_the_picture(shape):
    made = texture(np.random.default_rng(0).uniform(-0.9, 0.9, shape).astype(np.float32))
    assert made.shape == (LENGTH,) and np.isfinite(made).all()


def test_a_flat_picture_has_finite_numbers():
    assert np.isfinite(texture(np.full((50, 50), 0.3, np.float32))).all()


@pytest.mark.parametrize("periods", [1, 3, 5, 11, 23, 40])
def test_a_wave_has_its_power_in_the_ring_of_its_frequency(periods):
    rings = texture(grating(periods))[:RING]
    assert RINGS[rings.argmax()] <= periods < RINGS[rings.argmax() + 1]


@pytest.mark.parametrize(("periods", "ring"), [(4, 0), (10, 1), (30, 2)])
def test_directions_are_told_apart(periods, ring):
    def directions(turned):
        at = RING + DIRECTIONS * ring
        return texture(grating(periods, turned))[at : at + DIRECTIONS]

    assert WIDE_RINGS[ring] <= periods < WIDE_RINGS[ring + 1]
    along, down = directions(False), directions(True)
    assert along.argmax() == 0 and down.argmax() == DIRECTIONS // 2
    assert along.max() == pytest.approx(down.max(), abs=0.05)


def test_rounding_to_the_steps_in_which_training_pictures_are_kept_changes_little():
    smooth = (0.9 * np.cos(3 * DOWN) * ACROSS).astype(np.float32)
    rounded = np.rint(smooth * 127 / 0.9) * (0.9 / 127)
    assert np.abs(texture(smooth) - texture(rounded)).max() < 0.25


def test_a_volume_has_no_texture():
    with pytest.raises(ValueError, match="picture"):
        texture(np.zeros((3, 20, 20), np.float32))
