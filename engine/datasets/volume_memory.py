"""Volumes of files, cut to as many slices as a collection has, and a bounded memory of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from engine.datasets.collection import UnusableCollection
from engine.datasets.pictures import PictureMemory, resized_slices


def read_ct(source: Path) -> np.ndarray:
    """The one CT in a file or folder, (S, H, W) float32 in HU, from the feet up, rows to the back, columns to the left.

    Raises:
        UnusableCollection: it cannot be read, or holds no volume.
    """
    from engine.scan import UnreadableScan, read_volume  # decoders are only loaded by those who need them

    if not source.exists():
        raise UnusableCollection(f"{source} is missing; download it again.")
    try:
        pixels = read_volume(source).pixels
    except UnreadableScan as error:
        raise UnusableCollection(f"{source}: {error}") from error
    if pixels.ndim != 3:
        raise UnusableCollection(f"{source} must hold a volume, got one slice.")
    return np.asarray(pixels, np.float32)


def read_outline(path: Path) -> np.ndarray:
    """An outline in a NIfTI file, (S, H, W) bool, turned as `read_ct` turns its volume.

    Raises:
        UnusableCollection: it cannot be read, or is no volume.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        picture = nibabel.as_closest_canonical(nibabel.load(path))
        voxels = np.asarray(picture.dataobj)
    except (OSError, ValueError, EOFError, ImageFileError) as error:
        raise UnusableCollection(f"{path} is damaged: it cannot be read as an outline; download it again.") from error
    if voxels.ndim != 3:
        raise UnusableCollection(f"{path} must hold a volume, got {voxels.ndim} dimensions.")
    return voxels.transpose(2, 1, 0)[:, ::-1, ::-1] > 0


def evenly(volume: np.ndarray, count: int) -> np.ndarray:
    """(S, ...) to (count, ...): means over equal slabs where there are more slices, the nearest ones where fewer."""
    bounds = np.linspace(0, len(volume), count + 1)
    slabs = []
    for low, high in pairwise(bounds):
        first = min(int(low + 0.5), len(volume) - 1)
        last = max(int(high + 0.5), first + 1)
        if last - first == 1:
            first = min(int((low + high) / 2), len(volume) - 1)
            last = first + 1
        slabs.append(volume[first:last].mean(axis=0, dtype=np.float32))
    return np.stack(slabs)


@dataclass
class VolumeMemory(PictureMemory):
    """Volumes by (index, size), their slices (size, size), kept as whole HU."""

    limit_bytes: int = 768 * 2**20

    def _shrunk(self, pixels: np.ndarray, size: int) -> np.ndarray:
        return resized_slices(pixels, size)

    def _packed(self, pixels: np.ndarray) -> np.ndarray:
        return np.clip(np.round(pixels), -32768, 32767).astype(np.int16)
