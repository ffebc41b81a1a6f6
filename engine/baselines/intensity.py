"""The plainest map of all: how far a pixel's own grey value lies from that of normal pictures."""

from __future__ import annotations

import numpy as np


class Intensity:
    """What a normal grey value is, learned as one median over normal training pictures.

    Args:
        normal: (N, H, W).
    """

    def __init__(self, normal: np.ndarray):
        self.median = float(np.median(normal))

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Maps (N, H, W), not negative: |grey value - median|."""
        return np.abs(np.asarray(pictures, np.float32) - np.float32(self.median))
