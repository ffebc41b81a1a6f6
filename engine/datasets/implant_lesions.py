"""Lesions for a real film: how much of the air in front of each pixel they fill, and what the film then shows.

A film's grey is taken as density, the logarithm of what comes through. A lesion fills air: where a share f of it is
filled, the density rises by f times what the lungs lack to the mediastinum's, attenuates what comes straight through
(Beer-Lambert) and leaves the scatter, so the same lesion shows less in front of the heart. Vessels within filled lung
lose their contrast, ribs keep theirs. Nothing is painted: the film's own grain, ribs and borders remain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.special import expit

from engine.datasets.lung_fields import SIDE, LungFields, stretched

AIRSPACE = (
    "Pneumonia",
    "Consolidation",
    "Infiltration",
    "Mass",
    "Nodule",
)  # one family: an eye tells them apart by degree only
LESIONS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
)
CONTRAST = 2.4  # density (natural logarithm) from the darkest to the brightest percentile of a film
SCATTER = 0.25  # of what reaches the film
VESSELS = (
    0.018  # of the width: finer detail than this within the lungs is vessels, which lose their contrast in filled lung
)
NOISE_SIDE = 160  # pixels of the grid that textures are drawn on
# strength (share of the air), softness of the edge, texture, roughness of the outline
LOOKS: Mapping[str, tuple[tuple[float, float], tuple[float, float], float, float]] = {
    "Pneumonia": ((0.25, 0.80), (0.20, 0.40), 0.35, 0.40),
    "Consolidation": ((0.45, 0.95), (0.10, 0.24), 0.18, 0.45),
    "Infiltration": ((0.20, 0.55), (0.25, 0.45), 0.50, 0.50),
    "Mass": ((0.50, 0.90), (0.05, 0.12), 0.12, 0.18),
    "Nodule": ((0.40, 0.85), (0.08, 0.18), 0.10, 0.12),
}


@dataclass(frozen=True)
class Place:
    """Where and how large, in shares of the picture's width and height.

    Attributes:
        x, y: of the middle.
        width, height: of the box around it.
    """

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Lesion:
    """One lesion, ready to be put into any size of its film.

    Attributes:
        fill: (H, W) -> (H, W) float32 in [0, 1], the share of the air that it fills; None for a heart that is only
            larger.
        warp: (columns, rows) in shares -> where each pixel's grey comes from, likewise; None where nothing moves.
    """

    fill: Callable[[tuple[int, int]], np.ndarray] | None = None
    warp: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None


def film_with(picture: np.ndarray, lungs: LungFields, lesions: Sequence[Lesion]) -> np.ndarray:
    """The film (H, W) with `lesions`, in the same units; the film itself where there are none."""
    if not lesions:
        return picture.copy()
    grey, low, high = stretched(picture)
    columns, rows = _grid(picture.shape)
    for lesion in lesions:
        if lesion.warp is not None:
            x, y = lesion.warp(columns, rows)
            height, width = picture.shape
            across, down = (x * width - 0.5).astype(np.float32), (y * height - 0.5).astype(np.float32)
            still = (np.abs(x - columns) < 1e-6) & (np.abs(y - rows) < 1e-6)
            moved = cv2.remap(grey, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            grey = np.where(still, grey, moved)
    clear = np.ones(picture.shape, np.float32)
    for lesion in lesions:
        if lesion.fill is not None:
            clear *= 1 - lesion.fill(picture.shape)
    filled = 1 - clear
    if filled.max() > 0:
        grey = _filled(grey, filled, lungs.tissue)
    return (grey * np.float32(high - low) + np.float32(low)).astype(np.float32)


def _filled(grey: np.ndarray, filled: np.ndarray, tissue: float) -> np.ndarray:
    sigma = VESSELS * grey.shape[1]
    coarse = cv2.GaussianBlur(grey, (0, 0), sigma)
    lack = np.clip(tissue + 0.02 - coarse, 0, None)  # of the mediastinum's density: the air in front of this pixel
    detail = (grey - coarse) * np.clip(lack / 0.15, 0, 1)
    through = np.exp(-CONTRAST * grey)
    scatter = np.minimum(SCATTER * cv2.GaussianBlur(through, (0, 0), 0.06 * grey.shape[1]), 0.6 * through)
    added = filled * lack / (1 - SCATTER) - 0.45 * filled * detail
    seen = (through - scatter) * np.exp(-CONTRAST * added) + scatter
    return np.where(filled > 1e-4, -np.log(seen) / CONTRAST, grey).astype(np.float32)


def make(
    finding: str, random: np.random.Generator, lungs: LungFields, place: Callable[[], Place], supine: bool
) -> list[Lesion]:
    """The lesions of one finding in one patient.

    Args:
        finding: one of `LESIONS`.
        place: draws a place as experts marked the finding, on any patient.
        supine: fluid spreads as a veil behind the lung instead of standing with a meniscus.
    """
    if finding == "Cardiomegaly":
        return [larger_heart(random, lungs, place())]
    if finding == "Effusion":
        first = int(place().x > 0.5)
        sides = [first] if random.random() < 0.65 else [0, 1]
        return [fluid(random, lungs, side, supine and random.random() < 0.5, place()) for side in sides]
    if finding == "Edema":
        return [veil(random, lungs)]
    if finding == "Atelectasis":
        plates = [plate(random, lungs, place()) for _ in range(random.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))]
        return plates if random.random() < 0.5 else [*plates, opacity("Infiltration", random, lungs, place())]
    count = 1 if finding in ("Mass",) or random.random() < 0.65 else 2
    return [opacity(finding, random, lungs, place()) for _ in range(count)]


def opacity(finding: str, random: np.random.Generator, lungs: LungFields, place: Place) -> Lesion:
    """Filled air spaces: a rough outline, soft edges, a texture of patches."""
    (least, most), softness, texture, roughness = LOOKS[finding]
    strength, soft = random.uniform(least, most), random.uniform(*softness)
    place, turn = _within(place, lungs), random.uniform(-0.5, 0.5)
    outline, patches = fractal(random, 2.0), 0.9 * fractal(random, 1.9) + 0.3 * fractal(random, 1.1)

    def fill(shape: tuple[int, int]) -> np.ndarray:
        columns, rows = _grid(shape)
        dx, dy = columns - place.x, rows - place.y
        across, down = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        distance = np.hypot(across / (0.5 * place.width), down / (0.5 * place.height))
        inside = expit((1.0 - distance + roughness * _sized(outline, shape)) / soft)
        return _share(strength * inside * (1 + texture * _sized(patches, shape)) * soft_lung(lungs, shape))

    return Lesion(fill)


def plate(random: np.random.Generator, lungs: LungFields, place: Place) -> Lesion:
    """A plate-like atelectasis: a thin band, a little bent, thinning out at both ends."""
    place, strength = _within(place, lungs), random.uniform(0.2, 0.65)
    half, thick = 0.5 * float(np.clip(place.width, 0.08, 0.28)), random.uniform(0.004, 0.011)
    outward = 1.0 if place.x > 0.5 else -1.0
    turn, bend = outward * random.normal(0.1, 0.3), random.normal(0, 0.6)
    rough = fractal(random, 1.6)

    def fill(shape: tuple[int, int]) -> np.ndarray:
        columns, rows = _grid(shape)
        dx, dy = columns - place.x, rows - place.y
        along, off = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        off = off - bend * (along**2 - half**2 / 3) + 0.004 * _sized(rough, shape)
        across = max(thick, 0.6 / shape[1])
        ends = expit((half - np.abs(along)) / (0.12 * half)) * (1 + 0.3 * _sized(rough, shape))
        return _share(strength * np.exp(-0.5 * (off / across) ** 2) * ends * soft_lung(lungs, shape))

    return Lesion(fill)


def fluid(random: np.random.Generator, lungs: LungFields, side: int, supine: bool, place: Place) -> Lesion:
    """Pleural fluid: it stands at the base with a meniscus that climbs the chest wall, or veils the lung of
    one who lies.
    """
    lung = (lungs.left, lungs.right)[side]
    left, top, right, bottom = lungs.extent(lung)
    height, width = bottom - top, right - left
    share = float(np.clip(0.9 * place.height / 0.55 * random.uniform(0.7, 1.2), 0.12, 0.85))
    strength = random.uniform(0.25, 0.6) if supine else random.uniform(0.75, 1.0)
    edge, climb, curve = random.uniform(0.010, 0.03), random.uniform(0.25, 0.6), random.uniform(0.9, 2.2)
    waves, patches = fractal(random, 2.0), fractal(random, 1.8)
    fluid_region = cv2.dilate(lung.astype(np.uint8), np.ones((1 + 2 * round(0.09 * SIDE), 3), np.uint8))
    fluid_region[: round((top + 0.25 * height) * SIDE)] = lung[: round((top + 0.25 * height) * SIDE)]

    def fill(shape: tuple[int, int]) -> np.ndarray:
        columns, rows = _grid(shape)
        inward = np.clip(
            (columns - left) / width if side == 0 else (right - columns) / width, 0, 1
        )  # 0 at the wall, 1 at the heart
        if supine:
            depth = np.clip((rows - top) / height, 0, 1)
            amount = strength * (0.35 + 0.65 * depth) * (1 + 0.15 * _sized(patches, shape))
        else:
            surface = bottom - share * height * (1 - climb * np.sin(0.5 * np.pi * inward) ** curve)
            amount = strength * expit((rows - surface + 0.006 * _sized(waves, shape)) / edge)
        return _share(amount * _softened(fluid_region, shape))

    return Lesion(fill)


def veil(random: np.random.Generator, lungs: LungFields) -> Lesion:
    """Oedema: a patchy veil around both hila, denser towards the bases."""
    strength, wide, basal = random.uniform(0.25, 0.75), random.uniform(0.35, 0.8), random.uniform(0.0, 0.8)
    uneven = random.uniform(0.75, 1.0, 2)
    patches, fine = fractal(random, 1.6), fractal(random, 0.8)
    hila = []
    for side, lung in enumerate((lungs.left, lungs.right)):
        left, top, right, bottom = lungs.extent(lung)
        hila.append((right if side == 0 else left, top + 0.52 * (bottom - top), bottom - top, top))

    def fill(shape: tuple[int, int]) -> np.ndarray:
        columns, rows = _grid(shape)
        amount = np.zeros(shape, np.float32)
        for (x, y, height, top), share, lung in zip(hila, uneven, (lungs.left, lungs.right)):
            near = np.exp(-(((columns - x) / (wide * 0.7 * height)) ** 2) - ((rows - y) / (wide * height)) ** 2)
            down = 1 - basal * (1 - np.clip((rows - top) / height, 0, 1))
            amount += (share * near * down * _softened(lung, shape)).astype(np.float32)
        return _share(strength * amount * (1 + 0.35 * _sized(patches, shape) + 0.12 * _sized(fine, shape)))

    return Lesion(fill)


def larger_heart(random: np.random.Generator, lungs: LungFields, place: Place) -> Lesion:
    """An enlarged heart: the film stretched about its middle, more to the patient's left, the chest wall
    staying where it is.
    """
    left_extent, right_extent = lungs.extent(lungs.left), lungs.extent(lungs.right)
    top, bottom = min(left_extent[1], right_extent[1]), max(left_extent[3], right_extent[3])
    low = slice(round((top + 0.55 * (bottom - top)) * SIDE), round((top + 0.9 * (bottom - top)) * SIDE))
    inner = [np.flatnonzero(lungs.left[low].any(axis=0)), np.flatnonzero(lungs.right[low].any(axis=0))]
    start = inner[0][-1] / SIDE if len(inner[0]) else left_extent[2]
    stop = inner[1][0] / SIDE if len(inner[1]) else right_extent[0]
    x, y = 0.5 * (start + stop), top + 0.72 * (bottom - top)
    half, thorax = max(0.5 * (stop - start), 0.05), right_extent[2] - left_extent[0]
    growth = float(
        np.clip(place.width / 0.85 * thorax / (2 * half) * random.uniform(0.9, 1.1), 1.15, 1.5)
    )  # of a chest 0.85 wide
    wide, high = 0.56 * thorax, 0.55 * (bottom - top)
    bump_there = (1 - min((half * growth / wide) ** 2, 0.8)) ** 2
    pull = float(np.clip((1 - 1 / growth) / bump_there, 0.05, 0.55))

    def warp(columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dx, dy = columns - x, rows - y
        bump = np.clip(1 - (dx / wide) ** 2 - (dy / np.where(dy > 0, 0.7 * high, high)) ** 2, 0, 1) ** 2
        left_more = 0.55 + 0.45 * expit(dx / (0.3 * half))
        return x + dx * (1 - pull * left_more * bump), y + dy * (1 - 0.35 * pull * bump)

    return Lesion(warp=warp)


def fractal(random: np.random.Generator, steepness: float) -> np.ndarray:
    """(160, 160) float32 noise of mean 0 and variance 1 whose amplitude falls with frequency to the power
    `steepness`.
    """
    frequency = np.hypot(np.fft.fftfreq(NOISE_SIDE)[:, None], np.fft.rfftfreq(NOISE_SIDE)[None, :])
    frequency[0, 0] = 1
    shape = frequency.shape
    spectrum = (random.standard_normal(shape) + 1j * random.standard_normal(shape)) / np.maximum(
        frequency, 2 / NOISE_SIDE
    ) ** steepness
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, s=(NOISE_SIDE, NOISE_SIDE))
    return (noise / noise.std()).astype(np.float32)


def soft_lung(lungs: LungFields, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) float32: 1 well within the lungs, falling to 0 a little beyond their borders."""
    return _softened(cv2.dilate(lungs.both.astype(np.uint8), np.ones((5, 5), np.uint8)), shape)


def _softened(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return _sized(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.015 * SIDE), shape)


def _within(place: Place, lungs: LungFields) -> Place:
    """The same box, sized for these lungs, its middle moved to the nearest point of the lung of its side where it lies
    outside.
    """
    lung = lungs.left if place.x < 0.5 else lungs.right
    height = lungs.extent(lung)[3] - lungs.extent(lung)[1]
    scale = float(np.clip(height / 0.5, 0.6, 1.3))
    rows, columns = np.nonzero(lung)
    x, y = (columns + 0.5) / SIDE, (rows + 0.5) / SIDE
    nearest = int(np.argmin((x - place.x) ** 2 + (y - place.y) ** 2))
    away = np.hypot(x[nearest] - place.x, y[nearest] - place.y)
    middle = (place.x, place.y) if away < 1.5 / SIDE else (float(x[nearest]), float(y[nearest]))
    return Place(*middle, place.width * scale, place.height * scale)


def _grid(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Columns (1, W) and rows (H, 1) of pixel centres in shares, as full (H, W) arrays."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return (columns + 0.5) / shape[1], (rows + 0.5) / shape[0]


def _sized(grid: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return cv2.resize(
        grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC if max(shape) > len(grid) else cv2.INTER_AREA
    )


def _share(amount: np.ndarray) -> np.ndarray:
    return np.clip(amount, 0, 1).astype(np.float32)
