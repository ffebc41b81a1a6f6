"""Two pictures on one grid, to be looked at side by side under one zoom: in millimetres where both say them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from engine.preprocessing import two_dimensional
from engine.scan.record import Scan


@dataclass(frozen=True)
class Placed:
    """A picture on the grid of another.

    Attributes:
        pixels: (H, W) float32, in its own units; its least value where it does not reach.
        scaled: whether both say their millimetres, so that equal lengths are equal on both.
        note: how the two were brought together, for a reader.
    """

    pixels: np.ndarray
    scaled: bool
    note: str


def placed_on(moving: Scan, fixed: Scan) -> Placed:
    """`moving` on the grid of `fixed`, middle on middle.

    Raises:
        ValueError: one of them is a volume; take one slice.
    """
    source, target = two_dimensional(moving.pixels, "the prior"), two_dimensional(fixed.pixels, "the scan")
    height, width = target.shape
    theirs, ours = moving.plane_spacing_mm, fixed.plane_spacing_mm
    if theirs is None or ours is None:
        shape = (width, height)
        shrinks = source.shape[0] >= height
        pixels = cv2.resize(source, shape, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        said = "one of the two does not say its millimetres" if theirs or ours else "neither says its millimetres"
        return Placed(pixels, False, f"linked by the whole picture: {said}")
    rows, columns = ours[0] / theirs[0], ours[1] / theirs[1]  # pixels of the prior a pixel of the scan
    matrix = np.array(
        [
            [columns, 0, source.shape[1] / 2 - columns * width / 2 + (columns - 1) / 2],
            [0, rows, source.shape[0] / 2 - rows * height / 2 + (rows - 1) / 2],
        ]
    )
    pixels = cv2.warpAffine(
        np.ascontiguousarray(source, np.float32),
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=float(source.min()),
    )
    note = "linked in millimetres, middle on middle"
    if moving.spacing_at != fixed.spacing_at:
        note += f" (of the {fixed.spacing_at} here, of the {moving.spacing_at} before)"
    elif fixed.spacing_at == "detector":
        note += " at the detector"
    return Placed(pixels, True, note)
