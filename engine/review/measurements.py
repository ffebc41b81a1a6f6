"""What is measured on an annotation, in millimetres where the scan knows them, and the mask of the pixels it marks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.review.records import Annotation, Measurement, UnusableRecord
from engine.scan.record import KINDS, SPACING_AT, Scan


@dataclass(frozen=True)
class ScanFacts:
    """What must be known of a scan to measure on it without its pixels; it says nothing of the patient.

    Attributes:
        shape: (H, W) or (S, H, W).
        kind: of `engine.scan.record.KINDS`.
        spacing_mm, spacing_at: as `Scan` has them.
    """

    shape: tuple[int, ...]
    kind: str = "unknown"
    spacing_mm: tuple[float | None, ...] | None = None
    spacing_at: str = "patient"

    def __post_init__(self):
        object.__setattr__(self, "shape", tuple(int(side) for side in self.shape))
        if len(self.shape) not in (2, 3) or min(self.shape) < 1:
            raise UnusableRecord(f"A scan has the shape (H, W) or (S, H, W), got {self.shape}.")
        if self.kind not in KINDS or self.spacing_at not in SPACING_AT:
            raise UnusableRecord(f"No scan is of kind {self.kind!r:.40} with spacing at {self.spacing_at!r:.40}.")
        if self.spacing_mm is not None:
            spacing = tuple(None if step is None else float(step) for step in self.spacing_mm)
            if len(spacing) != len(self.shape) or not all(step is None or 0 < step < math.inf for step in spacing):
                raise UnusableRecord(f"A spacing has one positive number an axis, got {self.spacing_mm}.")
            object.__setattr__(self, "spacing_mm", spacing)

    @classmethod
    def of(cls, scan: Scan) -> ScanFacts:
        """Those of a scan."""
        return cls(scan.pixels.shape, scan.kind, scan.spacing_mm, scan.spacing_at)

    def to_json(self) -> dict[str, Any]:
        """Ready for JSON; `ScanFacts(**...)` gives it back."""
        spacing = None if self.spacing_mm is None else list(self.spacing_mm)
        return {"shape": list(self.shape), "kind": self.kind, "spacing_mm": spacing, "spacing_at": self.spacing_at}

    def plane(self, axis: int = 0) -> tuple[tuple[int, int], tuple[float, float] | None]:
        """Shape (rows, columns) of a picture, or of a volume's slices across `axis`, and their spacing in millimetres;
        None where that is not known.
        """
        axes = (0, 1) if len(self.shape) == 2 else tuple(other for other in range(3) if other != axis)
        row, column = (None, None) if self.spacing_mm is None else (self.spacing_mm[axes[0]], self.spacing_mm[axes[1]])
        shape = (self.shape[axes[0]], self.shape[axes[1]])
        return shape, None if row is None or column is None else (row, column)


def check_place(annotation: Annotation, facts: ScanFacts) -> None:
    """Whether an annotation lies on a scan.

    Raises:
        UnusableRecord: it is on a slice that is not there, or beyond the picture's edge.
    """
    if (annotation.slice is None) != (len(facts.shape) == 2):
        raise UnusableRecord("An annotation names a slice if the scan is a volume, and only then.")
    if annotation.slice is not None and annotation.slice >= facts.shape[annotation.axis]:
        raise UnusableRecord(
            f"The scan has {facts.shape[annotation.axis]} slices there; the annotation is on slice "
            f"{annotation.slice + 1}."
        )
    (rows, columns), _ = facts.plane(annotation.axis)
    inside = all(0 <= row <= rows and 0 <= column <= columns for row, column in annotation.points)
    if not inside or not all(row < rows and column + count <= columns for row, column, count in annotation.runs):
        raise UnusableRecord(f"The annotation reaches beyond the picture of {columns} x {rows} pixels.")


def mask_of(annotation: Annotation, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool on the annotation's plane: the pixels whose middle lies inside; for a brush those it covers.

    Args:
        shape: (rows, columns) of the plane. What lies beyond it is left out.

    Raises:
        UnusableRecord: a length or an angle, which mark no pixels.
    """
    if not annotation.encloses:
        raise UnusableRecord(f"An annotation of kind {annotation.kind} marks no pixels.")
    mask = np.zeros(shape, bool)
    if annotation.kind == "brush":
        for row, column, count in annotation.runs:
            if row < shape[0]:
                mask[row, column : column + count] = True
    elif annotation.kind == "box":
        (top, left), (bottom, right) = annotation.points
        rows, columns = (
            slice(*(max(0, math.ceil(end - 0.5)) for end in ends)) for ends in ((top, bottom), (left, right))
        )
        mask[rows, columns] = True
    elif annotation.kind == "area":
        (top, left), (bottom, right) = annotation.points
        row = ((np.arange(shape[0]) + 0.5 - (top + bottom) / 2) / ((bottom - top) / 2)) ** 2
        column = ((np.arange(shape[1]) + 0.5 - (left + right) / 2) / ((right - left) / 2)) ** 2
        mask[:] = row[:, None] + column[None] <= 1
    else:
        from skimage.draw import polygon  # takes a while to import

        rows, columns = polygon(*(np.asarray(annotation.points).T - 0.5), shape=shape)
        mask[rows, columns] = True
    return mask


def measured(annotation: Annotation, facts: ScanFacts, pixels: np.ndarray | None = None) -> tuple[Measurement, ...]:
    """Everything that is measured on an annotation.

    A length and an area are in millimetres where the spacing of their plane is known, else in pixels. An angle is that
    in the patient where the shape of the pixels is known. Mean and deviation (of all pixels, not of a sample) are of
    what `mask_of` gives; they are missing where that is empty.

    Args:
        pixels: (H, W) or (S, H, W) of the scan, for mean and deviation; None leaves them out.
    """
    shape, spacing = facts.plane(annotation.axis)
    unit, at = ("px", "") if spacing is None else ("mm", facts.spacing_at)
    row_mm, column_mm = spacing or (1.0, 1.0)
    points = [(row * row_mm, column * column_mm) for row, column in annotation.points]
    if annotation.kind == "length":
        return (Measurement("length", math.dist(*points), unit, at),)
    if annotation.kind == "angle":
        return (Measurement("angle", _angle(*points), "°"),)
    found = [Measurement("area", _area(annotation) * row_mm * column_mm, f"{unit}²", at)]
    if pixels is not None:
        plane = pixels if annotation.slice is None else np.take(pixels, annotation.slice, axis=annotation.axis)
        inside = plane[mask_of(annotation, shape)].astype(np.float64)
        if inside.size:
            grey = "HU" if facts.kind == "CT" else "grey levels"
            found += [Measurement("mean", inside.mean(), grey), Measurement("deviation", inside.std(), grey)]
    return tuple(found)


def box_around(annotation: Annotation) -> tuple[float, float, float, float]:
    """(first row, first column, last row, last column) around it, in the coordinates of its points."""
    if annotation.kind == "brush":
        rows = [row for row, _, _ in annotation.runs]
        left = min(column for _, column, _ in annotation.runs)
        right = max(column + count for _, column, count in annotation.runs)
        return float(min(rows)), float(left), float(max(rows) + 1), float(right)
    rows, columns = zip(*annotation.points)
    return min(rows), min(columns), max(rows), max(columns)


def _angle(one: tuple[float, float], corner: tuple[float, float], other: tuple[float, float]) -> float:
    """Degrees in [0, 180] between the two sides; 0 where one of them has no length."""
    (ax, ay), (bx, by) = ((end[0] - corner[0], end[1] - corner[1]) for end in (one, other))
    return math.degrees(abs(math.atan2(ax * by - ay * bx, ax * bx + ay * by)))


def _area(annotation: Annotation) -> float:
    """Pixels inside, exact for the outline as it was drawn."""
    if annotation.kind == "brush":
        return float(sum(count for _, _, count in annotation.runs))
    if annotation.kind in ("box", "area"):
        (top, left), (bottom, right) = annotation.points
        whole = (bottom - top) * (right - left)
        return whole if annotation.kind == "box" else math.pi / 4 * whole
    rows, columns = np.asarray(annotation.points).T
    return float(abs(rows @ np.roll(columns, -1) - columns @ np.roll(rows, -1)) / 2)
