"""What a picture is made of, whatever it shows: its spectrum, its edges and its grey values, as a few numbers."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from engine.preprocessing import two_dimensional

SIDE = 96  # pictures are measured at SIDE x SIDE
RINGS = (0.5, 1.5, 2.5, 4.0, 6.0, 9.0, 13.0, 19.0, 28.0, 48.0)  # bounds of the spectrum's rings, in periods a side
WIDE_RINGS = (1.5, 6.0, 19.0, 48.0)  # those within which four directions are told apart
DIRECTIONS = 4
EDGE_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 0.995)  # quantiles of the slope between neighbouring pixels
GREY_SHARES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)  # quantiles of the grey values
BLOCK = 8  # pixels a side of the blocks whose spread is taken
BLOCK_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
AT_END = 0.02  # grey values so near the darkest or brightest count as that
# What is added before a logarithm is taken; above what rounding to 254 steps of the range leaves.
LEAST_POWER, LEAST_SLOPE = 1e-5, 0.02
LENGTH = (
    len(RINGS) - 1 + DIRECTIONS * (len(WIDE_RINGS) - 1) + len(EDGE_SHARES) + len(GREY_SHARES) + 2 + len(BLOCK_SHARES)
)


def texture(picture: np.ndarray) -> np.ndarray:
    """(LENGTH,) float64 of a preprocessed (H, W) picture: logarithms of the power in the rings of its spectrum and of
    the share of four directions in it, of quantiles of slopes and of the spread within blocks; quantiles of the grey
    values, and how much is darkest and brightest.

    Raises:
        ValueError: for other than two dimensions.
    """
    x = np.ascontiguousarray(two_dimensional(picture, "a picture"), np.float32)
    if x.shape != (SIDE, SIDE):
        x = cv2.resize(x, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    slopes = np.hypot(*np.gradient(x))
    spreads = x.reshape(SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK).std(axis=(1, 3))
    ends = (x < x.min() + AT_END).mean(), (x > x.max() - AT_END).mean()
    return np.concatenate(
        [
            _spectrum(x),
            np.log(np.quantile(slopes, EDGE_SHARES) + LEAST_SLOPE),
            np.quantile(x, GREY_SHARES),
            np.sqrt(ends),
            np.log(np.quantile(spreads, BLOCK_SHARES) + LEAST_SLOPE),
        ]
    )


def _spectrum(x: np.ndarray) -> np.ndarray:
    """Logarithms of the mean power in each ring, then of each direction's share in each wide ring."""
    window = np.hanning(SIDE)
    power = np.abs(np.fft.fft2((x - x.mean()) * np.outer(window, window))) ** 2 / SIDE**2
    frequency = np.fft.fftfreq(SIDE) * SIDE
    radius = np.hypot(frequency[:, None], frequency)
    angle = np.arctan2(frequency[:, None], frequency) % np.pi
    sector = np.rint(angle / (np.pi / DIRECTIONS)).astype(int) % DIRECTIONS

    def level(where: np.ndarray) -> float:
        return float(np.log(power[where].mean() + LEAST_POWER))

    rings = [level((radius >= low) & (radius < high)) for low, high in pairwise(RINGS)]
    shares = []
    for low, high in pairwise(WIDE_RINGS):
        ring = (radius >= low) & (radius < high)
        shares += [level(ring & (sector == direction)) - level(ring) for direction in range(DIRECTIONS)]
    return np.array([*rings, *shares])
