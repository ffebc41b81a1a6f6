"""Picture files to grey arrays of the asked size, and a bounded memory of what was already decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from engine.datasets.collection import UnusableCollection
from engine.preprocessing import two_dimensional


def read_grey(path: Path) -> np.ndarray:
    """A PNG or JPEG as (H, W) float32 in its own grey values (0 to 255, or 0 to 65535 for 16-bit files).

    Raises:
        UnusableCollection: the file is missing, empty or damaged.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH) if path.is_file() else None
    if pixels is None:
        raise UnusableCollection(f"{path} is missing or damaged: it cannot be read as a picture; download it again.")
    return pixels.astype(np.float32)


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """(H, W) float32 to (size, size) float32, aspect not kept: pixel areas averaged when shrinking, linear when
    enlarging.

    Raises:
        ValueError: for other than two dimensions.
    """
    two_dimensional(pixels, "a picture")
    shrinks = size <= min(pixels.shape)
    return cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resized_slices(volume: np.ndarray, size: int | None) -> np.ndarray:
    """(S, H, W) with each slice as `resized` makes it; as it is for None and where slices have that size."""
    if size is None or volume.shape[-2:] == (size, size):
        return volume
    return np.stack([resized(plane, size) for plane in volume])


@dataclass
class PictureMemory:
    """Resized pictures by (index, size), kept first come until `limit_bytes` is full.

    Nothing is pushed out: when an epoch does not fit, pushing out the oldest would miss every time.
    """

    limit_bytes: int = 512 * 2**20
    used_bytes: int = 0
    _cache: dict[tuple[int, int], np.ndarray] = field(default_factory=dict, repr=False)

    def resized(self, index: int, size: int, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The picture that `read` decodes, (size, size) float32: decoded again only when it was not kept; a
        private copy.
        """
        if (index, size) not in self._cache:
            pixels = self._shrunk(read(), size)
            packed = self._packed(pixels)
            if self.used_bytes + packed.nbytes > self.limit_bytes:
                return pixels
            self._cache[index, size] = packed
            self.used_bytes += packed.nbytes
        return self._cache[index, size].astype(np.float32)

    def _shrunk(self, pixels: np.ndarray, size: int) -> np.ndarray:
        return resized(pixels, size)

    def _packed(self, pixels: np.ndarray) -> np.ndarray:
        """As it is kept."""
        return pixels
