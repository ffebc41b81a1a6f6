"""How far two maps of one scan agree, and how a map fits a region that somebody drew."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.stats import spearmanr

from engine.metrics.evidence import share_inside

TENTH = 0.1  # of a map's pixels: its strongest
MOST_BOXES = 5
LEAST_BOX = 0.1  # of the strongest pixels that a box holds


def strongest(values: np.ndarray, share: float = TENTH) -> np.ndarray:
    """(H, W) bool: the `share` of pixels with the largest values, of those above 0.

    Of pixels tied at the cut none is called beyond that number; they are taken in a fixed random order.

    Args:
        values: (H, W), finite.
    """
    if values.ndim != 2 or not 0 < share <= 1:
        raise ValueError(f"a map must be (H, W) and a share in (0, 1], got {values.shape} and {share}")
    flat = np.asarray(values, np.float64).ravel()
    count = max(1, round(share * flat.size))
    shuffled = np.random.default_rng(0).permutation(flat.size)
    chosen = shuffled[np.argsort(-flat[shuffled], kind="stable")[:count]]
    called = np.zeros(flat.size, bool)
    called[chosen[flat[chosen] > 0]] = True
    return called.reshape(values.shape)


def boxes(mask: np.ndarray, most: int = MOST_BOXES) -> list[tuple[int, int, int, int]]:
    """(top, left, bottom, right) around the connected parts of a mask (H, W), the largest first, in pixel edges.

    Parts with less than LEAST_BOX of the mask's pixels are left out.
    """
    count, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask, np.uint8), connectivity=8)
    parts = sorted((stats[part] for part in range(1, count)), key=lambda part: -part[cv2.CC_STAT_AREA])
    whole = max(1, int(np.count_nonzero(mask)))
    return [
        (int(top), int(left), int(top + height), int(left + width))
        for left, top, width, height, area in parts[:most]
        if area >= LEAST_BOX * whole
    ]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks (H, W), in [0, 1]; 0 where neither holds a pixel."""
    if one.shape != other.shape:
        raise ValueError(f"masks must share one (H, W), got {one.shape} and {other.shape}")
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 0.0


def strongest_overlap(one: np.ndarray, other: np.ndarray, share: float = TENTH) -> float:
    """Intersection over union of the strongest `share` of two maps (H, W); two unrelated maps reach about
    share / (2 - share).
    """
    return overlap(strongest(one, share), strongest(other, share))


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Spearman's rank correlation of two maps (H, W), in [-1, 1]; None where one of them is constant."""
    if one.shape != other.shape:
        raise ValueError(f"maps must share one (H, W), got {one.shape} and {other.shape}")
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(spearmanr(one.ravel(), other.ravel())[0])  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True)
class RegionScore:
    """How a map fits a region.

    Attributes:
        iou: of the region and as many of the map's strongest pixels as it has, in [0, 1].
        hit: whether the map's strongest pixel lies inside (the pointing game).
        mass: the share of the positive part of the map that lies inside, in [0, 1]; None for a map without one.
        chance: what `mass` and `hit` are for a map that knows nothing: the region's share of the picture.
    """

    iou: float
    hit: bool
    mass: float | None
    chance: float


def region_score(values: np.ndarray, region: np.ndarray) -> RegionScore:
    """A map (H, W) against a region (H, W) bool of at least one pixel.

    Raises:
        ValueError: they differ in shape, or the region is empty.
    """
    if values.shape != region.shape or region.dtype != bool or not region.any():
        raise ValueError(f"a region must be bool, not empty and of the map's {values.shape}, got {region.shape}")
    positive = np.maximum(np.asarray(values, np.float64), 0)
    share = float(region.mean())
    at = np.unravel_index(int(np.argmax(positive)), positive.shape)
    return RegionScore(
        overlap(strongest(values, share), region),
        bool(positive[at] > 0 and region[at]),
        share_inside(positive, region),
        share,
    )
