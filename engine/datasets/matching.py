"""Matched sources: of pictures with a finding those that are most like the pictures without it in format and scanner,
so that these tell the two apart less.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from engine.preprocessing import two_dimensional

SIDE = 128  # pixels along the longer side, at which sharpness and noise are measured
LEAST_HEAD = 16  # pixels


def acquisition(pixels: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(9,) float64 of what a picture's making leaves in it: log height and width, their ratio, share of the picture
    that is patient, mean, spread and skew of the greys there, sharpness and noise.

    Args:
        pixels: (H, W) in any units.
        inside: (H, W) bool, where the patient is.
    """
    two_dimensional(pixels, "a picture")
    height, width = pixels.shape
    scale = SIDE / max(height, width)
    size = (max(round(width * scale), 8), max(round(height * scale), 8))
    small = cv2.resize(pixels.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    within = cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if within.sum() < LEAST_HEAD:
        within[:] = True
    low, high = np.percentile(small[within], (1, 99))
    grey = np.clip((small - low) / max(float(high - low), 1e-6), 0, 1).astype(np.float32)
    greys = grey[within]
    spread = max(float(greys.std()), 1e-6)
    edges = cv2.Laplacian(grey, cv2.CV_32F)[within]
    rest = (grey - cv2.medianBlur(grey, 3))[within]
    return np.array(
        [
            np.log(height),
            np.log(width),
            height / width,
            within.mean(),
            greys.mean(),
            spread,
            ((greys - greys.mean()) ** 3).mean() / spread**3,
            np.log(edges.std() / spread + 1e-6),
            np.log(rest.std() / spread + 1e-6),
        ],
        np.float64,
    )


def alike(features: np.ndarray, positive: np.ndarray, each: int) -> np.ndarray:
    """Which pictures stay: all without the finding, and for each of them `each` with it, so that the sum of distances
    between partners is smallest.

    Args:
        features: (N, F), each scaled by its spread here.
        positive: (N,) bool.
        each: partners of a picture; fewer where there are not as many.

    Returns:
        (N,) bool.
    """
    scaled = (features - features.mean(0)) / np.maximum(features.std(0), 1e-9)
    negatives, positives = np.flatnonzero(~positive), np.flatnonzero(positive)
    seats = np.repeat(negatives, max(min(each, len(positives) // max(len(negatives), 1)), 1))
    apart = np.linalg.norm(scaled[seats][:, None] - scaled[positives][None], axis=2)
    _, partners = linear_sum_assignment(apart)
    stays = ~positive
    stays[positives[partners]] = True
    return stays
