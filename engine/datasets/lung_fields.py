"""Where the two lungs lie on a real frontal film, found without a network: dark basins within the body, grown to their
borders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from scipy import ndimage

from engine.datasets.body import body_mask
from engine.preprocessing import two_dimensional

SIDE = 128  # pixels; everything is sought on a copy of this size
SMALLEST = 0.02  # of the picture's area; a lung of less was not found
BASIN = 0.3  # of the deepest basin; what is as deep belongs to a lung for sure
HALFWAY = 0.55  # between a lung's grey and the mediastinum's, where the lung ends
APART = 0.15  # of the width, between the middles of the two lungs


@dataclass(frozen=True)
class LungFields:
    """The lungs of one film.

    Attributes:
        left, right: (128, 128) bool, the lung on the picture's left and right side.
        tissue: grey of the mediastinum between them, as a share of the film's 1st to 99th percentile range.
        body: (128, 128) bool, the patient, lungs included.
    """

    left: np.ndarray
    right: np.ndarray
    tissue: float
    body: np.ndarray

    @property
    def both(self) -> np.ndarray:
        """(128, 128) bool."""
        return self.left | self.right

    def extent(self, lung: np.ndarray) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge of one lung, in shares of the width and height."""
        rows, columns = np.flatnonzero(lung.any(axis=1)), np.flatnonzero(lung.any(axis=0))
        return columns[0] / SIDE, rows[0] / SIDE, (columns[-1] + 1) / SIDE, (rows[-1] + 1) / SIDE


def stretched(picture: np.ndarray) -> tuple[np.ndarray, float, float]:
    """(H, W) as shares of its 1st to 99th percentile range, not clipped, and those two grey values."""
    two_dimensional(picture, "a film")
    low, high = np.percentile(picture, (1, 99))
    high = high if high > low else low + 1
    return ((picture - low) / (high - low)).astype(np.float32), float(low), float(high)


def lung_fields(picture: np.ndarray) -> LungFields | None:
    """The lungs of a film (H, W), bright = dense, any units; None when not both of them stand out."""
    from skimage.morphology import convex_hull_image  # slow to load

    two_dimensional(picture, "a film")
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey = np.clip(stretched(small)[0], 0, 1)
    body = cv2.resize(body_mask(picture).astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST).astype(bool)
    body = np.asarray(ndimage.binary_fill_holes(body))
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.5)
    cores = _cores(smooth, body)
    if cores is None:
        return None
    core = cores[0] | cores[1]
    between = convex_hull_image(core) & ~cv2.dilate(core.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    if between.sum() < 20:
        return None
    tissue = float(np.percentile(smooth[between], 70))
    middle = (np.flatnonzero(cores[0].any(axis=0))[-1] + np.flatnonzero(cores[1].any(axis=0))[0]) / 2
    columns = np.arange(SIDE)[None, :] + np.zeros((SIDE, 1))
    left, right = (
        _grown(smooth, core, tissue, side & ndimage.binary_erosion(body, iterations=4, border_value=1))
        for core, side in zip(cores, (columns < middle, columns > middle))
    )
    if min(left.mean(), right.mean()) < SMALLEST:
        return None
    return LungFields(left, right, tissue, body)


def _cores(smooth: np.ndarray, body: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The deepest parts of the two lungs: basins of the grey values that do not run out over the body's border."""
    from skimage.morphology import reconstruction  # slow to load

    rim = ~body
    rim[[0, -1]] = rim[:, [0, -1]] = True
    depth = reconstruction(np.where(rim, smooth, 1.0), smooth, method="erosion") - smooth
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    depth = depth * ((rows < 0.85) & (columns > 0.04) & (columns < 0.96))
    deep = depth > BASIN * max(float(depth.max()), 1e-6)
    pieces, count = cast(tuple[np.ndarray, int], ndimage.label(deep))  # the stub allows a bare count
    if count < 2:
        return None
    area = np.bincount(pieces.ravel())
    first, second = 1 + np.argsort(area[1:])[::-1][:2]
    parts = sorted((pieces == first, pieces == second), key=lambda part: columns[part].mean())
    if area[second] < 0.004 * SIDE**2 or columns[parts[1]].mean() - columns[parts[0]].mean() < APART:
        return None
    return parts[0], parts[1]


def _grown(smooth: np.ndarray, core: np.ndarray, tissue: float, allowed: np.ndarray) -> np.ndarray:
    """A core, grown to where the grey is halfway to the mediastinum's: far downwards and sideways, hardly
    into the neck.
    """
    limit = float(np.median(smooth[core]))
    limit += HALFWAY * (tissue - limit)
    ring = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 41)).copy()
    ring[26:] = 0  # OpenCV mirrors the element: what lies below its middle would grow the mask upwards
    near = cv2.dilate(core.astype(np.uint8), ring, anchor=(12, 20)).astype(bool)
    found = ndimage.binary_opening(((smooth < limit) & near & allowed) | core, iterations=3) | core
    pieces, _ = cast(tuple[np.ndarray, int], ndimage.label(found))  # the stub allows a bare count
    found = ndimage.binary_closing(np.isin(pieces, np.unique(pieces[core])), iterations=3) & allowed
    return np.asarray(ndimage.binary_fill_holes(found | (core & allowed)))
