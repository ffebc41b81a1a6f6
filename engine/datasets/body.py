"""Which pixels of a film show the patient, rather than black borders, collimation, markers or text."""

from __future__ import annotations

import cv2
import numpy as np

WORKING_SIDE = 256  # pixels; the mask is found on a copy of this longest side
AIR = 0.16  # darker than this share of the 1st to 99th percentile range: air, border or lead
WIDEST_BAND = 0.15  # of the side
BAND_SPREAD = 0.15  # 10th to 90th percentile along a line of a band, same units as AIR
LETTER_CONTRAST = 0.12  # how much brighter than its surroundings a letter is, same units
LETTER_STEEPNESS = 0.25  # change within three pixels of the copy, same units
LETTER_WIDTH = 0.03  # of the longest side; thinner bright strokes can be letters
LARGEST_LETTER = 0.004  # of the picture's area


def body_mask(image: np.ndarray) -> np.ndarray:
    """Where the patient is.

    Air and lead are the dark regions that touch the picture's edge, so lungs stay inside the body; uniform bands along
    an edge go too; then the largest piece that survives an opening is kept, its holes filled, and small bright strokes
    (letters, arrows) on it are taken out. All limits are relative to the picture's own percentiles, so any grey range
    does.

    Args:
        image: (H, W) float32, bright = dense, any units.

    Returns:
        (H, W) bool; all True when the picture is constant or nothing like a body stands out.
    """
    if image.ndim != 2:
        raise ValueError(f"image must have shape (H, W), got {image.shape}")
    height, width = image.shape
    scale = min(1.0, WORKING_SIDE / max(height, width))
    small = (
        cv2.resize(image.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if scale < 1
        else image
    )
    low, high = np.percentile(small, (1, 99))
    if not high > low:
        return np.ones(image.shape, bool)
    grey = np.clip((small - low) / (high - low), 0, 2).astype(
        np.float32
    )  # (h, w); above 1 are letters whiter than any tissue
    bands = _bands(grey)
    body = _largest_piece(~_air(grey, bands) & ~bands)
    if body.mean() < 0.1:
        return np.ones(image.shape, bool)
    body &= ~_letters(grey)
    return cv2.resize(body.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)


def _disc(diameter: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter | 1, diameter | 1))


def _air(grey: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """(h, w) bool: dark regions that reach the edge of what the bands leave, or the line that some scanners
    draw along it.
    """
    dark = (cv2.medianBlur(grey, 5) < AIR).astype(np.uint8)
    _, pieces = cv2.connectedComponents(dark, connectivity=4)
    edge = (
        cv2.erode((~bands).astype(np.uint8), _disc(2 * _margin(grey)), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        == 0
    )
    touching = np.unique(pieces[edge])
    return np.isin(pieces, touching[touching > 0])


def _margin(grey: np.ndarray) -> int:
    return max(1, round(0.02 * max(grey.shape)))


def _bands(grey: np.ndarray) -> np.ndarray:
    """(h, w) bool: rows and columns along an edge that have one grey value over nearly all their length, up
    to a step.
    """
    found = np.zeros(grey.shape, bool)
    skipped = _margin(grey)  # lines along the edge itself may be broken
    for turns in range(4):
        lines, seen = np.rot90(grey, turns), np.rot90(found, turns)  # views: writing to `seen` writes to `found`
        spread = np.ptp(np.percentile(lines, (10, 90), axis=1), axis=0)
        limit, step = round(WIDEST_BAND * len(lines)), round(0.04 * len(lines))
        uniform = skipped + int(np.argmin(np.append(spread[skipped:limit] < BAND_SPREAD, False)))
        if skipped < uniform < limit and abs(np.median(lines[uniform + step]) - np.median(lines[uniform - 1])) > 0.15:
            seen[: uniform + 1] = True
    return found


def _largest_piece(candidates: np.ndarray) -> np.ndarray:
    """(h, w) bool: the largest piece after thin bridges and letters are opened away, holes filled."""
    opened = cv2.morphologyEx(candidates.astype(np.uint8), cv2.MORPH_OPEN, _disc(round(0.05 * max(candidates.shape))))
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return np.zeros(candidates.shape, bool)
    return _filled(pieces == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax())


def _letters(grey: np.ndarray) -> np.ndarray:
    """(h, w) bool: small strokes near white with edges sharper than any rib's."""
    side = max(grey.shape)
    raised = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, _disc(max(3, round(LETTER_WIDTH * side))))
    steepness = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, _disc(3))
    strokes = ((raised > LETTER_CONTRAST) & (grey > 0.8)).astype(np.uint8)
    count, pieces = cv2.connectedComponents(strokes, connectivity=8)
    area = np.bincount(pieces.ravel(), minlength=count)
    sharp = np.bincount(pieces.ravel(), (steepness > LETTER_STEEPNESS).ravel(), minlength=count) / area
    letters = np.flatnonzero((area <= LARGEST_LETTER * grey.size) & (sharp > 0.5))
    found = cv2.morphologyEx(np.isin(pieces, letters[letters > 0]).astype(np.uint8), cv2.MORPH_CLOSE, _disc(5))
    return _filled(cv2.dilate(found, _disc(3)).astype(bool))  # filled: arrows are drawn as outlines


def _filled(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool with its holes closed."""
    _, outside = cv2.connectedComponents(np.pad(~mask, 1, constant_values=True).astype(np.uint8), connectivity=4)
    return (outside != outside[0, 0])[1:-1, 1:-1]
