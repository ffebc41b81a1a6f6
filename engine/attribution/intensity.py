"""The plainest map of all: by how much a pixel is brighter, or darker, than normal pictures are."""

from __future__ import annotations

import numpy as np


class Intensity:
    """What a normal grey value is, and on which side of it the abnormal ones lie; a threshold on its maps is the plain
    threshold.

    Args:
        normal, abnormal: (N, H, W) training pictures. The median of the first is what is normal; the side is that of
            the second's mean beside the first's.
    """

    def __init__(self, normal: np.ndarray, abnormal: np.ndarray):
        self.median = float(np.median(normal))
        self.side = 1.0 if np.mean(abnormal) >= np.mean(normal) else -1.0

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Maps (N, H, W), not negative: by how much a pixel lies on the abnormal side of the median."""
        return np.clip(np.float32(self.side) * (np.asarray(pictures, np.float32) - np.float32(self.median)), 0, None)
