"""`lung_phantom`: viral pneumonia drawn into real chests on CT, and the same chest without it.

Chests are those of `chest_cts`; each patient gets one of them, turned, scaled, smoothly bent and with noise of its own.
Pneumonia follows radiology's description of COVID-19 (Simpson et al. 2020, Radiology: Cardiothoracic Imaging 2:
e200152): several opacities in both lungs, more often near the pleura, at the back and below; ground glass, through
which vessels show, and consolidation in some, which hides them. Simplified: no reticulation, no halo, no effusion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from scipy import ndimage

from engine.datasets.chest_cts import AIR, SOURCES, Chest, chest
from engine.datasets.drawn_volumes import DrawnPatients
from engine.datasets.pictures import resized_slices
from engine.datasets.registry import register_collection

FINDINGS = ("Pneumonia",)
SIZES = ("very small", "small", "medium", "large")
VOLUMES_ML = ((1.0, 4.0), (4.0, 15.0), (15.0, 60.0), (60.0, 220.0))  # of all opacities together
COUNTS = ((1, 2), (1, 3), (2, 5), (3, 7))  # of opacities
SHARES = {"train": 0.6, "validation": 0.1, "test": 0.3}
CHESTS = {"train": ("thorax", "lung1"), "validation": ("thorax", "lung1"), "test": ("lung2",)}
HU_GLASS = (110.0, 320.0)  # that ground glass adds to air-filled lung
HU_SOLID = (10.0, 45.0)
CONSOLIDATED = 0.35  # of opacities have a solid core
THROUGH = np.array([-0.33, 0.0, 0.33])  # of a slice's thickness: where it is sampled
MOST = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What is known of a patient before the chest is drawn: `chest` by name, whether ill, the place in `SIZES`, and
    the seed of all else.
    """

    chest: str
    ill: bool
    size: int
    seed: int


@dataclass(frozen=True)
class Case:
    """One patient: hu (S, H, W) with the pneumonia and `healthy` without, where it is (mask) and the lungs."""

    hu: np.ndarray
    healthy: np.ndarray
    mask: np.ndarray
    lung: np.ndarray


@register_collection(
    "lung_phantom",
    title="chest CT with drawn pneumonia",
    kind="CT",
    terms="Pneumonia drawn by `engine/datasets/lung_phantom.py` into chests from the source archives of "
    "TotalSegmentator 2.18.0 (Wasserthal et al. 2023, Apache-2.0) and pyradiomics 3.0.1 (BSD-3-Clause).",
    needs_folder=False,
)
class LungPhantom(DrawnPatients):
    """`count` patients, one CT of the lungs each; half of them have pneumonia.

    Training and validation have two of the real chests, test the third, which nothing learned from. The two of
    pyradiomics hold a tumour, in every patient that is drawn in them, ill or not.

    Args:
        count: how many, at most a million.
        seed: another seed, other patients.
        size: side of a slice in pixels, 32 to 256.
        slices: how many, evenly through the lungs.
        root: a folder that holds the source archives or their files; the cache or pip when not given.

    Attributes:
        attributes: ``chest`` and ``lesion_size`` ("very small" to "large"; "" without pneumonia).
        grey_range: HU that a network's range should span.
    """

    findings = FINDINGS
    grey_range = (-1000.0, 200.0)
    masks = MappingProxyType({"mask": bool, "lung": bool})

    def __init__(
        self, count: int = 2000, seed: int = 1, size: int = 96, slices: int = 12, root: Path | None = None
    ) -> None:
        if not 1 <= count <= MOST:
            raise ValueError(f"count must be at least 1 and at most {MOST}, got {count}")
        if not 32 <= size <= 256 or not 1 <= slices <= 40:
            raise ValueError(f"size must be 32 to 256 and slices 1 to 40, got {size} and {slices}")
        super().__init__(seed, size, slices, root)
        self._plan = lru_cache(maxsize=None)(lambda index: plan(seed, index))
        plans = [self._plan(index) for index in range(count)]
        self.labels = np.array([[one.ill] for one in plans], np.float32)
        self.patients = np.array([f"lung-{seed}-{index:06d}" for index in range(count)])
        self.attributes = {
            "chest": np.array([one.chest for one in plans]),
            "lesion_size": np.array([SIZES[one.size] if one.ill else "" for one in plans]),
        }
        parts = np.array([part_of(seed, index) for index in range(count)])
        self._parts = {name: np.flatnonzero(parts == name) for name in SHARES}

    @property
    def description(self) -> str:
        return (
            f"drawn pneumonia ({self.name}), patients of seed {self.seed}, {len(self)} in all, {self.slices} slices of "
            f"{self.size} x {self.size}"
        )

    def case(self, index: int, present: bool | None = None) -> Case:
        planned = self._plan(index)
        source = next(one for one in SOURCES if one.name == planned.chest)
        return case(planned, chest(source, self._root), self.slices, self.size, present)

    def organ(self, index: int, size: int | None = None) -> np.ndarray:
        """The lungs, (S, size, size) or (S, H, W) bool."""
        return resized_slices(self.kept_mask("lung", index).astype(np.float32), size) >= 0.5


def part_of(seed: int, index: int) -> str:
    """The part that patient `index` belongs to."""
    at = np.random.default_rng([seed, index, 7]).random()
    bounds = np.cumsum(list(SHARES.values()))
    return list(SHARES)[min(int(np.searchsorted(bounds, at, side="right")), len(SHARES) - 1)]


def plan(seed: int, index: int) -> Plan:
    """Patient `index` of the stream `seed`: half of them are ill."""
    random = np.random.default_rng([seed, index])
    chests = CHESTS[part_of(seed, index)]
    return Plan(
        chests[int(random.integers(len(chests)))],
        bool(random.random() < 0.5),
        int(random.integers(len(SIZES))),
        int(random.integers(2**31)),
    )


@lru_cache(maxsize=3)
def _lung(base: Chest) -> np.ndarray:
    """(S, H, W) float32, which is sampled for every patient."""
    return base.lung.astype(np.float32)


def case(planned: Plan, base: Chest, slices: int, size: int, present: bool | None = None) -> Case:
    """The patient that `planned` describes.

    Args:
        present: with or without pneumonia, whatever the plan says.
    """
    random = np.random.default_rng(planned.seed)
    field_mm = 1.02 * max(base.hu.shape[1:])
    spacing = len(base.hu) * base.thickness_mm / slices
    places = _bent(random, base, slices, size, field_mm)  # (3, S, H, W) voxels of the chest
    through = THROUGH * spacing / base.thickness_mm
    layers = []
    for t in through:
        here = places.copy()
        here[0] = np.clip(here[0] + t, 0, len(base.hu) - 1)
        layers.append(ndimage.map_coordinates(base.hu, here, order=1, cval=AIR))
    healthy = np.mean(layers, axis=0, dtype=np.float32)
    lung = ndimage.map_coordinates(_lung(base), places, order=1)
    drawn = _opacities(random, planned.size, lung, spacing, field_mm / size)
    noise = ndimage.gaussian_filter(random.normal(0, 1, healthy.shape).astype(np.float32), (0, 0.6, 0.6))
    noise *= random.uniform(6, 16) / max(float(noise.std()), 1e-6)
    hu, mask = healthy, np.zeros(healthy.shape, bool)
    if planned.ill if present is None else present:
        glass, solid, cover = drawn
        hu = np.maximum(healthy, np.minimum(healthy + glass, 0.0))
        hu = hu + (np.maximum(solid, hu) - hu) * cover
        mask = (hu - healthy) > 60
    clipped = lambda volume: np.clip(np.round(volume + noise), -1024, 3071).astype(np.float32)
    return Case(clipped(hu), clipped(healthy), mask, lung >= 0.5)


def _bent(random: np.random.Generator, base: Chest, slices: int, size: int, field_mm: float) -> np.ndarray:
    """Where in the chest each voxel of the drawn scan lies, (3, S, H, W): turned, scaled, shifted and smoothly bent."""
    count, rows, columns = base.hu.shape
    side = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5) * field_mm
    height = ((np.arange(slices, dtype=np.float32) + 0.5) / slices) * count - 0.5
    angle, scale = random.uniform(-0.1, 0.1), random.uniform(0.9, 1.1, 2)
    y, x = np.meshgrid(side, side, indexing="ij")
    turned_y = (np.cos(angle) * y - np.sin(angle) * x) / scale[0] + random.normal(0, 4)
    turned_x = (np.sin(angle) * y + np.cos(angle) * x) / scale[1] + random.normal(0, 4)
    grid = np.empty((3, slices, size, size), np.float32)
    grid[0] = height[:, None, None]
    grid[1], grid[2] = turned_y + (rows - 1) / 2, turned_x + (columns - 1) / 2
    for axis, reach in enumerate((3.0 / base.thickness_mm, 5.0, 5.0)):
        control = random.normal(0, reach, (4, 5, 5)).astype(np.float32)
        wide = np.stack([cv2.resize(plane, (size, size), interpolation=cv2.INTER_CUBIC) for plane in control])
        at = np.linspace(0, len(control) - 1, slices)
        below = np.minimum(at.astype(int), len(control) - 2)
        share = (at - below).astype(np.float32)[:, None, None]
        grid[axis] += wide[below] * (1 - share) + wide[below + 1] * share
    grid[0] = np.clip(grid[0], 0, count - 1)  # no slice lies beyond the first or last of the chest
    return grid


def _opacities(
    random: np.random.Generator, size: int, lung: np.ndarray, spacing: float, pixel: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU that ground glass adds, HU of what is solid, and how much of each voxel is; (S, H, W) each."""
    inside = lung >= 0.5
    glass, solid, cover = (np.zeros(lung.shape, np.float32) for _ in range(3))
    points = np.argwhere(inside)
    if not len(points):
        return glass, solid, cover
    sampling = (spacing, pixel, pixel)
    pleura = np.asarray(ndimage.distance_transform_edt(np.pad(inside, 1), sampling=sampling))[1:-1, 1:-1, 1:-1]
    share = points / np.maximum(points.max(axis=0), 1)
    weight = np.exp(-pleura[inside] / 14.0) * (0.4 + (1 - share[:, 0])) * (0.4 + share[:, 1])
    number = int(random.integers(COUNTS[size][0], COUNTS[size][1] + 1))
    total = np.exp(random.uniform(*np.log(VOLUMES_ML[size]))) * 1000  # mm3
    parts = random.dirichlet(np.full(number, 2.0)) * total
    grid = np.indices(lung.shape, dtype=np.float32) * np.array(sampling, np.float32)[:, None, None, None]
    for volume in parts:
        centre = points[random.choice(len(points), p=weight / weight.sum())] * np.array(sampling)
        radius = (3 * volume / (4 * np.pi)) ** (1 / 3)
        stretch = random.uniform(0.75, 1.35, 3)
        distance = np.sqrt(sum(((grid[k] - centre[k]) / stretch[k]) ** 2 for k in range(3)))
        rough = ndimage.gaussian_filter(random.normal(0, 1, lung.shape).astype(np.float32), (0.7, 2.0, 2.0))
        rough *= 0.4 * radius / max(float(rough.std()), 1e-6)
        depth = radius - distance + rough * (distance < 3 * radius)
        soft = np.clip(depth / max(0.5 * pixel, 0.25 * radius) + 0.5, 0, 1) * lung
        patchy = 1 + 0.25 * np.clip(rough / (0.4 * radius), -2, 2)
        glass = np.maximum(glass, random.uniform(*HU_GLASS) * soft * np.clip(patchy, 0.4, 1.6))
        if random.random() < CONSOLIDATED:
            core = np.clip((depth - 0.45 * radius) / max(0.5 * pixel, 0.2 * radius) + 0.5, 0, 1) * soft
            cover = np.maximum(cover, core)
    solid[:] = random.uniform(*HU_SOLID)
    return glass, solid, cover
