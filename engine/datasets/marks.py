"""What was burned into an ultrasound frame: caliper crosses, the dotted lines between them, letters and
maker's signs.
"""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np

WORKING_SIDE = 384  # pixels; marks are sought on a copy of this longest side, on which letters are about 12 pixels high
NEAR = 25  # pixels from a certain mark within which fainter strokes count as well
LONGEST_PIECE, HIGHEST_PIECE = 60, 40  # pixels
LETTER = 9  # pixels; lower pieces must not be much wider than high
ARM = 7  # pixels from end to end of a caliper cross, at least
CROSS = 16  # pixels; larger pieces end no dotted line
MOST_CROSSES = 24  # more pieces than that are text, of which no lines are drawn
DOTS = 0.75  # of a dotted line's length within two pixels of a dot


def burned_in(pixels: np.ndarray) -> np.ndarray:
    """Where marks are.

    Certain are upright crosses, and small pieces of thin strokes near white, steeper than tissue on their whole length
    and far brighter than what is around them; fainter strokes count within `NEAR` of these, and lines of dots between
    crosses. On 48 frames of the public breast collection with marks, looked at one by one, nearly all that was called
    is a mark. Missed are thin grey icons of the body and some letters and lines on bright tissue, so a change that lies
    on `burned_in` is on a mark, but one that does not may be on a mark too.

    Args:
        pixels: (H, W), bright = white; any units.

    Returns:
        (H, W) bool, two pixels (of the working copy) wider than the strokes.
    """
    if pixels.ndim != 2:
        raise ValueError(f"a picture must have shape (H, W), got {pixels.shape}")
    scale = WORKING_SIDE / max(pixels.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(pixels, np.float32), None, fx=scale, fy=scale, interpolation=how)
    low, high = float(small.min()), float(small.max())
    if not high > low:
        return np.zeros(pixels.shape, bool)
    grey = (small - low) / (high - low)
    raised = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, _disc(7))
    certain = _strokes(grey, raised, lifted=0.27, white=0.59, peak=0.73, steep=0.43, apart=0.43) | _crossings(raised)
    near = cv2.dilate(certain.astype(np.uint8), _disc(2 * NEAR)).astype(bool)
    faint = _strokes(grey, raised, lifted=0.16, white=0.40, peak=0.55, steep=0.28, apart=0.28)
    found = cv2.dilate((certain | (faint & near)).astype(np.uint8), _disc(5))
    for start, end in _dotted_lines(certain, raised):
        cv2.line(found, start, end, 1, thickness=5)
    return cv2.resize(found, (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_NEAREST).astype(bool)


def _strokes(
    grey: np.ndarray, raised: np.ndarray, lifted: float, white: float, peak: float, steep: float, apart: float
) -> np.ndarray:
    """(h, w) bool: small pieces that are thin and bright.

    Args:
        lifted, white: least top-hat and grey of each pixel.
        peak, steep, apart: of each piece, least maximum, least mean gradient within 3 x 3, and least difference of the
            maximum from the mean grey of what is around it and no candidate itself. All in shares of the frame's range.
    """
    candidates = ((raised > lifted) & (grey > white)).astype(np.uint8)
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8)
    pieces = np.asarray(pieces, np.int32)  # as they are
    area = statistics[:, cv2.CC_STAT_AREA]
    beside = (cv2.dilate(candidates, _disc(3)) == 0).astype(np.float32)
    around = cv2.blur(grey * beside, (21, 21)) / np.maximum(cv2.blur(beside, (21, 21)), 1e-3)
    gradient = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, _disc(3))
    means = [np.bincount(pieces.ravel(), values.ravel(), minlength=count) / area for values in (gradient, around)]
    brightest = np.zeros(count)
    np.maximum.at(brightest, pieces.ravel(), grey.ravel())
    small = (area >= 5) & (area < 400)
    width, height = statistics[:, cv2.CC_STAT_WIDTH], statistics[:, cv2.CC_STAT_HEIGHT]
    small &= (width < LONGEST_PIECE) & (height < HIGHEST_PIECE)
    small &= (height >= LETTER) | ((height >= LETTER / 2) & (width <= 2.5 * height))  # not the flat echo of a fascia
    stroke = small & (brightest > peak) & (means[0] > steep) & (brightest - means[1] > apart)
    stroke[0] = False  # everything that is no candidate
    return stroke[pieces]


def _crossings(raised: np.ndarray) -> np.ndarray:
    """(h, w) bool: upright crosses, also on bright tissue; no echo is thin both along and across."""
    across, down = np.ones((1, ARM), np.uint8), np.ones((ARM, 1), np.uint8)
    centre = np.minimum(cv2.erode(raised, across), cv2.erode(raised, down)) > 0.20
    arms = cv2.dilate(centre.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_CROSS, (ARM + 2, ARM + 2)))
    return arms.astype(bool) & (raised > 0.15)


def _dotted_lines(certain: np.ndarray, raised: np.ndarray) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Ends (x, y) of the straight lines between two crosses that have dots along nearly all their length."""
    count, _, statistics, centres = cv2.connectedComponentsWithStats(certain.astype(np.uint8), connectivity=8)
    sides = statistics[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    crosses = centres[1:][(sides <= CROSS).all(axis=1)] if count > 1 else np.empty((0, 2))
    if len(crosses) > MOST_CROSSES:
        return []
    dots = cv2.dilate((raised > 0.10).astype(np.uint8), _disc(5))
    lines = []
    for a, b in combinations(crosses, 2):
        length = np.hypot(*(b - a))
        if length < 2 * CROSS:
            continue
        along = np.linspace(a, b, int(length))[CROSS // 2 : -CROSS // 2].round().astype(int)  # (n, 2) x, y
        if dots[along[:, 1], along[:, 0]].mean() > DOTS:
            lines.append((tuple(a.round().astype(int).tolist()), tuple(b.round().astype(int).tolist())))
    return lines


def _disc(diameter: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter | 1, diameter | 1))
