"""Heads without contrast as a CT scanner sees them, drawn from an average: a real brain atlas, warped for each patient,
in a drawn skull.

The atlas is `ct_brain_atlas_1mm.nii.gz` of TotalSegmentator 2.18.0 (Apache-2.0): the mean of many heads on a grid of
202 x 202 x 179 of 1 mm, brain only, about -30 to 385 HU with a background of 0. What an average lacks is drawn: air,
scalp and skull by their distance to the brain, texture, widened ventricles and sulci of old age, white-matter disease,
old small infarcts, the scanner's blur, noise and beam hardening. Simplified: no face, no eyes, bone of one thickness
all round, the same gyri in everybody but for the warp.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from scipy import ndimage

from engine.datasets.source_archives import TOTALSEGMENTATOR, member

ATLAS = "totalsegmentator/resources/ct_brain_atlas_1mm.nii.gz"
CSF, AIR = 8.0, -1000.0  # HU
# The box that the cerebrum and cerebellum fill, in millimetres from the anterior commissure (right, anterior,
# superior): the atlas is stretched to it, so that places can be named as brain atlases name them.
BOX = np.array([[-69.0, 69.0], [-104.0, 70.0], [-68.0, 80.0]])
COVERED_MM = 110.0  # what all slices of a drawn head together span
HEAD_MM = 26.0  # from the brain's surface to the air
FINE = 41  # steps along each axis at which a patient's warp is known
SLAB = (-0.33, 0.0, 0.33)  # where a slice of `thickness` is sampled, in shares of it


@dataclass(frozen=True)
class Atlas:
    """The average brain on a grid of 1 mm, axes right, anterior, superior.

    Attributes:
        hu: (X, Y, Z) float32.
        brain: (X, Y, Z) of bool, filled.
        distance: (X, Y, Z) float32, millimetres to the brain's surface, below 0 inside.
        ventricle: (X, Y, Z) float32, millimetres to the lateral ventricles.
        origin, scale: (3,) so that millimetres from the anterior commissure = origin + scale * voxel.
    """

    hu: np.ndarray
    brain: np.ndarray
    distance: np.ndarray
    ventricle: np.ndarray
    origin: np.ndarray
    scale: np.ndarray

    @cached_property
    def coordinates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Millimetres from the anterior commissure along each axis, shaped to broadcast over (X, Y, Z)."""
        return tuple(
            (self.origin[k] + self.scale[k] * np.arange(n, dtype=np.float32)).reshape(
                [-1 if j == k else 1 for j in range(3)]
            )
            for k, n in enumerate(self.hu.shape)
        )


@lru_cache(maxsize=2)
def atlas(root: Path | None = None) -> Atlas:
    """The atlas from `root`, the cache or pip; see `engine.datasets.source_archives.member`."""
    import nibabel

    picture = nibabel.as_closest_canonical(nibabel.load(member(TOTALSEGMENTATOR, ATLAS, root)))
    hu = picture.get_fdata(dtype=np.float32)
    solid = ndimage.binary_opening(hu > 2, iterations=2)
    labels, count = cast(tuple[np.ndarray, int], ndimage.label(solid))  # the stub allows a bare count
    largest = labels == 1 + np.argmax(ndimage.sum_labels(solid, labels, range(1, count + 1)))
    brain = np.asarray(ndimage.binary_fill_holes(ndimage.binary_closing(largest, iterations=4)))
    outside = np.asarray(ndimage.distance_transform_edt(~brain), np.float32)
    inside = np.asarray(ndimage.distance_transform_edt(brain), np.float32)
    lows, highs = zip(
        *((np.flatnonzero(brain.any(tuple(j for j in range(3) if j != k)))[[0, -1]]) for k in range(3)), strict=True
    )
    lows, highs = np.array(lows, np.float32), np.array(highs, np.float32)
    scale = ((BOX[:, 1] - BOX[:, 0]) / (highs - lows)).astype(np.float32)
    origin = (BOX[:, 0] - scale * lows).astype(np.float32)
    x, y, z = (origin[k] + scale[k] * np.arange(n) for k, n in enumerate(hu.shape))
    middle = (
        (np.abs(x) < 35)[:, None, None] & ((y > -60) & (y < 35))[None, :, None] & ((z > -5) & (z < 40))[None, None, :]
    )
    ventricles = ndimage.gaussian_filter(hu, 1.0) < 17
    ventricle = np.asarray(ndimage.distance_transform_edt(~(ventricles & middle & (inside > 12))), np.float32)
    return Atlas(hu, brain, outside - inside, ventricle, origin, scale)


@dataclass(frozen=True)
class Grid:
    """The slices of a scan: `slices` of `size` x `size` pixels of `pixel` mm, `spacing` mm apart and `thickness` mm
    thick; the lowest one `lowest` mm above the anterior commissure.
    """

    slices: int = 11
    size: int = 128
    pixel: float = 1.6
    spacing: float = 10.0
    thickness: float = 6.0
    lowest: float = -30.0

    def points(self) -> np.ndarray:
        """(3, S, T, H, W) millimetres right, anterior, superior of every sample; T samples through a slice.

        Rows run to the back and columns to the patient's left, as radiologists see a head.
        """
        side = (np.arange(self.size, dtype=np.float32) - (self.size - 1) / 2) * self.pixel
        levels = (
            self.lowest
            + self.spacing * np.arange(self.slices, dtype=np.float32)[:, None]
            + self.thickness * np.array(SLAB, np.float32)
        )
        grid = np.empty((3, self.slices, len(SLAB), self.size, self.size), np.float32)
        grid[0] = -side[None, None, None, :]
        grid[1] = -side[None, None, :, None] - 17.0  # the middle of the head lies behind the commissure
        grid[2] = levels[:, :, None, None]
        return grid


@dataclass(frozen=True)
class Patient:
    """All that is random about one head, drawn from a seed; the same with and without a lesion."""

    scale: np.ndarray
    angles: np.ndarray
    shift: np.ndarray
    bends: np.ndarray  # (3, 5, 5, 5) mm, a smooth warp
    atrophy: float  # mm that ventricles and sulci are widened
    white_matter: float  # HU that the white matter by the ventricles has lost
    skull: float  # mm
    bone: float  # HU
    texture: np.ndarray  # (24, 24, 16)
    noise: float  # HU, standard deviation
    hardening: np.ndarray  # (4,)
    seed: int

    @classmethod
    def draw(cls, seed: int) -> Patient:
        random = np.random.default_rng([seed, 1])
        age = random.beta(4, 2)  # 0 young, 1 old; strokes come late
        return cls(
            scale=1 + random.normal(0, [0.03, 0.03, 0.03]),
            angles=np.radians(random.normal(0, [3.0, 3.0, 5.0])),
            shift=random.normal(0, [2.0, 3.0, 2.5]),
            bends=ndimage.gaussian_filter(random.normal(0, 1, (3, 5, 5, 5)), (0, 0.7, 0.7, 0.7)).astype(np.float32) * 5,
            atrophy=float(3.0 * age**1.5 * random.uniform(0.5, 1.3)),
            white_matter=float(max(0.0, random.normal(9 * age - 3, 2.5))),
            skull=float(random.uniform(5, 8.5)),
            bone=float(random.uniform(850, 1250)),
            texture=random.normal(0, 1, (24, 24, 16)).astype(np.float32),
            noise=float(random.uniform(2.0, 3.6)),
            hardening=random.normal(0, [1.5, 1.5, 1.2, 1.2]).astype(np.float32),
            seed=seed,
        )


def sampled(volume: np.ndarray, voxels: np.ndarray, outside: float = 0.0) -> np.ndarray:
    """`volume` at fractional `voxels` (3, ...), linearly."""
    import torch  # twenty times faster than SciPy at this
    from torch.nn.functional import grid_sample

    shape = np.array(volume.shape, np.float32)[:, None]
    places = (voxels.reshape(3, -1) * (2 / (shape - 1)) - 1)[::-1].T.astype(np.float32)
    source = torch.from_numpy(np.ascontiguousarray(volume, np.float32) - np.float32(outside))[None, None]
    found = grid_sample(source, torch.from_numpy(np.ascontiguousarray(places))[None, None, None], align_corners=True)
    return found.numpy().reshape(voxels.shape[1:]) + np.float32(outside)


def nearest(labels: np.ndarray, voxels: np.ndarray, outside: float = 0) -> np.ndarray:
    """What the voxel nearest to each of `voxels` (3, ...) holds."""
    places = np.rint(voxels).astype(np.intp)
    last = np.array(labels.shape).reshape(3, *[1] * (voxels.ndim - 1)) - 1
    inside = ((places >= 0) & (places <= last)).all(0)
    x, y, z = np.clip(places, 0, last)
    return np.where(inside, labels[x, y, z], labels.dtype.type(outside))


def to_atlas(patient: Patient, points: np.ndarray, average: Atlas) -> np.ndarray:
    """Voxels of the atlas (3, ...) that a patient's `points` (3, ...) in mm show."""
    a, b, c = patient.angles
    turn = (
        np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        @ np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        @ np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    )
    flat = points.reshape(3, -1)
    # turned about the middle of the head
    centre = np.array([[0.0], [-17.0], [15.0]])
    moved = (turn @ (flat - centre)) / patient.scale[:, None] + centre + patient.shift[:, None]
    control = np.clip((moved - BOX[:, :1]) / (BOX[:, 1:] - BOX[:, :1]), 0, 1) * (FINE - 1)
    weights = _spline()
    fine = np.einsum("aijk,xi,yj,zk->axyz", patient.bends, weights, weights, weights, optimize=True)
    bend = np.stack([sampled(part, control) for part in fine])
    voxels = (moved + bend - average.origin[:, None]) / average.scale[:, None]
    return voxels.astype(np.float32).reshape(points.shape)


@lru_cache(maxsize=1)
def _spline() -> np.ndarray:
    """(FINE, 5): quadratic spline through five values at FINE places."""
    places = np.linspace(0, 4, FINE)[None]
    return np.stack([ndimage.map_coordinates(one, places, order=2, mode="nearest") for one in np.eye(5)], 1)


def in_head(voxels: np.ndarray, average: Atlas) -> np.ndarray:
    """(...) of bool: atlas `voxels` (3, ...) that may be anything but air."""
    return nearest(average.distance, voxels, outside=99.0) < HEAD_MM


def attenuation(patient: Patient, voxels: np.ndarray, average: Atlas) -> np.ndarray:
    """HU at atlas `voxels` (3, n): brain, its ageing, cerebrospinal fluid, skull, scalp and air; without noise."""
    hu = sampled(average.hu, voxels)
    depth = sampled(average.distance, voxels, outside=40.0)
    ventricle = sampled(average.ventricle, voxels, outside=80.0)
    texture = sampled(patient.texture, _texture_places(voxels, average, patient.texture.shape))
    hu = hu + 1.1 * texture.reshape(hu.shape)
    inside = np.clip(-depth, 0, None)
    grown = np.clip((patient.atrophy - ventricle) / 1.5 + 0.5, 0, 1) * (patient.atrophy > 0.3)
    hu = hu + grown * (CSF - hu)
    rim = 0.75 * np.clip(1 - inside / (1.5 + 1.2 * patient.atrophy), 0, 1) * np.clip(patient.atrophy / 3, 0, 1)
    hu = hu + rim * (CSF - hu) * (hu < 60)
    hu = hu - patient.white_matter * np.exp(-(((ventricle - 4) / 6) ** 2)) * (hu > 15) * (hu < 45)
    # outside of the brain, by distance
    ease = lambda edge: np.clip((depth - edge) / 1.0 + 0.5, 0, 1)
    fluid = 2.0 + 0.6 * patient.atrophy
    hu = np.where(depth > 0, CSF + (hu - CSF) * np.clip(1 - depth, 0, 1), hu)
    wall = patient.skull
    middle = np.clip(1 - np.abs(depth - fluid - wall / 2) / (wall / 4), 0, 1)
    bone = patient.bone - 0.35 * patient.bone * middle
    hu = hu + ease(fluid) * (bone - hu)
    hu = hu + ease(fluid + wall) * (np.clip(45 - 90 * (depth - fluid - wall) / 4, -80, 45) - hu)
    return (hu + ease(fluid + wall + 6.0) * (AIR - hu)).astype(np.float32)


def _texture_places(voxels: np.ndarray, average: Atlas, shape: tuple[int, ...]) -> np.ndarray:
    flat = voxels.reshape(3, -1)
    last = np.array(shape, np.float32)[:, None] - 1
    return np.clip(flat / np.array(average.hu.shape, np.float32)[:, None], 0, 1) * last


def scanned(patient: Patient, hu: np.ndarray) -> np.ndarray:
    """(S, H, W) as the scanner records (S, T, H, W): averaged through each slice, blurred, hardened and
    noisy, in whole HU.
    """
    slices = hu.mean(1)
    slices = ndimage.gaussian_filter(slices, (0, 0.55, 0.55))
    count, size = len(slices), slices.shape[-1]
    side = np.linspace(-1, 1, size, dtype=np.float32)
    a, b, c, d = patient.hardening
    cupping = (
        a * side[None, :]
        + b * side[:, None]
        + c * (side[None, :] ** 2 + side[:, None] ** 2)
        + d * np.sin(np.pi * side[:, None])
    )
    random = np.random.default_rng([patient.seed, 2])
    noise = random.normal(0, 1, (count, size, size)).astype(np.float32)
    noise = ndimage.gaussian_filter(noise, (0, 0.5, 0.5))
    noise *= patient.noise / noise.std()
    return np.clip(np.round(slices + (slices > -500) * cupping[None] + noise), -1024, 3071).astype(np.float32)
