"""From a scan's own units to the range a network was trained on, and back: the one place where either happens."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Preprocessing:
    """Resize the whole picture, then map its percentiles linearly to [-value_range, value_range] and clip.

    The display window takes no part in it. Any affine change of the units (bit depth, rescale) leaves the result as it
    was.

    Attributes:
        size: side of the network's square input in pixels; the aspect is not kept (Sun et al. 2025, 4.1.1).
        percentile: p; percentiles p and 100 - p are mapped to the ends. Sun et al. are silent; their code uses 5 or
            0.95.
        value_range: where the ends lie. Below 1 leaves head-room under the tanh, so that clipped pixels can stay as
            they are.
        fixed: the two grey values that are mapped to the ends whatever the picture, for pictures in absolute units;
            None takes each picture's percentiles.
    """

    size: int
    percentile: float = 1.0
    value_range: float = 0.9
    fixed: tuple[float, float] | None = None

    def __post_init__(self):
        if not isinstance(self.size, int) or self.size < 1:
            raise ValueError(f"size must be a whole number of pixels, got {self.size!r}")
        if not 0 <= self.percentile < 50 or not 0 < self.value_range < 1:
            raise ValueError(
                f"percentile must lie in [0, 50) and value_range in (0, 1), got {self.percentile} and "
                f"{self.value_range}"
            )
        if self.fixed is not None:
            low, high = map(float, self.fixed)
            if not low < high < float("inf"):
                raise ValueError(f"fixed grey values must rise, got {self.fixed}")
            object.__setattr__(self, "fixed", (low, high))

    def resized(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W) to (size, size), both float32, units kept.

        Raises:
            ValueError: for other than two dimensions, since a volume would be resized along its slices.
        """
        two_dimensional(pixels, "pixels")
        if pixels.shape == (self.size, self.size):
            return pixels.astype(np.float32, copy=False)
        shrinks = pixels.shape[0] >= self.size and pixels.shape[1] >= self.size
        return cv2.resize(
            np.ascontiguousarray(pixels, np.float32),
            (self.size, self.size),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
        )

    def ends(self, resized: np.ndarray) -> tuple[float, float]:
        """The two grey values, in the scan's units, that are mapped to -value_range and value_range."""
        if self.fixed is not None:
            return self.fixed
        low, high = np.percentile(resized, [self.percentile, 100 - self.percentile])
        if _alike(low, high):
            low, high = resized.min(), resized.max()
        return float(low), float(low + 1 if _alike(low, high) else high)

    def apply(self, pixels: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
        """(H, W) in the scan's units to (size, size) float32 in [-value_range, value_range].

        Args:
            like: (H', W'), another picture whose grey values say what is mapped to the ends: the same patient's, so
                that the two can be compared pixel by pixel.
        """
        resized = self.resized(pixels)
        low, high = self.ends(resized if like is None else self.resized(like))
        return np.clip(
            (resized - low) * (2 * self.value_range / (high - low)) - self.value_range,
            -self.value_range,
            self.value_range,
        ).astype(np.float32)

    def volume(self, pixels: np.ndarray, slices: int) -> np.ndarray:
        """(S, H, W) to `slices` planes, evenly spaced, of (size, size): (slices, size, size) float32, units kept.

        Raises:
            ValueError: for other than three dimensions.
        """
        return np.stack([self.resized(plane_at(pixels, k, slices)) for k in range(slices)])

    def apply_volume(self, pixels: np.ndarray, slices: int) -> np.ndarray:
        """(S, H, W) in the scan's units to (slices, size, size) float32 in [-value_range, value_range]."""
        small = self.volume(pixels, slices)
        low, high = self.ends(small)
        scaled = (small - low) * (2 * self.value_range / (high - low)) - self.value_range
        return np.clip(scaled, -self.value_range, self.value_range).astype(np.float32)

    def scan_units(self, pixels: np.ndarray) -> float:
        """How many of the scan's units one unit of the network's range stands for, for this scan."""
        low, high = self.ends(self.resized(pixels))
        return (high - low) / (2 * self.value_range)


def two_dimensional(array: np.ndarray, what: str) -> np.ndarray:
    """The array as it is, refused where it is not (H, W): resizing a volume would go along its slices.

    Raises:
        ValueError: names `what`, and the shape.
    """
    if np.ndim(array) != 2:
        raise ValueError(f"{what} must have shape (H, W), got {np.shape(array)}; take one slice of a volume")
    return array


def _alike(low: float, high: float) -> bool:
    """Whether two grey values differ by no more than float32 rounds; stretching that would show rounding as
    a picture.
    """
    return high - low <= 1e-6 * max(abs(low), abs(high))


def enlarged(grid: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A map on the model's grid (h, w) on the scan's grid `shape`, bilinear; values, not energy, are kept.

    Raises:
        ValueError: for a map or a grid of other than two dimensions.
    """
    two_dimensional(grid, "a map")
    if len(shape) != 2:
        raise ValueError(f"the scan's grid must be (H, W), got {tuple(shape)}; take one slice of a volume")
    return cv2.resize(np.ascontiguousarray(grid, np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)


def plane_at(grid: np.ndarray, index: int, count: int) -> np.ndarray:
    """What a map on the model's grid (s, h, w) holds at slice `index` of `count`, (h, w), linear between its own
    slices.

    The slices of both span the same length, as the pixels of `enlarged` do.

    Raises:
        ValueError: for a map of other than three dimensions, or a slice that is not there.
    """
    if grid.ndim != 3 or not 0 <= index < count:
        raise ValueError(
            f"a volume's map must be (s, h, w) and the slice in 0 to {count - 1}, got {grid.shape}, {index}"
        )
    at = min(max((index + 0.5) * len(grid) / count - 0.5, 0.0), len(grid) - 1.0)
    below = min(int(at), max(len(grid) - 2, 0))
    share = np.float32(at - below)
    return grid[below] if share == 0 else grid[below] * (1 - share) + grid[below + 1] * share


def enlarged_volume(grid: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """A map on the model's grid (s, h, w) on a volume's grid `shape` (S, H, W), trilinear; values are kept.

    Raises:
        ValueError: for a map or a grid of other than three dimensions.
    """
    if len(shape) != 3:
        raise ValueError(f"a volume's grid must be (S, H, W), got {tuple(shape)}; a picture takes `enlarged`")
    return np.stack([enlarged(plane_at(grid, index, shape[0]), shape[1:]) for index in range(shape[0])])
