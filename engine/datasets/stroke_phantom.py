"""Ischaemic strokes of four sizes, implanted in drawn heads: the scan, the lesion, and the same head without it.

The head is `head_ct`'s. A lesion grows from a seed inside one of six arterial territories: middle, anterior and
posterior cerebral artery, left and right. It lowers attenuation by a few HU with a soft edge, blurs the border of grey
and white matter, and swells: sulci narrow and the midline gives way a little where it is large. Early ischaemic strokes
are subtle, and so are these.

Territories follow the description of Tatu, Moulin, Bogousslavsky and Duvernoy (Arterial territories of the human brain:
cerebral hemispheres, Neurology 1998; 50: 1699-1708), simplified to planes: the anterior artery keeps a strip along the
midline from the frontal pole to the parieto-occipital sulcus, which widens at the vertex; the posterior one the
occipital lobe, the lower inner temporal lobe and the thalamus; the middle one the rest of the hemisphere. Cerebellum
and brainstem belong to none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from engine.datasets.head_ct import (
    AIR,
    SLAB,
    Atlas,
    Grid,
    Patient,
    atlas,
    attenuation,
    in_head,
    nearest,
    sampled,
    scanned,
    to_atlas,
)

TERRITORIES = ("left MCA", "left ACA", "left PCA", "right MCA", "right ACA", "right PCA")
SHARES = np.array([0.38, 0.05, 0.07, 0.38, 0.05, 0.07])  # of lesions; most strokes are of the middle cerebral artery
SIDES = ("none", "left", "right", "both")
SIZES = ("very small", "small", "medium", "large")
VOLUMES_ML = ((0.6, 2.0), (3.0, 9.0), (15.0, 40.0), (60.0, 130.0))
MEAN_HU = 31.0  # of grey and white matter of the atlas
BLURRED = 0.35  # of the difference between grey and white matter that an infarct loses
STEP = 2  # voxels of the atlas a voxel of the lesion's grid


@lru_cache(maxsize=2)
def territories(root: Path | None = None) -> np.ndarray:
    """(X, Y, Z) of the atlas's grid: 1 + the place in `TERRITORIES`, 0 where there is none."""
    average = atlas(root)
    return np.where(average.brain, territory_at(*average.coordinates), 0).astype(np.uint8)


def territory_at(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """1 + the place in `TERRITORIES` of a place in the brain, 0 in the hindbrain.

    Args:
        x, y, z: millimetres to the right, to the front and upwards of the anterior commissure; they broadcast.
    """
    side = np.abs(x)
    hindbrain = (
        (z < -14 - 0.35 * (y + 45)) & (y < -38) | (side < 16) & (z < -6) & (y > -45) & (y < -8) | (z < -32) & (y < -25)
    )
    thalamus = (side < 21) & (y > -33) & (y < -4) & (z > -2) & (z < 17)
    occipital = (y < -66) & (z < 34) | (y < -54) & (side < 28) & (z < 30) | (y < -80)
    temporal = (z < -8) & (y < -18) & (y > -72) & (side < 46)
    posterior = thalamus | occipital | temporal
    deep = (side > 6) & (y > -35) & (y < 24) & (z < 28)
    strip = side < 15 + np.clip(z - 40, 0, None) * 0.45
    anterior = strip & (y > -58) & (z > -8) & ~deep & ~posterior
    kind = np.where(anterior, 2, np.where(posterior, 3, 1))
    return np.where(hindbrain, 0, kind + 3 * (x >= 0)).astype(np.uint8)


@dataclass(frozen=True)
class Lesion:
    """One infarct on the lesion's grid.

    Attributes:
        territory: place in `TERRITORIES`.
        size: place in `SIZES`.
        volume_ml: in the atlas's space.
        amount: (X/2, Y/2, Z/2) float32 in [0, 1], how much of each voxel is ischaemic.
        depth: HU that are lost where it is 1.
        swelling: mm that its edge is pushed outwards.
        centre: (3,) voxels of the atlas.
    """

    territory: int
    size: int
    volume_ml: float
    amount: np.ndarray
    depth: float
    swelling: float
    centre: np.ndarray

    @property
    def side(self) -> str:
        return TERRITORIES[self.territory].split()[0]


def draw_lesion(random: np.random.Generator, territory: int, size: int, root: Path | None = None) -> Lesion:
    """Grown from a random seed by nearness and chance until it has its volume, or has filled its territory."""
    average = atlas(root)
    tissue = _tissue(root)
    allowed = _allowed_voxels(random, territory, root) & tissue
    places = np.argwhere(allowed)
    centre = places[random.integers(len(places))]
    stretch = random.uniform(0.7, 1.4, 3)
    grid = np.indices(allowed.shape, dtype=np.float32)
    distance = np.sqrt(sum(((grid[k] - centre[k]) / stretch[k]) ** 2 for k in range(3)))
    rough = _stretched(random.normal(0, 1, (14, 14, 12)).astype(np.float32), allowed.shape)
    voxel_ml = STEP**3 * float(np.prod(average.scale)) / 1000
    wanted = random.uniform(*np.log(VOLUMES_ML[size]))
    count = max(3, min(int(np.exp(wanted) / voxel_ml), len(places)))
    radius = (3 * count / (4 * np.pi)) ** (1 / 3)
    score = np.where(allowed, distance + 0.35 * radius * rough, np.inf)
    core = score <= np.partition(score.ravel(), count - 1)[count - 1]
    amount = np.clip(ndimage.gaussian_filter(core.astype(np.float32), random.uniform(0.5, 0.9)), 0, 1)
    amount *= allowed | np.asarray(ndimage.binary_dilation(allowed), bool)
    return Lesion(
        territory,
        size,
        float(core.sum() * voxel_ml),
        amount,
        float(random.uniform(2.5, 6.5) + 0.5 * size),
        float(random.uniform(0.3, 0.8) * (0.4, 0.8, 1.6, 2.6)[size]),
        centre * float(STEP),
    )


def _allowed_voxels(random: np.random.Generator, territory: int, root: Path | None) -> np.ndarray:
    """A territory on the lesion's grid with borders of this patient's own: shifted smoothly by some millimetres, but
    not across the midline.
    """
    labels = territories(root)[::STEP, ::STEP, ::STEP]
    grid = np.indices(labels.shape, dtype=np.float32)
    for axis in range(3):
        grid[axis] += _stretched(random.normal(0, 2.2, (6, 6, 6)).astype(np.float32), labels.shape)
    same_side = (labels - 1) // 3 == territory // 3
    return (nearest(labels, grid) == territory + 1) & same_side & (labels > 0)


def _stretched(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """A small array linearly interpolated to `shape`, corners on corners."""
    for axis, count in enumerate(shape):
        places = np.linspace(0, values.shape[axis] - 1, count, dtype=np.float32)
        below = np.minimum(places.astype(np.intp), values.shape[axis] - 2)
        share = (places - below).reshape([-1 if k == axis else 1 for k in range(values.ndim)])
        low = np.take(values, below, axis)
        values = low + share * (np.take(values, below + 1, axis) - low)
    return values


@lru_cache(maxsize=2)
def _tissue(root: Path | None) -> np.ndarray:
    hu = ndimage.gaussian_filter(atlas(root).hu, 1.0)[::STEP, ::STEP, ::STEP]
    return (hu > 20) & (hu < 48) & (atlas(root).distance[::STEP, ::STEP, ::STEP] < -1)


@dataclass(frozen=True)
class Plan:
    """What is known of a patient before a head is drawn.

    Attributes:
        patient: seed of `Patient.draw`.
        ill: whether there is a stroke.
        strokes: (place in `TERRITORIES`, place in `SIZES`) of one or two, which a healthy patient would have had.
        random: draws the lesions.
    """

    patient: int
    ill: bool
    strokes: tuple[tuple[int, int], ...]
    random: np.random.Generator

    @classmethod
    def of(cls, seed: int, index: int) -> Plan:
        """Patient `index` of the stream `seed`: half of them have a stroke, one in twelve of those on both sides."""
        random = np.random.default_rng([seed, index])
        ill, both = bool(random.random() < 0.5), bool(random.random() < 1 / 12)
        patient, territory, size = int(random.integers(2**31)), int(random.choice(6, p=SHARES)), int(random.integers(4))
        strokes = ((territory, size),)
        if both:
            strokes += (((territory + 3) % 6, int(random.integers(3))),)
        return cls(patient, ill, strokes, random)

    @property
    def side(self) -> str:
        """One of `SIDES`."""
        sides = {territory // 3 for territory, _ in self.strokes}
        return "none" if not self.ill else "both" if len(sides) == 2 else SIDES[1 + sides.pop()]


@dataclass(frozen=True)
class Case:
    """One patient: what the scanner records, and what it would have recorded without the strokes.

    Attributes:
        hu: (S, H, W) float32.
        healthy: (S, H, W), the same head, noise and all, without lesions: the true counterfactual.
        mask: (S, H, W) of bool, where at least half of a voxel is ischaemic.
        territory: (S, H, W) uint8, 1 + the place in `TERRITORIES` in the middle of each voxel, 0 outside of them.
        lesions: one or two, none of a healthy patient.
    """

    hu: np.ndarray
    healthy: np.ndarray
    mask: np.ndarray
    territory: np.ndarray
    lesions: tuple[Lesion, ...]

    @property
    def side(self) -> str:
        sides = {lesion.side for lesion in self.lesions}
        return "none" if not sides else "both" if len(sides) == 2 else sides.pop()


def case(seed: int, index: int, grid: Grid, root: Path | None = None, present: bool | None = None) -> Case:
    """The patient that `Plan.of` plans.

    Args:
        present: with or without the strokes, whatever the plan says.
    """
    plan = Plan.of(seed, index)
    ill = plan.ill if present is None else present
    lesions = tuple(draw_lesion(plan.random, *stroke, root) for stroke in plan.strokes) if ill else ()
    return rendered(Patient.draw(plan.patient), lesions, grid, root)


def rendered(patient: Patient, lesions: tuple[Lesion, ...], grid: Grid, root: Path | None = None) -> Case:
    """The scan of a patient with and without these lesions."""
    average = atlas(root)
    points = grid.points()
    voxels = to_atlas(patient, points, average)
    head = in_head(voxels, average)
    territory = nearest(territories(root), voxels[:, :, len(SLAB) // 2])
    voxels = voxels[:, head]  # (3, n)

    def recorded(hu: np.ndarray) -> np.ndarray:
        whole = np.full(head.shape, AIR, np.float32)
        whole[head] = hu
        return scanned(patient, whole)

    healthy = recorded(attenuation(patient, voxels, average))
    if not lesions:
        return Case(healthy, healthy.copy(), np.zeros(healthy.shape, bool), territory, ())
    pushed = _swollen(voxels, lesions, average)
    hu, amount = attenuation(patient, pushed, average), np.zeros(head.shape, np.float32)
    for lesion in lesions:
        part = sampled(lesion.amount, pushed / STEP)
        part *= np.clip((hu - 14) / 6, 0, 1) * np.clip((60 - hu) / 10, 0, 1)  # fluid and bone lose nothing
        hu = hu - part * (lesion.depth + BLURRED * (hu - MEAN_HU))
        amount[head] = np.maximum(amount[head], part)
    return Case(recorded(hu), healthy, amount.mean(1) >= 0.5, territory, lesions)


def _swollen(voxels: np.ndarray, lesions: tuple[Lesion, ...], average: Atlas) -> np.ndarray:
    """Where each sample's tissue was before the lesions swelled: nearer to their centre.

    The shift fades with distance, and towards the skull, which does not give way.
    """
    pushed = voxels.copy()
    held = np.clip(-sampled(average.distance, voxels, outside=40.0) / 8, 0, 1)
    for lesion in lesions:
        away = voxels - lesion.centre.astype(np.float32)[:, None]
        distance = np.sqrt((away**2).sum(0))
        radius = (3 * lesion.volume_ml * 1000 / (4 * np.pi)) ** (1 / 3)
        share = distance / radius * np.exp(1 - distance / radius)  # rising to the lesion's edge, then falling
        pushed -= lesion.swelling * held * share * away / np.maximum(distance, 1e-3)
    return pushed
