"""Where the voxels of a volume lie in the patient: millimetres, left-posterior-superior (LPS), as DICOM has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SAME_DIRECTION = (
    1e-2  # how far direction cosines may be from unit length, from a right angle, and from those of another slice
)
# Of the distance between slices: no slice of an even stack lies further from its place, even when written with few
# digits
UNEVEN = 0.2
FURTHEST = 1e5  # mm: what lies, or is, further apart is in no patient
FLAT = 1e-3  # of the product of the three spacings: axes that span less volume lie in one plane


def volume_affine(
    positions: Sequence[Sequence[float]],
    orientations: Sequence[Sequence[float]],
    plane_mm: tuple[float, float],
) -> np.ndarray | None:
    """The affine of evenly spaced, parallel slices, in the order in which they stand in the volume (PS3.3 C.7.6.2.1.1).

    Args:
        positions: S times ImagePositionPatient, (x, y, z) of the centre of each slice's first pixel, in millimetres.
        orientations: S times ImageOrientationPatient, or one for all: the direction in which columns are counted, then
            rows.
        plane_mm: (row, column) millimetres between pixel centres.

    Returns:
        (4, 4) float64: ``affine @ (slice, row, column, 1)`` is (x, y, z, 1) of a voxel's centre. None for slices that
        are not parallel, not evenly spaced, all in one place, or fewer than two. A tilted gantry, whose slices are
        shifted against each other, is no obstacle.
    """
    step = slice_step(positions)
    directions = np.asarray(orientations, np.float64)
    if step is None or directions.ndim != 2 or directions.shape[1] != 6 or not max(plane_mm) < FURTHEST:
        return None
    along = directions.mean(axis=0)
    column_direction, row_direction = along[:3], along[3:]
    lengths = np.linalg.norm(along.reshape(2, 3), axis=1)
    if (
        not np.abs(directions - along).max() <= SAME_DIRECTION
        or np.abs(lengths - 1).max() > SAME_DIRECTION
        or abs(column_direction @ row_direction) > SAME_DIRECTION
    ):
        return None
    affine = np.eye(4)
    affine[:3, 0] = step
    affine[:3, 1] = row_direction / lengths[1] * plane_mm[0]
    affine[:3, 2] = column_direction / lengths[0] * plane_mm[1]
    affine[:3, 3] = positions[0]
    return affine if _spans_space(affine) else None


def slice_step(positions: Sequence[Sequence[float]]) -> np.ndarray | None:
    """(3,) from each slice to the next, in millimetres; None where they are not evenly spaced, in one place, or fewer
    than two.
    """
    places = np.asarray(positions, np.float64)
    if places.ndim != 2 or places.shape[1] != 3 or len(places) < 2 or not (np.abs(places) < FURTHEST).all():
        return None
    step = (places[-1] - places[0]) / (len(places) - 1)
    length = float(np.linalg.norm(step))
    if length < 1e-6:
        return None
    even = places[0] + np.arange(len(places))[:, None] * step
    return step if np.linalg.norm(places - even, axis=1).max() <= UNEVEN * length else None


def checked_affine(affine: np.ndarray, spacing_mm: Sequence[float | None] | None) -> np.ndarray:
    """The affine as it is, after it was found to be one and to agree with the spacing of its volume.

    Raises:
        ValueError: in words that go on from "The affine of a volume must".
    """
    if affine.shape != (4, 4) or affine.dtype != np.float64:
        raise ValueError(f"be (4, 4) float64, got {affine.shape} {affine.dtype}")
    if not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)) or not _spans_space(affine):
        raise ValueError("be finite, end with the row 0 0 0 1 and have three axes that span space")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    said = [np.nan if step is None else step for step in spacing_mm or [None] * 3]
    if not np.allclose(lengths, said, rtol=1e-4, atol=0):
        raise ValueError(f"agree with the spacing, got steps of {np.round(lengths, 4).tolist()} mm and {spacing_mm}")
    return affine


def _spans_space(affine: np.ndarray) -> bool:
    axes = affine[:3, :3]
    return bool(abs(np.linalg.det(axes)) > FLAT * np.prod(np.linalg.norm(axes, axis=0)))
