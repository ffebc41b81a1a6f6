"""Lungs on single slices of a chest CT, and how high within them a slice lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
from scipy import ndimage

from engine.preprocessing import two_dimensional

LUNG_HU = -400.0  # lungs are below
SIDE = 128  # pixels; lungs are sought on a copy of this size
LEAST = 0.05  # of the largest lung area of a series; slices with less lie above or below the lungs
TENTHS = 10
OUTSIDE = -1  # the tenth of a slice without lungs


def lungs_of(hu: np.ndarray) -> np.ndarray:
    """Air inside the body with the vessels in it, airways among it.

    Args:
        hu: (H, W) float32, one slice.

    Returns:
        (H, W) bool.
    """
    two_dimensional(hu, "a slice")
    small = cv2.resize(hu, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    pieces, count = cast(tuple[np.ndarray, int], ndimage.label(ndimage.binary_opening(small > LUNG_HU)))
    if not count:
        return np.zeros(hu.shape, bool)
    body = pieces == 1 + np.argmax(ndimage.sum_labels(np.ones_like(pieces), pieces, range(1, count + 1)))
    inside = np.asarray(ndimage.binary_fill_holes(body))
    air = np.asarray(ndimage.binary_opening(inside & (small < LUNG_HU)), np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    filled = (np.asarray(cv2.morphologyEx(air, cv2.MORPH_CLOSE, disc)) > 0) & inside
    return cv2.resize(filled.astype(np.uint8), hu.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def tenths_of(areas: Sequence[float] | np.ndarray) -> np.ndarray:
    """In which tenth of the lungs' height each slice of one series lies.

    Args:
        areas: (S,) lung area of the slices, in the order of their height.

    Returns:
        (S,) int, 0 to 9 from the first slice with lungs to the last, `OUTSIDE` before and behind.
    """
    areas = np.asarray(areas, np.float64)
    tenths = np.full(len(areas), OUTSIDE)
    with_lungs = np.flatnonzero(areas > LEAST * areas.max()) if len(areas) and areas.max() > 0 else np.array([], int)
    if len(with_lungs):
        first, last = with_lungs[0], with_lungs[-1]
        count = last - first + 1
        tenths[first : last + 1] = np.arange(count) * TENTHS // count
    return tenths
