"""A volume turned so that slices rise to the head, rows run to the back and columns to the patient's left, and maps
turned back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.scan import Scan


@dataclass(frozen=True)
class Orientation:
    """How a scan's axes become those that a network was trained on.

    Attributes:
        order: (3,) which axis of the scan is the slice's, the row's and the column's.
        turned: (3,) which of them run the other way.
    """

    order: tuple[int, int, int] = (0, 1, 2)
    turned: tuple[bool, bool, bool] = (False, False, False)

    @classmethod
    def of(cls, scan: Scan | np.ndarray) -> Orientation:
        """By the scan's affine; as they are where nobody knows where the volume lies."""
        affine = scan.affine if isinstance(scan, Scan) else None
        if affine is None:
            return cls()
        directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)  # (x, y, z) of each axis
        wanted = (2, 1, 0)  # slices rise along z, rows along y (to the back), columns along x (to the left)
        order: list[int] = []
        for axis in wanted:
            along = np.abs(directions[axis]).copy()
            along[order] = -1
            order.append(int(along.argmax()))
        turned = tuple(bool(directions[axis, at] < 0) for axis, at in zip(wanted, order, strict=True))
        return cls((order[0], order[1], order[2]), (turned[0], turned[1], turned[2]))

    def apply(self, volume: np.ndarray) -> np.ndarray:
        """(..., S, H, W) of the scan as the network has it; a view."""
        axes = [volume.ndim - 3 + axis for axis in self.order]
        ordered = volume.transpose(*range(volume.ndim - 3), *axes)
        return np.flip(ordered, tuple(volume.ndim - 3 + k for k in range(3) if self.turned[k]))

    def undo(self, grid: np.ndarray) -> np.ndarray:
        """(..., s, h, w) of the network on the scan's axes."""
        grid = np.flip(grid, tuple(grid.ndim - 3 + k for k in range(3) if self.turned[k]))
        axes = [grid.ndim - 3 + int(axis) for axis in np.argsort(self.order)]
        return np.ascontiguousarray(grid.transpose(*range(grid.ndim - 3), *axes))
