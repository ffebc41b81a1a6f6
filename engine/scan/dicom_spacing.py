"""Millimetres between the pixels and slices of a DICOM file, where they are measured, and where a volume
lies in the patient.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.scan.dicom_header import Header
from engine.scan.geometry import slice_step, volume_affine

UNEVEN_FRAMES = "its slices are not evenly spaced"
SAME = 1e-3  # share by which two spacings may differ that were written with a few digits each
IN_ONE_PLACE = 1e-3  # mm: frames that lie no further apart are a series in time


@dataclass(frozen=True)
class Spacing:
    """See `Scan`: spacing_mm, spacing_at, pixel_aspect, affine; and a remark for the reader, "" for none."""

    mm: tuple[float | None, ...] | None
    at: str
    aspect: float | None = None
    affine: np.ndarray | None = None
    remark: str = ""


def read_spacing(header: Header, frames: int) -> Spacing:
    """What a file says of the size of its pixels and, of several frames, of the distance between them and
    of their place.
    """
    plane = _plane(header)
    return plane if frames == 1 else _of_volume(header, frames, plane)


def _of_volume(header: Header, frames: int, plane: Spacing) -> Spacing:
    """The third axis: by the positions of the slices, where they are given, else by SpacingBetweenSlices."""
    positions = _of_each_frame(header, frames, "PlanePositionSequence", "ImagePositionPatient", 3)
    affine, remark, between = None, "", None
    row, column = (plane.mm[0], plane.mm[1]) if plane.mm else (None, None)
    if len(positions) == frames:
        step = slice_step(positions)
        if step is not None:
            between = float(np.linalg.norm(step))
        elif np.ptp(positions, axis=0).max() > IN_ONE_PLACE:
            remark = UNEVEN_FRAMES
        orientations = _of_each_frame(header, frames, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
        if row is not None and column is not None and plane.at == "patient" and orientations:
            affine = volume_affine(positions, orientations, (row, column))
    else:
        said = [place.number("SpacingBetweenSlices") for place in header.groups("PixelMeasuresSequence")]
        between = next((abs(number) for number in said if number), None)
    mm = (between, row, column)
    return replace(plane, mm=mm if any(mm) else None, affine=affine, remark=remark)


def _of_each_frame(header: Header, frames: int, sequence: str, name: str, count: int) -> list[list[float]]:
    """`count` numbers for each frame, or once for all; empty where some frame has none."""
    for shared in header.items("SharedFunctionalGroupsSequence")[:1]:
        for item in shared.items(sequence)[:1]:
            if len(numbers := item.numbers(name)) == count:
                return [numbers]
    each = [
        numbers
        for frame in header.items("PerFrameFunctionalGroupsSequence")[:frames]
        for item in frame.items(sequence)[:1]
        if len(numbers := item.numbers(name)) == count
    ]
    if each:
        return each if len(each) == frames else []
    numbers = header.numbers(name)
    return [numbers] if len(numbers) == count else []


def _plane(header: Header) -> Spacing:
    """What a file says of its pixels' size, the patient's own millimetres first (PS3.3 10.7.1).

    PixelSpacing is of the patient, unless it repeats the spacing of the detector or of the digitised film without
    having been calibrated (10.7.1.3). That of a detector becomes the patient's through
    EstimatedRadiographicMagnificationFactor.
    """
    places = list(header.groups("PixelMeasuresSequence"))
    patient, detector, film = (
        next(filter(None, (_pair(place, name) for place in places)), None)
        for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    )
    plane = detector or film
    if patient and (plane is None or not _same(patient, plane) or header.text("PixelSpacingCalibrationType")):
        return Spacing(patient, "patient")
    if plane:
        enlarged = header.number("EstimatedRadiographicMagnificationFactor")
        if detector and enlarged is not None and enlarged >= 1:
            return Spacing((plane[0] / enlarged, plane[1] / enlarged), "patient")
        return Spacing(plane, "detector")
    aspect = _pair(header, "PixelAspectRatio")
    return Spacing(None, "patient", aspect[0] / aspect[1] if aspect else None)


def _same(first: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two spacings differ by no more than their rounding: a calibration changes more."""
    return bool(np.allclose(first, other, rtol=SAME, atol=0))


def _pair(header: Header, name: str) -> tuple[float, float] | None:
    """Two numbers above 0, (row, column)."""
    numbers = header.numbers(name)
    return (numbers[0], numbers[1]) if len(numbers) == 2 and min(numbers) > 0 else None
