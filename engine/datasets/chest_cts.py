"""Three real chests on CT, from the source archives of packages: slices at 1 mm, and where in the lungs a nodule may
lie.

One comes with TotalSegmentator 2.18.0 (Apache-2.0: contrast medium, voxels of 1.5 mm), two with pyradiomics 3.0.1
(BSD-3-Clause: slices of 5 mm, each with a tumour and its outline). Slices of the first are averaged in pairs, to 3 mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from engine.datasets.source_archives import PYRADIOMICS, TOTALSEGMENTATOR, SourceArchive, member

AIR = -1000.0  # HU
LUNG_HU = -400.0  # lungs are below
SMALLEST_LUNG = 200_000  # mm3 of one lung, or of both together
AIRWAY_MM2 = 900.0  # a smaller piece of a slice that is all air is an airway
KEEP_OFF_MM = 15.0  # from the tumour that is there


@dataclass(frozen=True)
class Source:
    """A chest: its name, the archive and file of its CT, those of its tumour's outline where it has one, and how many
    slices are averaged.
    """

    name: str
    archive: SourceArchive
    image: str
    tumour: str | None = None
    averaged: int = 1


SOURCES = (
    Source("thorax", TOTALSEGMENTATOR, "tests/reference_files/aorta_report/example_ct.nii.gz", averaged=2),
    Source("lung1", PYRADIOMICS, "data/lung1_image.nrrd", "data/lung1_label.nrrd"),
    Source("lung2", PYRADIOMICS, "data/lung2_image.nrrd", "data/lung2_label.nrrd"),
)


@dataclass(frozen=True, eq=False)
class Chest:
    """One chest, rows to the back and columns to the patient's left.

    Attributes:
        name: of its source.
        hu: (S, H, W) float32, pixels of 1 mm, the slices that show lung, from the feet up.
        lung: (S, H, W) bool, both lungs with their vessels, less what lies near a tumour.
        thickness_mm: of a slice.
        noise_hu: standard deviation in soft tissue that is alike throughout.
        noise_reach_mm: of a Gaussian that makes white noise as smooth as this chest's.
    """

    name: str
    hu: np.ndarray
    lung: np.ndarray
    thickness_mm: float
    noise_hu: float
    noise_reach_mm: float


@lru_cache(maxsize=3)
def chest(source: Source, root: Path | None = None) -> Chest:
    """The chest of `source`, from `root`, the cache or pip; see `engine.datasets.source_archives.member`.

    Raises:
        UnusableCollection: its files are in none of them.
    """
    hu, (thickness, row, column) = _volume(member(source.archive, source.image, root))
    tumour = np.zeros(hu.shape, bool)
    if source.tumour is not None:
        tumour = np.asarray(_volume(member(source.archive, source.tumour, root))[0] > 0)
    if source.averaged > 1:
        whole = len(hu) // source.averaged * source.averaged
        hu = hu[:whole].reshape(-1, source.averaged, *hu.shape[1:]).mean(axis=1)
        tumour = np.asarray(tumour[:whole].reshape(-1, source.averaged, *tumour.shape[1:]).any(axis=1))
    thickness *= source.averaged
    size = round(hu.shape[2] * column), round(hu.shape[1] * row)
    shrinks = max(row, column) <= 1
    fine = np.stack([cv2.resize(s, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC) for s in hu])
    fine = np.clip(fine, -1024, 3071)
    seen = np.stack([cv2.resize(s.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) for s in tumour]) > 0
    lung = _lungs(fine, thickness)
    if seen.any():
        away = np.asarray(ndimage.distance_transform_edt(~seen, sampling=(thickness, 1, 1)))
        lung &= away > KEEP_OFF_MM
    shows = lung.any(axis=(1, 2))
    noise, reach = _noise(fine[shows])
    return Chest(source.name, fine[shows], lung[shows], thickness, noise, reach)


def _volume(path: Path) -> tuple[np.ndarray, tuple[float, float, float]]:
    """(S, H, W) float32, rows to the back and columns to the left, and the spacing of slice, row and column in mm."""
    image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    column, row, slice_ = image.GetSpacing()
    return sitk.GetArrayFromImage(image).astype(np.float32), (slice_, row, column)


def _lungs(hu: np.ndarray, thickness: float) -> np.ndarray:
    """(S, H, W) bool: air inside the body, of a lung's size, with the vessels in it and without the airways."""
    inside = np.zeros(hu.shape, bool)
    for place, slice_ in enumerate(hu):
        body = ndimage.binary_opening(slice_ > LUNG_HU, iterations=2)
        pieces, count = cast(tuple[np.ndarray, int], ndimage.label(body))
        if count:
            largest = pieces == 1 + np.argmax(ndimage.sum_labels(body, pieces, range(1, count + 1)))
            inside[place] = ndimage.binary_fill_holes(largest)
    air = inside & (hu < LUNG_HU)
    for place, slice_ in enumerate(hu):
        pieces, count = cast(tuple[np.ndarray, int], ndimage.label(air[place]))
        for piece in range(1, count + 1):
            where = pieces == piece
            if where.sum() < AIRWAY_MM2 and np.median(slice_[where]) < -930:
                air[place][where] = False
    pieces, count = cast(tuple[np.ndarray, int], ndimage.label(air))
    sizes = ndimage.sum_labels(air, pieces, range(1, count + 1)) * thickness
    lungs = np.isin(pieces, 1 + np.flatnonzero(sizes >= SMALLEST_LUNG))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    return np.stack([cv2.morphologyEx(s.astype(np.uint8), cv2.MORPH_CLOSE, disc) for s in lungs]) > 0


def _noise(hu: np.ndarray) -> tuple[float, float]:
    """Standard deviation in HU, and reach in mm, of the noise in the calmest patches of soft tissue.

    A Gaussian of standard deviation r leaves neighbours of white noise with a correlation of exp(-1 / (4 r^2)).
    """
    side, deviations, correlations = 12, [], []
    for slice_ in hu[::2]:
        rows, columns = (n // side for n in slice_.shape)
        tiles = slice_[: rows * side, : columns * side].reshape(rows, side, columns, side).swapaxes(1, 2)
        tiles = tiles.reshape(-1, side, side)
        soft = (tiles.min(axis=(1, 2)) > -100) & (tiles.max(axis=(1, 2)) < 200)
        for tile in tiles[soft]:
            y, x = np.mgrid[:side, :side] - (side - 1) / 2
            rest = tile - tile.mean() - (tile * y).sum() / (y * y).sum() * y - (tile * x).sum() / (x * x).sum() * x
            deviations.append(float(rest.std()))
            correlations.append(float((rest[:, 1:] * rest[:, :-1]).mean() / max(rest.var(), 1e-6)))
    if not deviations:
        return 0.0, 0.5
    calm = np.argsort(deviations)[: max(len(deviations) // 5, 1)]
    correlation = float(np.clip(np.median(np.array(correlations)[calm]), 0.02, 0.9))
    return float(np.median(np.array(deviations)[calm])), float(np.sqrt(-0.25 / np.log(correlation)))
