"""The part of a scan that a network gets to see, found by the scan's own pixels: a head, an ultrasound beam, a film
without its rim.

Where pictures of two classes come from different sources, their crop, size and border give the class away. Each
function here is pure, takes nothing but the pixels, and so does the same to a picture of a collection and to an
uploaded scan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy import ndimage

from engine.preprocessing import enlarged

WORKING_SIDE = 256  # pixels; masks are found on a copy of this longest side
FAINT = 0.10  # of the 2nd to 99th percentile range; darker is background, even when Otsu's threshold is low
HEAD_MARGIN = 0.04  # of the head's longer side, left free on each side
BLACK = 0.03  # of the 99th percentile: outside an ultrasound beam nothing was measured
BEAM_TOP, BEAM_EDGE = 0.04, 0.02  # of height, of height and width: where maker's signs and skin lines stand
WEDGE = 0.08  # of a column's height may lie outside the beam
WIDEST_WEDGE = 0.20  # of the width, on each side
RIM = 0.03  # of height and width of a film: labels, collimator edges and the scanner's frame


@dataclass(frozen=True, eq=False)
class Levels:
    """The grey order of one picture laid on a fixed scale: equal numbers of its seen pixels in equal steps from 0 to 1.

    Brightness and contrast, which differ between sources, are gone; which of two pixels is brighter stays. `undo`
    brings a counterfactual back to the scan's units.

    Attributes:
        knots: (K,) float64, rising grey values in the scan's units.
        ranks: (K,) float64, rising from 0 to 1.
    """

    knots: np.ndarray
    ranks: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray, where: np.ndarray, count: int = 65) -> Levels:
        """From the pixels in `where`, (H, W) bool; `count` quantiles, equal ones merged."""
        if not where.any():
            raise ValueError("levels need at least one pixel")
        knots, first = np.unique(
            np.quantile(pixels[where].astype(np.float64), np.linspace(0, 1, count)), return_index=True
        )
        if len(knots) == 1:
            return cls(np.array([knots[0], knots[0] + 1]), np.array([0.0, 1.0]))
        ranks = first / (count - 1)
        return cls(knots, ranks / ranks[-1])

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Scan units to [0, 1] float32; darker and brighter than any seen pixel become 0 and 1."""
        return np.interp(pixels, self.knots, self.ranks).astype(np.float32)

    def undo(self, levelled: np.ndarray) -> np.ndarray:
        """[0, 1] to scan units, float32."""
        return np.interp(levelled, self.ranks, self.knots).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Crop:
    """A rectangle of one scan; it may reach beyond the scan.

    Attributes:
        top, left: of the rectangle's first pixel, in the scan's pixels; negative where it begins outside.
        height, width: in the scan's pixels.
        seen: (H, W) bool on the whole scan: which pixels keep their grey.
        fill: the grey of all others, in the units that `cut` gives.
        levels: brings the greys to levels from 0 to 1 as they are cut; None leaves them in the scan's units.
    """

    top: int
    left: int
    height: int
    width: int
    seen: np.ndarray
    fill: float
    levels: Levels | None = None

    def cut(self, pixels: np.ndarray) -> np.ndarray:
        """(H, W) of the scan to (height, width) float32, `fill` where nothing is seen; levels where there
        are `levels`.
        """
        self._check(pixels)
        pixels = pixels if self.levels is None else self.levels.apply(pixels)
        out = np.full((self.height, self.width), self.fill, np.float32)
        here, there = self._overlap(pixels.shape)
        out[there] = np.where(self.seen[here], pixels[here], np.float32(self.fill))
        return out

    def cut_mask(self, mask: np.ndarray) -> np.ndarray:
        """(H, W) bool on the scan to (height, width) bool; False where nothing is seen."""
        self._check(mask)
        out = np.zeros((self.height, self.width), bool)
        here, there = self._overlap(mask.shape)
        out[there] = mask[here] & self.seen[here]
        return out

    def put_back(self, grid: np.ndarray) -> np.ndarray:
        """A map over the rectangle, (h, w) of any size, to (H, W) float32 on the scan; 0 where nothing is seen."""
        fine = enlarged(grid, (self.height, self.width))
        out = np.zeros(self.seen.shape, np.float32)
        here, there = self._overlap(out.shape)
        out[here] = fine[there] * self.seen[here]
        return out

    def in_scan_units(self, pixels: np.ndarray, change: np.ndarray) -> np.ndarray:
        """A change in the units that `cut` gives, in the scan's.

        Args:
            pixels: (h, w), the scan in its own units on any grid; change: (h, w) on the same grid. What would leave the
                levels ends at the scan's darkest or brightest seen grey.

        Returns:
            (h, w) float32, 0 where nothing changes.
        """
        if self.levels is None:
            return change.astype(np.float32, copy=False)
        before = self.levels.apply(pixels)
        return self.levels.undo(before + change) - self.levels.undo(before)

    def span(self, of_cut: float) -> float:
        """How much of the scan's units the greys of the crop span, where they span `of_cut` in the units
        that `cut` gives.
        """
        return of_cut if self.levels is None else float(self.levels.knots[-1] - self.levels.knots[0])

    def _overlap(self, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part that scan and rectangle share, as slices of the scan and of the rectangle."""
        top, left = max(self.top, 0), max(self.left, 0)
        bottom, right = min(self.top + self.height, shape[0]), min(self.left + self.width, shape[1])
        here = slice(top, bottom), slice(left, right)
        return here, (slice(top - self.top, bottom - self.top), slice(left - self.left, right - self.left))

    def _check(self, array: np.ndarray) -> None:
        if array.shape != self.seen.shape:
            raise ValueError(f"this crop was found on a scan of shape {self.seen.shape}, got {array.shape}")


def whole_crop(pixels: np.ndarray) -> Crop:
    """All of the scan, (H, W), as it is."""
    _check_picture(pixels)
    height, width = pixels.shape
    return Crop(0, 0, height, width, np.ones(pixels.shape, bool), 0.0)


def inside_crop(pixels: np.ndarray) -> Crop:
    """The film, (H, W), without the outer 3 % at each edge (Zia et al. crop the borders, 4.2.1, and do not
    say how wide).
    """
    _check_picture(pixels)
    height, width = pixels.shape
    rows, columns = round(RIM * height), round(RIM * width)
    return Crop(rows, columns, height - 2 * rows, width - 2 * columns, np.ones(pixels.shape, bool), 0.0)


def head_mask(pixels: np.ndarray) -> np.ndarray:
    """Where the head is: the largest piece that stands out from the background, its holes filled.

    Args:
        pixels: (H, W), any units, the background darker than the head.

    Returns:
        (H, W) bool; all True when nothing like a head stands out.
    """
    _check_picture(pixels)
    small = cv2.medianBlur(_working_copy(pixels), 5)
    low, high = np.percentile(small, (2, 99))
    if not high > low:
        return np.ones(pixels.shape, bool)
    grey = np.clip((small - low) / (high - low), 0, 1)
    halves = cv2.threshold((grey * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
    side = max(grey.shape)
    head = _without_frame(grey > max(FAINT, halves / 2))
    head = np.asarray(ndimage.binary_fill_holes(_largest(_morphed(head, cv2.MORPH_CLOSE, 0.02 * side))))
    head = _largest(_morphed(head, cv2.MORPH_OPEN, 0.05 * side))
    if head.mean() < 0.02:
        return np.ones(pixels.shape, bool)
    return _like(head, pixels.shape)


def head_crop(pixels: np.ndarray) -> Crop:
    """A square around the head of which a disc is seen, everything beside the head in the background's grey.

    One scale for height and width, one margin, no texture beside the head and no straight cut through a neck: the rim
    of every picture looks the same. The disc's diameter is the square's side, 8 % more than the head's longer side.

    Args:
        pixels: (H, W), any units.
    """
    head = head_mask(pixels)
    rows, columns = np.flatnonzero(head.any(axis=1)), np.flatnonzero(head.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    side = round(max(bottom - top, right - left) * (1 + 2 * HEAD_MARGIN))
    middle = (top + bottom) / 2, (left + right) / 2
    y, x = np.ogrid[: head.shape[0], : head.shape[1]]
    disc = np.hypot(y + 0.5 - middle[0], x + 0.5 - middle[1]) <= side / 2
    fill = float(np.median(pixels[~head]) if not head.all() else pixels.min())
    seen = _morphed(head, cv2.MORPH_DILATE, 0.015 * side) & disc
    return Crop(round(middle[0] - side / 2), round(middle[1] - side / 2), side, side, seen, fill)


def levelled_head_crop(pixels: np.ndarray) -> Crop:
    """`head_crop` with the greys of what it shows brought to levels: contrast, which differs between scanners,
    sequences and with contrast medium, no longer sets two sources apart; the background is level 0.

    Args:
        pixels: (H, W), any units.
    """
    crop = head_crop(pixels)
    return replace(crop, fill=0.0, levels=Levels.of(pixels, crop.seen))


def beam_crop(pixels: np.ndarray) -> Crop:
    """The frame without its rim and, where a fan leaves black wedges in the upper corners, without most of these.

    Taken off are 4 % at the top and 2 % at the other edges, where the maker's sign, the probe's skin line and frame
    lines stand; then columns at either side as long as more than 8 % of them lies outside the beam, at most 20 % of the
    width. Height and width are not brought to one scale: what is shown differs with the depth that was set.

    Args:
        pixels: (H, W), any units, nothing measured = darkest.
    """
    _check_picture(pixels)
    height, width = pixels.shape
    top, bottom = round(BEAM_TOP * height), height - round(BEAM_EDGE * height)
    left, right = round(BEAM_EDGE * width), width - round(BEAM_EDGE * width)
    outside = _beside_beam(pixels)[top:bottom].mean(axis=0)  # (W,)
    furthest = round(WIDEST_WEDGE * width)
    while left < furthest and outside[left] > WEDGE:
        left += 1
    while right > width - furthest and outside[right - 1] > WEDGE:
        right -= 1
    return Crop(top, left, bottom - top, right - left, np.ones(pixels.shape, bool), 0.0)


def on_the_scan(grid: np.ndarray, crop: Crop) -> np.ndarray:
    """A map over a crop, (h, w), as a map over the whole scan with pixels of about the same size; 0 beside the crop."""
    height, width = crop.seen.shape
    if (crop.top, crop.left, crop.height, crop.width) == (0, 0, height, width) and crop.seen.all():
        return grid
    shape = [
        min(side, max(round(side * part / whole), 1))
        for side, part, whole in zip((height, width), grid.shape, (crop.height, crop.width))
    ]
    return cv2.resize(crop.put_back(grid), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)


# Name in a checkpoint's configuration -> how the crop is found.
CROPS: dict[str, Callable[[np.ndarray], Crop]] = {
    "whole": whole_crop,
    "head": head_crop,
    "levelled-head": levelled_head_crop,
    "beam": beam_crop,
    "inside": inside_crop,
}
LEVELLED = frozenset({"levelled-head"})  # those that bring greys to levels from 0 to 1


def _beside_beam(pixels: np.ndarray) -> np.ndarray:
    """(H, W) bool: black pieces of at least 0.5 % of the area that touch the upper part of the left or right edge."""
    small = cv2.medianBlur(_working_copy(pixels), 5)
    low, high = float(small.min()), float(np.percentile(small, 99))
    black = (small <= low + BLACK * (high - low)).astype(np.uint8)
    _, pieces, statistics, _ = cv2.connectedComponentsWithStats(black, connectivity=4)
    h = len(small)
    upper = pieces[h // 25 : max(h // 10, h // 25 + 1)]  # below the maker's sign
    touching = np.unique(np.concatenate([upper[:, :3].ravel(), upper[:, -3:].ravel()]))
    wedges = [piece for piece in touching if piece and statistics[piece, cv2.CC_STAT_AREA] > 0.005 * small.size]
    return _like(np.isin(pieces, wedges), pixels.shape)


def _check_picture(pixels: np.ndarray) -> None:
    if pixels.ndim != 2 or min(pixels.shape) < 16:
        raise ValueError(f"a picture must have shape (H, W) of at least 16 x 16, got {pixels.shape}")


def _working_copy(pixels: np.ndarray) -> np.ndarray:
    """(h, w) float32, the longest side at most `WORKING_SIDE`."""
    scale = WORKING_SIDE / max(pixels.shape)
    picture = np.ascontiguousarray(pixels, np.float32)
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture


def _like(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return cv2.resize(mask.astype(np.uint8), (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST).astype(bool)


def _morphed(mask: np.ndarray, operation: int, diameter: float) -> np.ndarray:
    size = max(3, round(diameter) | 1)
    return cv2.morphologyEx(
        mask.astype(np.uint8), operation, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    ).astype(bool)


def _largest(mask: np.ndarray) -> np.ndarray:
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    return pieces == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax() if count > 1 else mask


def _without_frame(mask: np.ndarray) -> np.ndarray:
    """The mask without lines along an edge that are set nearly throughout and end within 4 % of the side: a
    drawn frame.
    """
    mask = mask.copy()
    limit = max(2, round(0.04 * max(mask.shape)))
    for turns in range(4):
        lines = np.rot90(mask, turns)  # a view: writing to it writes to the mask
        drawn = int(np.argmin(np.append(lines[:limit].mean(axis=1) > 0.9, False)))
        if drawn < limit:
            lines[:drawn] = False
    return mask
