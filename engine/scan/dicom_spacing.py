"""Millimetres between the pixels of a DICOM picture, and where they are measured."""

from __future__ import annotations

from dataclasses import dataclass

from engine.scan.dicom_header import Header


@dataclass(frozen=True)
class Spacing:
    """See `Scan`: spacing_mm, spacing_at, pixel_aspect."""

    mm: tuple[float, float] | None
    at: str
    aspect: float | None = None


def read_spacing(header: Header) -> Spacing:
    """What a file says of its pixels' size, the patient's own millimetres first (PS3.3 10.7.1).

    PixelSpacing is of the patient, unless it repeats the spacing of the detector or of the digitised film without having been
    calibrated (10.7.1.3). That of a detector becomes the patient's through EstimatedRadiographicMagnificationFactor.
    """
    places = list(header.groups("PixelMeasuresSequence"))
    patient, detector, film = (
        next(filter(None, (_pair(place, name) for place in places)), None)
        for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
    )
    plane = detector or film
    if patient and (patient != plane or header.text("PixelSpacingCalibrationType")):
        return Spacing(patient, "patient")
    if plane:
        enlarged = header.number("EstimatedRadiographicMagnificationFactor")
        if detector and enlarged is not None and enlarged >= 1:
            return Spacing((plane[0] / enlarged, plane[1] / enlarged), "patient")
        return Spacing(plane, "detector")
    aspect = _pair(header, "PixelAspectRatio")
    return Spacing(None, "patient", aspect[0] / aspect[1] if aspect else None)


def _pair(header: Header, name: str) -> tuple[float, float] | None:
    """Two numbers above 0, (row, column)."""
    numbers = header.numbers(name)
    return (numbers[0], numbers[1]) if len(numbers) == 2 and min(numbers) > 0 else None
