"""Rectangles that experts drew on pictures, and the masks that these are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Box:
    """A rectangle drawn by an expert, in shares of the picture's width and height (0 to 1, origin at the top left).

    Attributes:
        picture: file name or image id, as in the collection's own table.
        patient: as in `Collection.patients`.
        finding: finding name.
        left, top, right, bottom: edges; left < right, top < bottom.
    """

    picture: str
    patient: str
    finding: str
    left: float
    top: float
    right: float
    bottom: float

    def mask(self, size: int) -> np.ndarray:
        """(size, size) bool: pixels whose centre lies in the box; the nearest pixel when the box is smaller
        than one.
        """
        rows, columns = _inside(self.top, self.bottom, size), _inside(self.left, self.right, size)
        return rows[:, None] & columns[None, :]  # (size, size)


def _inside(start: float, stop: float, size: int) -> np.ndarray:
    centres = (np.arange(size) + 0.5) / size
    inside = (centres >= start) & (centres < stop)
    if not inside.any():
        inside[np.abs(centres - (start + stop) / 2).argmin()] = True
    return inside
