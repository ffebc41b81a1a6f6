"""Small CT series as DICOM files, for the tests of volumes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from tests.scan.files import dicom, item

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
START, STEP, SPACING = (-20.0, -30.0, 100.0), 2.5, (0.8, 0.6)


def head(slices: int = 12, rows: int = 24, columns: int = 32) -> np.ndarray:
    """(S, H, W) int16 from -1000: an ellipsoid that is not symmetric, each slice unlike the others."""
    z, y, x = np.mgrid[-1 : 1 : slices * 1j, -1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    grain = np.random.default_rng(3).integers(-20, 20, z.shape)
    return (np.where(z**2 + y**2 + (x - 0.2 * z) ** 2 < 0.8, 40 + 100 * z + 60 * x - 30 * y, -1000) + grain).astype(
        np.int16
    )


def ct_slice(
    values: np.ndarray,
    position: Sequence[float],
    orientation: Sequence[float] = AXIAL,
    intercept: int = -1024,
    **elements,
) -> bytes:
    """A DICOM file of (H, W) Hounsfield units."""
    defaults = {
        "SOPClassUID": CTImageStorage,
        "Modality": "CT",
        "SeriesInstanceUID": "1.2.3",
        "StudyInstanceUID": "1.2",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "ImagePositionPatient": [f"{number:.6g}" for number in position],
        "ImageOrientationPatient": [f"{number:.8g}" for number in orientation],
        "PixelSpacing": list(SPACING),
        "RescaleSlope": 1,
        "RescaleIntercept": intercept,
        "BitsStored": 16,
        "InstanceNumber": 1,
    }
    return dicom((values.astype(np.int32) - intercept).astype(np.int16), **defaults | elements)


def series(
    volume: np.ndarray, step: Sequence[float] = (0.0, 0.0, STEP), start: Sequence[float] = START, **elements
) -> list[bytes]:
    """A DICOM file a slice, from the feet up; numbers run the other way, every other slice is rescaled otherwise."""
    return [
        ct_slice(
            values,
            np.add(start, np.multiply(step, place)),
            intercept=-1024 if place % 2 else -1000,
            **{"InstanceNumber": len(volume) - place} | elements,
        )
        for place, values in enumerate(volume)
    ]


def shuffled(files: Sequence[bytes], seed: int = 5) -> list[bytes]:
    return [files[place] for place in np.random.default_rng(seed).permutation(len(files))]


def enhanced(volume: np.ndarray, places: Sequence[int], **elements) -> bytes:
    """One enhanced CT file with a frame for each of `places`, in that order."""
    frames = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[START[0], START[1], START[2] + STEP * place])],
            FrameContentSequence=[item(StackID="1", InStackPositionNumber=int(place) + 1)],
        )
        for place in places
    ]
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(AXIAL))],
        PixelMeasuresSequence=[item(PixelSpacing=list(SPACING), SliceThickness=STEP)],
        PixelValueTransformationSequence=[item(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU")],
    )
    stored = (volume[list(places)].astype(np.int32) + 1024).astype(np.uint16)
    return dicom(
        stored,
        SOPClassUID=EnhancedCTImageStorage,
        Modality="CT",
        SeriesInstanceUID="1.2.3",
        StudyInstanceUID="1.2",
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
        **elements,
    )
