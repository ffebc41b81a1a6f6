"""Volumes on their way to the browser: each slice is a message of its own, written when it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class VolumePixels:
    """The voxels of a scan; value = stored * scale + zero.

    Attributes:
        stored: (S, H, W) uint16, or float32 that is sent in 16 bits with one scale for all slices.
        scale, zero: of what is sent, in the scan's units.
        name: by which a browser knows the volume again: another volume has another.
        low, high: the least and the greatest value.
    """

    stored: np.ndarray
    scale: float
    zero: float
    name: str
    low: float
    high: float
    dtype = "u2"

    def __post_init__(self):
        if self.stored.ndim != 3 or self.stored.dtype not in (np.uint16, np.float32) or min(self.stored.shape[1:]) < 2:
            raise ValueError(
                f"a volume must be (S, H, W) uint16 or float32, at least 2 x 2 a slice, got {self.stored.shape} "
                f"{self.stored.dtype}"
            )

    @classmethod
    def of(cls, stored: np.ndarray, zero: float, name: str) -> VolumePixels:
        """The voxels of a volume.

        Args:
            stored: (S, H, W) uint16, where value = stored + zero, or float32, where `zero` is 0.
        """
        low, high = (float(end) + zero for end in (stored.min(), stored.max()))
        if stored.dtype == np.uint16:
            return cls(stored, 1.0, zero, name, low, high)
        whole = high - low <= 65535 and all((slab == np.rint(slab)).all() for slab in stored)
        return cls(stored, 1.0 if whole else max(high - low, 1e-12) / 65535, low, name, low, high)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stored.shape

    @property
    def digest(self) -> str:
        return self.name

    def __len__(self) -> int:
        return len(self.stored)

    def part(self, index: int) -> bytes:
        """Slice `index`, little-endian."""
        plane = self.stored[index]
        if plane.dtype == np.float32:
            plane = np.rint((plane - np.float32(self.zero)) * np.float32(1 / self.scale))
        return np.ascontiguousarray(plane, "<u2").tobytes()


class MapVolume:
    """A signed map on a model's own grid, or a change with one or several frames, slice by slice.

    Args:
        values: (s, h, w) or, with frames, (K, s, h, w) float32.
        dtype: "f4" sends values as they are, "i2" in 16 bits with zero kept exactly zero.
    """

    def __init__(self, values: np.ndarray, dtype: str):
        if values.ndim not in (3, 4) or dtype not in ("f4", "i2"):
            raise ValueError(f"a map of a volume must be (s, h, w) or (K, s, h, w), got {values.shape} as {dtype}")
        self.values, self.dtype, self.zero = values, dtype, 0.0
        self.scale = 1.0 if dtype == "f4" else max(float(values.max()), -float(values.min()), 1e-12) / 32767

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @cached_property
    def digest(self) -> str:
        return hashlib.blake2b(np.ascontiguousarray(self.values, "<f4"), digest_size=12).hexdigest()

    def __len__(self) -> int:
        return self.values.shape[-3]

    def part(self, index: int) -> bytes:
        """Slice `index` of the map, (h, w) or all its frames (K, h, w), little-endian."""
        plane = self.values[..., index, :, :]
        if self.dtype == "i2":
            plane = np.rint(plane * np.float32(1 / self.scale))
        return np.ascontiguousarray(plane, f"<{self.dtype}").tobytes()


@dataclass(frozen=True)
class VolumePlace:
    """How a volume lies in the patient, and which slice is asked about.

    Attributes:
        spacing_mm: (slice, row, column); None for what is not known, None altogether where nothing is.
        affine: (4, 4) from (slice, row, column, 1) to millimetres (LPS), or None.
        index: the slice that is shown first, and that findings of one slice are about; from 0.
        findings_of_slice: the model reads one slice: findings are about slice `index`, and another has to be asked for.
    """

    spacing_mm: Sequence[float | None] | None = None
    affine: np.ndarray | None = None
    index: int = 0
    findings_of_slice: bool = False

    def header(self, shape: Sequence[int]) -> dict:
        """The entry of the header; raises ValueError for a slice that is not there."""
        if not 0 <= self.index < shape[0]:
            raise ValueError(f"slice {self.index} of a volume of {shape[0]}")
        return {
            "shape": [int(n) for n in shape],
            "spacing_mm": None if self.spacing_mm is None else [s and float(s) for s in self.spacing_mm],
            "affine": None if self.affine is None else np.asarray(self.affine, float).tolist(),
            "index": int(self.index),
            "findings_of_slice": bool(self.findings_of_slice),
        }
