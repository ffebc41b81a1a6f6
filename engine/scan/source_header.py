"""What a DICOM file says of whose it is and where in a study it stands; read in a worker process."""

from __future__ import annotations

import io
from collections.abc import Sequence

from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge")
STUDY = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
)
SERIES = (
    "SeriesInstanceUID",
    "SeriesNumber",
    "Modality",
    "Laterality",
    "BodyPartExamined",
    "PatientPosition",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
)
INSTANCE = (
    "SOPClassUID",
    "SOPInstanceUID",
    "InstanceNumber",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "ImageLaterality",
    "PatientOrientation",
    "ViewPosition",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "SliceThickness",
    "BurnedInAnnotation",
    "PhotometricInterpretation",
    "BitsStored",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
)
KEPT = (*PATIENT, *STUDY, *SERIES, *INSTANCE)
NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID", "Rows", "Columns")
LONGEST = 1024  # letters of one value
START = 64 * 1024  # bytes in which a header mostly ends


def headers(contents: Sequence[bytes]) -> list[dict[str, list[str]] | None]:
    """The elements in KEPT of each file, as words; None for what is no DICOM file, or names no study."""
    return [_header(data) for data in contents]


def _header(data: bytes) -> dict[str, list[str]] | None:
    try:
        dataset = dcmread(io.BytesIO(data), stop_before_pixels=True, force=True, specific_tags=[*KEPT])
    except Exception:  # a damaged header leads pydicom to raise anything, and then there is no study
        return None
    found = {}
    with config.disable_value_validation():
        for name in KEPT:
            if words := _words(dataset, name):
                found[name] = words
    if not all(name in found and (not name.endswith("UID") or UID(found[name][0]).is_valid) for name in NEEDED):
        return None
    if not UID(found.get("FrameOfReferenceUID", [""])[0]).is_valid:
        found.pop("FrameOfReferenceUID", None)
    return found


def _words(dataset: Dataset, name: str) -> list[str]:
    try:
        value = dataset.get(name)
        words = [*map(str, value)] if isinstance(value, (list, MultiValue)) else [] if value is None else [str(value)]
        words = [word.strip(" \0") for word in words]
    except Exception:  # a value that is none of its kind counts as not there
        return []
    return words if all(len(word) <= LONGEST for word in words) and any(words) else []
