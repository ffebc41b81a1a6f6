"""Lungs on a slice, and heights within them."""

import numpy as np
import pytest

from engine.datasets.lung_slices import OUTSIDE, lungs_of, tenths_of
from tests.datasets.lidc_small import chest_pixels


def test_lungs_are_the_air_inside_the_body_with_their_vessels():
    hu = chest_pixels(1)[0].astype(np.float32)
    lungs = lungs_of(hu)
    assert lungs.shape == hu.shape and lungs[40, 40] and lungs[40, 140] and lungs[62, 43]
    assert not lungs[62, 90] and not lungs[2, 2] and not lungs[125, 90]
    expected = np.zeros(hu.shape, bool)
    expected[20:110, 16:80] = expected[20:110, 100:164] = True
    assert (lungs & expected).sum() / (lungs | expected).sum() > 0.93


def test_a_slice_of_air_or_of_soft_tissue_has_no_lungs():
    assert not lungs_of(np.full((90, 90), -1000, np.float32)).any()
    assert not lungs_of(np.full((90, 90), 40, np.float32)).any()
    with pytest.raises(ValueError, match="a slice"):
        lungs_of(np.zeros((3, 40, 40), np.float32))


def test_tenths_run_from_the_first_slice_with_lungs_to_the_last():
    areas = [0, 1, *range(50, 150, 5), 2, 0]
    tenths = tenths_of(areas)
    assert (tenths[:2] == OUTSIDE).all() and (tenths[-2:] == OUTSIDE).all()
    assert tenths[2:-2].tolist() == [n // 2 for n in range(20)]
    assert (tenths_of([0, 0, 0]) == OUTSIDE).all() and len(tenths_of([])) == 0
    assert tenths_of([9.0]).tolist() == [0]
