"""How a nodule of LIDC looks on a CT slice: its outline as radiologists drew it, its inside as they rated it.

Outline: the contours of all readers through the middle of the nodule, averaged over readers and over the slices that a
slice of the chest holds. Inside, by the median ratings: attenuation and ground glass (texture), calcium
(calcification), width of the edge (margin), spicules (spiculation), undulation of the edge beyond what the contours
have (lobulation), contrast (subtlety). Malignancy is never drawn: whatever tells of it does so through the outline and
these six.

Numbers are those of radiology's textbooks and of the Fleischner Society's glossary (Hansell et al. 2008): solid tissue
is near 30 HU, ground glass adds 200 to 350 HU to lung and lets vessels show, calcium is above 200 HU. Simplified: one
slice, no air bronchogram, no cavity, no vessel that leads to the nodule; the edge is as wide all round.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from engine.datasets.lidc_annotations import Contour, Nodule, Reading

STEP_MM = 0.5  # of the grid that a nodule is drawn on; the chest's pixels are two steps
MARGIN_MM = 20.0  # drawn around the outline
BLUR_MM = 0.6  # of the scanner, standard deviation
EDGE_MM = {1: 2.4, 2: 1.7, 3: 1.2, 4: 0.6, 5: 0.2}  # margin: from poorly defined to sharp, standard deviation
SHOWS = {1: 0.55, 2: 0.65, 3: 0.8, 4: 0.92, 5: 1.0}  # subtlety: from extremely subtle to obvious, of the contrast
CORE = {1: None, 2: 0.7, 3: 0.45, 4: 0.15, 5: -1.0}  # texture: depth at which it is solid, of the half width
SPICULES = {1: (0, 0.0), 2: (3, 2.5), 3: (8, 4.5), 4: (12, 6.0), 5: (18, 8.0)}  # spiculation: how many, length in mm
LOBES = {1: 0.0, 2: 0.02, 3: 0.06, 4: 0.09, 5: 0.12}  # lobulation: of the half width
HU_SOLID, HU_GLASS, HU_CALCIUM = (30.0, 20.0), (280.0, 50.0), (420.0, 120.0)  # mean and standard deviation


@dataclass(frozen=True, eq=False)
class NodulePicture:
    """A nodule on a grid of 1 mm with itself in the middle.

    Attributes:
        cover: (n, n) float32, 0 to 1, how much of a pixel is solid.
        solid: (n, n) float32, HU of what is solid.
        glass: (n, n) float32, HU that are added where lung still holds air.
        outline: (n, n) bool, what at least half of the readers drew around.
    """

    cover: np.ndarray
    solid: np.ndarray
    glass: np.ndarray
    outline: np.ndarray

    @property
    def parts(self) -> tuple[np.ndarray, ...]:
        return self.cover, self.solid, self.glass, self.outline

    def on(self, background: np.ndarray, lung: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """The nodule in a piece of a chest, all (n, n) float32; `lung` 0 to 1, `noise` in HU, of what is solid."""
        ground = np.maximum(background, np.minimum(background + self.glass * lung, 0.0))
        cover = self.cover * lung
        return (ground * (1 - cover) + (self.solid + noise) * cover).astype(np.float32)


def middle_outline(nodule: Nodule, thickness_mm: float) -> np.ndarray:
    """(m, m) float32 of `STEP_MM`, 0 to 1: the share of readers and slices whose contour holds a point, the nodule in
    the middle with `MARGIN_MM` around it.

    Args:
        thickness_mm: what a slice of the chest averages over, about the middle of the nodule.
    """
    z = middle_z(nodule)
    slices = [_within(reading, z, max(thickness_mm, nodule.slice_mm) / 2) for reading in nodule.readings]
    points = np.concatenate([c.points for reading in slices for contours in reading.values() for c in contours])
    scale = nodule.spacing_mm / STEP_MM
    low, high = points.min(0) * scale, points.max(0) * scale
    side = int(np.ceil((high - low).max() + 2 * MARGIN_MM / STEP_MM)) // 2 * 2 + 2
    shift = side / 2 - (low + high) / 2
    drawn = []
    for reading in slices:
        layers = [_filled(contours, scale, shift, side) for contours in reading.values()]
        drawn.append(np.mean(layers, axis=0) if layers else np.zeros((side, side), np.float32))
    return np.stack(drawn).mean(axis=0).astype(np.float32)


def share_of_readers(nodule: Nodule, z: float, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) float32 on the scan's own pixels: the share of the readers whose contour on slice z holds a pixel."""
    from skimage.draw import polygon  # slow to load

    drawn = np.zeros(shape, np.float32)
    for reading in nodule.readings:
        contours = [c for c in reading.contours if abs(c.z_mm - z) < 1e-3]
        inside = np.zeros(shape, np.uint8)
        for contour in sorted(contours, key=lambda c: not c.inclusion):
            columns, rows = contour.points.T
            inside[polygon(rows, columns, shape)] = contour.inclusion
        drawn += inside / np.float32(len(nodule.readings))
    return drawn


def middle_z(nodule: Nodule) -> float:
    """The slice in mm nearest to the middle of what the readers outlined."""
    levels = np.array(sorted({c.z_mm for reading in nodule.readings for c in reading.contours if c.inclusion}))
    return float(levels[np.abs(levels - (levels[0] + levels[-1]) / 2).argmin()])


def _within(reading: Reading, z: float, reach: float) -> dict[float, list[Contour]]:
    """A reader's contours by slice, of the slices within `reach` of z; of none, those of the nearest slice."""
    levels = {c.z_mm for c in reading.contours}
    chosen = {level for level in levels if abs(level - z) <= reach + 1e-3} or {
        min(levels, key=lambda level: abs(level - z))
    }
    return {level: [c for c in reading.contours if c.z_mm == level] for level in chosen}


def _filled(contours: list[Contour], scale: float, shift: np.ndarray, side: int) -> np.ndarray:
    """(side, side) float32: 1 inside the contours, which run through the first pixels outside; 0 in holes."""
    from skimage.draw import polygon  # slow to load

    inside = np.zeros((side, side), np.uint8)
    for contour in sorted(contours, key=lambda c: not c.inclusion):
        columns, rows = (contour.points * scale + shift).T
        inside[polygon(rows, columns, inside.shape)] = contour.inclusion
    kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    smaller = cv2.erode(inside, kernel)  # half a pixel of 0.7 mm
    return (smaller if smaller.any() else inside).astype(np.float32)


def draw(nodule: Nodule, thickness_mm: float, random: np.random.Generator) -> NodulePicture:
    """The nodule as a chest of that slice thickness shows it; what the ratings leave open is drawn from `random`."""
    rating = nodule.rating
    share = middle_outline(nodule, thickness_mm)
    outline = share >= 0.5 if (share >= 0.5).any() else share >= share.max()
    depth = _depth(outline)
    width = max(float(depth.max()), 1.0)  # half of it, in mm
    depth = depth + _undulation(outline, LOBES[_of(rating("lobulation"))] * width, random)
    inside = (depth > 0).astype(np.float32)
    edge = float(np.hypot(EDGE_MM[_of(rating("margin"))], BLUR_MM))
    core = CORE[_of(rating("texture"))]
    solid = np.zeros_like(inside) if core is None else (depth > core * width).astype(np.float32) * inside
    cover = _blurred(solid, edge)
    spicules = _spicules(outline, depth, SPICULES[_of(rating("spiculation"))], width, random)
    dense = 0.0 if core is None else 1.0
    cover = np.maximum(cover, dense * _blurred(spicules, BLUR_MM))
    glass = np.zeros_like(cover)
    if core is None or core > 0:
        patchy = 1 + 0.2 * _smooth(random, inside.shape, 3.0)
        glass = _blurred(np.maximum(inside, 0.8 * spicules), edge) * random.normal(*HU_GLASS) * patchy
    tissue = random.normal(*HU_SOLID) + 12 * _smooth(random, inside.shape, 2.0)
    tissue += _calcium(rating("calcification"), depth, width, random) * max(random.normal(*HU_CALCIUM), 200.0)
    shows = SHOWS[_of(rating("subtlety"))]
    parts = (cover * shows, tissue, np.maximum(glass, 0) * shows)
    cover, tissue, glass = (_to_mm(part.astype(np.float32)) for part in parts)
    return NodulePicture(cover, tissue, glass, _to_mm(outline.astype(np.float32)) >= 0.5)


def noise_like(deviation: float, reach_mm: float, side: int, random: np.random.Generator) -> np.ndarray:
    """(side, side) float32 HU on a grid of 1 mm, as `engine.datasets.chest_cts.Chest` describes its own."""
    return (deviation * _unit(ndimage.gaussian_filter(random.standard_normal((side, side)), reach_mm))).astype(
        np.float32
    )


def _of(rating: int) -> int:
    return int(np.clip(rating, 1, 5))


def _depth(inside: np.ndarray) -> np.ndarray:
    """mm below the edge, negative outside."""
    below, beyond = (np.asarray(ndimage.distance_transform_edt(part), np.float32) for part in (inside, ~inside))
    return (below - beyond) * STEP_MM


def _angles(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angle of every point about the middle of the outline, and that middle (row, column)."""
    middle = np.array(ndimage.center_of_mass(inside))
    y, x = np.indices(inside.shape, dtype=np.float32)
    return np.arctan2(y - middle[0], x - middle[1]), middle


def _undulation(inside: np.ndarray, amplitude: float, random: np.random.Generator) -> np.ndarray:
    """mm that the edge is moved outwards, by direction: notches between lobes."""
    angle, _ = _angles(inside)
    moved = np.zeros_like(angle)
    for lobes in random.choice([3, 4, 5, 6, 7], 2, replace=False):
        moved += np.abs(np.sin(angle * lobes / 2 + random.uniform(0, 2 * np.pi))) - 0.64  # notches are narrow
    return amplitude * moved


def _spicules(
    inside: np.ndarray, depth: np.ndarray, wanted: tuple[int, float], width: float, random: np.random.Generator
) -> np.ndarray:
    """(m, m) float32, 0 to 1: strands that run outwards from the edge and taper."""
    canvas = np.zeros(inside.shape, np.uint8)
    angle, _ = _angles(inside)
    count, longest = wanted
    longest *= float(np.clip(width / 6, 0.7, 1.5))
    edge = np.argwhere(np.abs(depth) <= STEP_MM)
    for direction in random.uniform(-np.pi, np.pi, count) if len(edge) else ():
        towards = angle[edge[:, 0], edge[:, 1]] - direction
        root = edge[np.abs(np.angle(np.exp(1j * towards))).argmin()][::-1].astype(float)  # x, y
        turned = direction + random.normal(0, 0.3)
        along, across = np.array([np.cos(turned), np.sin(turned)]), np.array([-np.sin(turned), np.cos(turned)])
        length, thick = longest * random.uniform(0.5, 1.1) / STEP_MM, random.uniform(0.6, 1.1) / STEP_MM
        base = root - along * 1.5 / STEP_MM
        corners = [base - across * thick, base + across * thick, root + along * length]
        cv2.fillConvexPoly(canvas, np.rint(np.array(corners) * 16).astype(np.int32), 255, cv2.LINE_AA, shift=4)
    return canvas.astype(np.float32) / 255


def _calcium(rating: int, depth: np.ndarray, width: float, random: np.random.Generator) -> np.ndarray:
    """(m, m) 0 to 1, where calcium is: 1 popcorn, 2 laminated, 3 solid, 4 not central, 5 central, 6 none."""
    if rating >= 6:
        return np.zeros_like(depth)
    if rating == 3:
        return _blurred((depth > 0.15 * width).astype(np.float32), 0.8)
    if rating == 2:
        return _blurred(((depth / width * 3) % 1 > 0.5).astype(np.float32) * (depth > 0), 0.5)
    if rating == 5:
        return _blurred((depth > 0.6 * width).astype(np.float32), 0.8)
    places = np.argwhere(depth > 0.3 * width)
    spots = np.zeros_like(depth)
    y, x = np.indices(depth.shape)
    for row, column in places[random.integers(len(places), size=5 if rating == 1 else 2)] if len(places) else ():
        spots = np.maximum(spots, np.hypot(y - row, x - column) * STEP_MM < 0.25 * width)
    return _blurred(spots * (depth > 0), 0.6)


def _blurred(picture: np.ndarray, deviation_mm: float) -> np.ndarray:
    return np.asarray(ndimage.gaussian_filter(np.asarray(picture, np.float32), deviation_mm / STEP_MM))


def _smooth(random: np.random.Generator, shape: tuple[int, ...], reach_mm: float) -> np.ndarray:
    """Noise of mean 0 and standard deviation 1 that is alike within about `reach_mm`."""
    return _unit(ndimage.gaussian_filter(random.standard_normal(shape), reach_mm / STEP_MM))


def _unit(noise: np.ndarray) -> np.ndarray:
    return (noise - noise.mean()) / max(float(noise.std()), 1e-6)


def _to_mm(picture: np.ndarray) -> np.ndarray:
    """Steps of 0.5 mm to pixels of 1 mm, each the mean of four."""
    n = len(picture) // 2
    return picture[: 2 * n, : 2 * n].reshape(n, 2, n, 2).mean(axis=(1, 3))
