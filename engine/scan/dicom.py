"""DICOM bytes -> Scan: the picture, what its numbers mean, and none of the header that names a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
from pydicom.uid import UID

from engine.scan.dicom_frames import COLOUR, Picture, describe, frames
from engine.scan.dicom_header import Header, parse
from engine.scan.record import Scan, UnreadableScan, default_window
from engine.scan.tables import lookup_table, luminance, palette_table

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
BAND = 1 << 22  # pixels converted at a time, so that float64 stays small
Units = Callable[[np.ndarray], np.ndarray]  # stored values -> the scanner's units


def looks_like_dicom(data: bytes) -> bool:
    """Whether bytes without the DICM mark begin with an element of group 2 or 8, in either byte order."""
    return data[:2] in (b"\x02\0", b"\x08\0") and data[3:4] == b"\0" or data[:3] == b"\0\x08\0"


def read_dicom(data: bytes) -> Scan:
    """The scan in a DICOM file.

    Raises:
        UnreadableScan, or whatever a damaged field leads pydicom or a codec to raise.
    """
    header, syntax, storage_class = parse(data)
    picture = describe(header, syntax, storage_class)
    if picture.photometric in COLOUR:
        pixels, span, bits = _colour(header, picture), None, picture.bits_stored
    elif picture.photometric == "PALETTE COLOR":
        table = palette_table(header, picture.signed)
        pixels, span, bits = _filled(picture, frames(header, picture), [table]), None, table.bits
    else:
        pixels, span = _grey(header, picture)
        bits = picture.bits_stored
    window = None
    if picture.photometric.startswith("MONOCHROME"):
        window = _window(header, picture.signed)
        if window is not None and span is not None:
            window = sum(span) - window[0], window[1]
    if window is None or window[0] + window[1] / 2 < pixels.min() or window[0] - window[1] / 2 > pixels.max():
        window = default_window(pixels, bits)
    return Scan.of(
        pixels,
        kind=_kind(header, storage_class),
        spacing_mm=_spacing(header),
        window=window,
        bits=bits,
        tags=_tags(header, picture),
    )


def _grey(header: Header, picture: Picture) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Pixels in the scanner's units, and for MONOCHROME1 the (low, high) about whose middle it was turned over."""
    units = _units(header, picture)
    holes = _padding(header, picture)
    mask = np.zeros(picture.shape, bool) if holes else None

    def stored() -> Iterator[np.ndarray]:
        for index, array in enumerate(frames(header, picture)):
            if holes:
                np.logical_and(array >= holes[0], array <= holes[1], out=mask[index])
            yield array

    pixels = _filled(picture, stored(), units)
    span = None
    if picture.photometric == "MONOCHROME1":
        ends = picture.stored_range
        values = np.concatenate([one(np.asarray(ends)) for one in units]) if ends else pixels
        span = float(values.min()), float(values.max())
        np.subtract(np.float32(sum(span)), pixels, out=pixels)
    if holes and mask.any():
        if mask.all():
            raise UnreadableScan("Every pixel of the picture is padding; send a picture that shows something.")
        mask = mask.reshape(pixels.shape)
        pixels[mask] = pixels.min(where=~mask, initial=np.inf)
    return pixels, span


def _filled(picture: Picture, stored: Iterator[np.ndarray], units: list[Units]) -> np.ndarray:
    """(H, W) float32, or (S, H, W) of several frames; frame k goes through units[k], or through the only one."""
    pixels = np.empty(picture.shape if picture.frames > 1 else picture.shape[1:], np.float32)
    slices = pixels.reshape(picture.shape)
    step = max(1, BAND // picture.columns)
    for index, array in enumerate(stored):
        convert = units[index] if len(units) > 1 else units[0]
        for top in range(0, picture.rows, step):
            slices[index, top : top + step] = convert(array[top : top + step])
    return pixels


def _colour(header: Header, picture: Picture) -> np.ndarray:
    """Luminance of the stored colours."""

    def grey(stored: np.ndarray) -> np.ndarray:
        return stored if stored.ndim == 2 else luminance(stored[..., 0], stored[..., 1], stored[..., 2])

    return _filled(picture, frames(header, picture), [grey])


def _units(header: Header, picture: Picture) -> list[Units]:
    """What turns stored values into the scanner's units: one for all frames, or one a frame."""
    for item in header.items("ModalityLUTSequence")[:1]:
        return [lookup_table(item, picture.signed)]
    if header.has("RescaleSlope"):
        return [_linear(header)]
    for shared in header.items("SharedFunctionalGroupsSequence")[:1]:
        for item in shared.items("PixelValueTransformationSequence")[:1]:
            return [_linear(item)]
    each = [
        _linear(item)
        for frame in header.items("PerFrameFunctionalGroupsSequence")[: picture.frames]
        for item in frame.items("PixelValueTransformationSequence")[:1]
    ]
    if len(each) == picture.frames:
        return each
    return [lambda stored: stored]


def _linear(header: Header) -> Units:
    slope, intercept = header.number("RescaleSlope"), header.number("RescaleIntercept") or 0.0
    if not slope:
        raise UnreadableScan("The file's rescale slope is no number other than 0, so its pixels have no units; export it again.")
    if (slope, intercept) == (1.0, 0.0):
        return lambda stored: stored
    return lambda stored: stored * np.float64(slope) + intercept


def _padding(header: Header, picture: Picture) -> tuple[int, int] | None:
    """The lowest and highest stored value that mean 'nothing here'."""
    value = header.number("PixelPaddingValue")
    if value is None or picture.stored_range is None:
        return None
    limit = header.number("PixelPaddingRangeLimit")
    ends = []
    for end in (value, value if limit is None else limit):
        end = int(end) % (1 << picture.bits_allocated)
        ends.append(end - (1 << picture.bits_allocated) if picture.signed and end >> (picture.bits_allocated - 1) else end)
    return min(ends), max(ends)


def _groups(header: Header, group: str) -> Iterator[Header]:
    """The header itself, then the items of a functional group: shared by all frames, then the first frame's."""
    yield header
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for item in header.items(name)[:1]:
            yield from item.items(group)[:1]


def _window(header: Header, signed: bool) -> tuple[float, float] | None:
    """(centre, width) of the first window or VOI lookup table, before any turning over."""
    for place in _groups(header, "FrameVOILUTSequence"):
        centre, width = place.number("WindowCenter"), place.number("WindowWidth")
        if centre is not None and width is not None and width > 0:
            return centre, width
    for item in header.items("VOILUTSequence")[:1]:
        return lookup_table(item, signed).rise()
    return None


def _spacing(header: Header) -> tuple[float, float] | None:
    for place in _groups(header, "PixelMeasuresSequence"):
        for name in ("PixelSpacing", "ImagerPixelSpacing"):
            steps = place.numbers(name)
            if len(steps) == 2 and min(steps) > 0:
                return steps[0], steps[1]
    return None


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
