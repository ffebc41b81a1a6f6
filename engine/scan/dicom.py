"""DICOM bytes -> Scan: the picture, what its numbers mean, and none of the header that names a person."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from pydicom.uid import UID

from engine.scan.colour import TURNED_GREY, has_colour
from engine.scan.dicom_coded import as_coded
from engine.scan.dicom_frames import frames
from engine.scan.dicom_grey import filled, read_grey
from engine.scan.dicom_header import Header, parse
from engine.scan.dicom_picture import COLOUR, Picture, describe
from engine.scan.dicom_place import read_places
from engine.scan.dicom_spacing import read_spacing
from engine.scan.record import Scan, default_window
from engine.scan.series import Slice
from engine.scan.tables import luminance, palette_table

KIND_OF_MODALITY = {
    "CR": "radiograph",
    "DX": "radiograph",
    "RG": "radiograph",
    "CT": "CT",
    "MR": "MR",
    "US": "ultrasound",
    "MG": "mammogram",
}
KIND_OF_CLASS = {  # words in the name of the storage class
    "Computed Radiography": "radiograph",
    "Digital X-Ray": "radiograph",
    "Mammography": "mammogram",
    "CT Image": "CT",
    "MR Image": "MR",
    "Ultrasound": "ultrasound",
}


def looks_like_dicom(data: bytes) -> bool:
    """Whether bytes without a preamble begin with the DICM mark, or with an element of group 2 or 8 in
    either byte order.
    """
    return data[:4] == b"DICM" or (data[:2] in (b"\x02\0", b"\x08\0") and data[3:4] == b"\0") or data[:3] == b"\0\x08\0"


@dataclass(frozen=True)
class OpenDicom:
    """A DICOM file whose header was read and found to be of a picture."""

    header: Header
    picture: Picture
    storage_class: UID


def has_grey_frames(data: bytes) -> bool:
    """Whether a DICOM file holds several pictures that are not in colour: slices, or a film.

    Raises:
        UnreadableScan, or whatever a damaged field leads pydicom to raise.
    """
    return _has_grey_frames(describe(*parse(data)))


def _has_grey_frames(picture: Picture) -> bool:
    return picture.frames > 1 and picture.photometric.startswith("MONOCHROME")


def open_dicom(data: bytes) -> OpenDicom:
    """Reads the header.

    Raises:
        UnreadableScan, or whatever a damaged field leads pydicom to raise.
    """
    header, syntax, storage_class = parse(data)
    return OpenDicom(header, as_coded(header, describe(header, syntax, storage_class)), storage_class)


def read_dicom(data: bytes) -> Scan:
    """The scan in a DICOM file, its frames in the order in which they stand there.

    Raises:
        UnreadableScan, or whatever a damaged field leads pydicom or a codec to raise.
    """
    return decode_dicom(open_dicom(data))[0]


def decode_dicom(opened: OpenDicom) -> tuple[Scan, list[Slice]]:
    """(the scan with its frames in the order in which they stand in the file, where each of them lies).

    Raises:
        UnreadableScan, or whatever a damaged field leads pydicom or a codec to raise.
    """
    header, picture = opened.header, opened.picture
    window, remarks = None, ()
    if picture.photometric in COLOUR:
        (pixels, remarks), bits = _colour(header, picture), picture.bits_stored
    elif picture.photometric == "PALETTE COLOR":
        table = palette_table(header, picture.signed)
        pixels, bits = filled(picture, frames(header, picture), [table]), table.bits
        remarks = (TURNED_GREY,) if table.coloured else ()
    else:
        pixels, window, remarks = read_grey(header, picture)
        bits = picture.bits_stored
    if window is None or window[0] + window[1] / 2 < pixels.min() or window[0] - window[1] / 2 > pixels.max():
        window = default_window(pixels, bits)
    spacing = read_spacing(header, picture.frames)
    scan = Scan.of(
        pixels,
        kind=_kind(header, opened.storage_class),
        spacing_mm=spacing.mm,
        window=window,
        bits=bits,
        tags=_tags(header, picture),
        spacing_at=spacing.at,
        pixel_aspect=spacing.aspect,
        remarks=(*remarks, spacing.remark) if spacing.remark else remarks,
        affine=spacing.affine,
        given=True,
    )
    return scan, read_places(header, picture, spacing, scan.sha256 if picture.frames == 1 else "")


def _colour(header: Header, picture: Picture) -> tuple[np.ndarray, tuple[str, ...]]:
    """(luminance of the stored colours, a remark where they are no grey)."""
    most, coloured = 2**picture.bits_stored - 1, []

    def watch(decoded: np.ndarray, differences: bool) -> None:
        if not coloured and decoded.ndim == 3 and has_colour(decoded, most, differences):
            coloured.append(TURNED_GREY)

    def grey(stored: np.ndarray) -> np.ndarray:
        return stored if stored.ndim == 2 else luminance(stored[..., 0], stored[..., 1], stored[..., 2])

    return filled(picture, frames(header, picture, watch), [grey]), tuple(coloured)


def _kind(header: Header, storage_class: UID) -> str:
    kind = KIND_OF_MODALITY.get(header.text("Modality"))
    return kind or next((kind for words, kind in KIND_OF_CLASS.items() if words in storage_class.name), "unknown")


def _tags(header: Header, picture: Picture) -> dict[str, str]:
    """The allow-listed tags that are there, each in the form that its meaning allows."""
    tags = {
        "Modality": _code(header.text("Modality")),
        "BodyPartExamined": _code(header.text("BodyPartExamined").upper()),
        "ViewPosition": _code(header.text("ViewPosition")),
        "PatientSex": header.text("PatientSex") if header.text("PatientSex") in ("M", "F", "O") else "",
        "PatientAge": _years(header.text("PatientAge")),
        "PhotometricInterpretation": picture.photometric,
        "Manufacturer": re.sub(r"[^A-Za-z0-9 .,&()/-]", "", header.text("Manufacturer"))[:40].strip(),
    }
    return {name: value for name, value in tags.items() if value}


def _code(text: str) -> str:
    """A DICOM code string, or nothing."""
    return text if re.fullmatch(r"[A-Z0-9_ ]{1,16}", text) else ""


def _years(text: str) -> str:
    """Whole years of an age string such as 045Y or 018M; 90+ above 89, as de-identified data has it."""
    match = re.fullmatch(r"(\d{1,3})([YMWD]?)", text)
    if not match:
        return ""
    years = int(match[1]) // {"": 1, "Y": 1, "M": 12, "W": 52, "D": 365}[match[2]]
    return "90+" if years > 89 else str(years)
