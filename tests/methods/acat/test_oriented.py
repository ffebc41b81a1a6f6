"""Volumes are turned by their affine, and maps turned back onto the scan."""

import itertools

import numpy as np
import pytest

from engine.methods.acat.oriented import Orientation
from engine.scan import Scan

# what grows along slices, rows and columns of a turned volume: z (up), y (back), x (left)
GRID = np.stack(np.meshgrid(np.arange(16.0), np.arange(20.0), np.arange(24.0), indexing="ij"))


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
@pytest.mark.parametrize("turned", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_slices_rise_rows_run_back_and_columns_left_whatever_the_file_does(order, turned):
    """`order[k]` is the axis of the scan that runs along z, y, x."""
    affine, axes = np.zeros((4, 4)), np.argsort(order)
    for axis, direction in zip(order, (2, 1, 0), strict=True):
        affine[direction, axis] = turned[2 - direction] * 2.0
    affine[3, 3] = 1
    pixels = sum(GRID * np.array([1, 100, 10000]).reshape(3, 1, 1, 1))
    stored = np.flip(pixels, [k for k in range(3) if turned[k] < 0]).transpose(axes)
    scan = Scan.of(stored, kind="CT", spacing_mm=(2.0, 2.0, 2.0), affine=affine)
    orientation = Orientation.of(scan)
    assert np.array_equal(orientation.apply(scan.pixels), pixels.astype(np.float32))
    assert np.array_equal(orientation.undo(orientation.apply(scan.pixels)), scan.pixels)
    assert np.array_equal(orientation.undo(orientation.apply(scan.pixels[None]))[0], scan.pixels)


def test_pixels_alone_stay_as_they_are():
    pixels = np.zeros((3, 16, 16), np.float32)
    assert Orientation.of(pixels) == Orientation() and Orientation().undo(pixels).shape == pixels.shape
