"""Grey DICOM pictures: the scanner's units, which way is bright, and what is no picture at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from engine.scan.dicom_frames import frames
from engine.scan.dicom_header import Header
from engine.scan.dicom_picture import Picture
from engine.scan.record import UnreadableScan, sample
from engine.scan.tables import BrokenTable, Table, UncertainTable, first_table

BAND = 1 << 22  # pixels converted at a time, so that float64 stays small
Units = Callable[[np.ndarray], np.ndarray]  # stored values -> the scanner's units
PADDING = {
    "PixelData": "PixelPadding",
    "FloatPixelData": "FloatPixelPadding",
    "DoubleFloatPixelData": "DoubleFloatPixelPadding",
}
DARK_END = 0.1  # of the range of a picture's values, from below: padding that lies there stays what it is
STRAY = 0.05  # of that range: a few values that lie so far below the others are ringing, not the darkest of the picture
AMONG_STRAYS = 0.5  # of that range: how far below the others padding may lie among such values and stay what it is


def read_grey(header: Header, picture: Picture) -> tuple[np.ndarray, tuple[float, float] | None, tuple[str, ...]]:
    """(pixels in the scanner's units with bright as dense, the file's own window or None, remarks)."""
    remarks = []
    try:
        table = first_table(header, "ModalityLUTSequence", picture.signed)
    except UncertainTable:
        raise
    except BrokenTable:
        table = None
        remarks.append("stored values: the table that gives their units is damaged")
    units = [table] if table else _units(header, picture)
    padding = _padding(header, picture)
    padded = None if padding is None else np.zeros(picture.shape, bool)

    def stored() -> Iterator[np.ndarray]:
        for index, array in enumerate(frames(header, picture)):
            if padding is not None and padded is not None:
                low, high = padding
                padded[index] = np.isnan(array) if math.isnan(low) else (array >= low) & (array <= high)
            yield array

    pixels = filled(picture, stored(), units)
    holes = padded.reshape(pixels.shape) if padded is not None and padded.any() else None
    if holes is not None and holes.all():
        raise UnreadableScan("Every pixel of the picture is padding; send a picture that shows something.")
    ends = picture.stored_range
    if ends:
        values = np.concatenate([unit(np.asarray(ends)) for unit in units])
        span = float(values.min()), float(values.max())
    else:
        real = True if holes is None else ~holes
        span = float(pixels.min(where=real, initial=np.inf)), float(pixels.max(where=real, initial=-np.inf))
    window, voi = _voi(header, signed=not table and span[0] < 0)
    turned, why = _turned(header, picture, voi if window is None else None)
    if window is not None and voi is not None and voi.falls:
        remarks.append("bright may not be dense: its VOI table falls, its window rises")
    if why:
        remarks.append(why)
    if window is None and voi is not None:
        window = voi.rise()
    if turned:
        np.subtract(np.float32(sum(span)), pixels, out=pixels)
        window = window and (sum(span) - window[0], window[1])
    if holes is not None:
        _fill(pixels, holes)
    return pixels, window, tuple(remarks)


def filled(picture: Picture, stored: Iterator[np.ndarray], units: list[Units]) -> np.ndarray:
    """(H, W) float32, or (S, H, W) of several frames; frame k goes through units[k], or through the only one."""
    pixels = np.empty(picture.shape if picture.frames > 1 else picture.shape[1:], np.float32)
    slices = pixels.reshape(picture.shape)
    step = max(1, BAND // picture.columns)
    for index, array in enumerate(stored):
        convert = units[index] if len(units) > 1 else units[0]
        for top in range(0, picture.rows, step):
            slices[index, top : top + step] = convert(array[top : top + step])
    return pixels


def _units(header: Header, picture: Picture) -> list[Units]:
    """What turns stored values into the scanner's units: one for all frames, or one a frame."""
    if header.raw("RescaleSlope") or header.raw("RescaleIntercept"):
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
    """Slope and intercept; one that is left out or empty is 1 or 0."""
    slope, intercept = (
        header.number(name) if header.text(name) else empty
        for name, empty in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
    )
    if not slope:
        raise UnreadableScan(
            "The file's rescale slope is no number other than 0, so its pixels have no units; export it again."
        )
    if intercept is None:
        raise UnreadableScan("The file's rescale intercept is no number, so its pixels have no units; export it again.")
    if (slope, intercept) == (1.0, 0.0):
        return lambda stored: stored
    return lambda stored: stored * np.float64(slope) + intercept


def _padding(header: Header, picture: Picture) -> tuple[float, float] | None:
    """The lowest and highest stored value that mean 'nothing here' (PS3.3 C.7.5.1.1.2); two nan where nan means it."""
    name = PADDING[picture.keyword]
    read = header.numbers if picture.stored_range else header.any_numbers
    values = read(name + "Value")[:1]
    if not values:
        return None
    ends = values + (read(name + "RangeLimit")[:1] or values)
    if any(map(math.isnan, ends)):
        return math.nan, math.nan
    if picture.stored_range is None:
        return min(ends), max(ends)
    # the word in which the value was written, as signed or not
    wrap = 1 << int(header.number("BitsAllocated") or picture.bits_allocated)
    ends = [int(end) % wrap for end in ends]
    ends = [end - wrap if picture.signed and end >= wrap // 2 else end for end in ends]
    return min(ends), max(ends)


def _fill(pixels: np.ndarray, mask: np.ndarray) -> None:
    """Give padding the picture's dark end, and move nothing else.

    Padding that lies there already stays what it is; other padding becomes the darkest real value. Where a few values
    lie far below the rest, as lossy compression leaves them around padding, the 0.5th percentile stands for the
    darkest.
    """
    chosen = sample(~mask)
    real = sample(pixels)[chosen]
    darkest = float(pixels.min(where=~mask, initial=np.inf))
    low, high = np.percentile(real, (0.5, 99.5)).tolist() if real.size else (darkest, darkest)
    strays = darkest < low - STRAY * (high - low)
    least = max(darkest, low - AMONG_STRAYS * (high - low)) if strays else darkest
    mask &= ~((pixels >= least) & (pixels <= low + DARK_END * (high - low)))  # of nan too
    pixels[mask] = low if strays else darkest


def _turned(header: Header, picture: Picture, voi: Table | None) -> tuple[bool, str]:
    """(whether the least stored value is the brightest, a remark where other than the photometric interpretation says
    so).

    MONOCHROME1 and PresentationLUTShape INVERSE are one inversion, that of the last step (PS3.3 C.11.6 and
    C.7.6.3.1.2); a VOI table that falls is one of the step before.
    """
    last, shape, why = picture.photometric == "MONOCHROME1", header.text("PresentationLUTShape").upper(), ""
    if last and shape == "IDENTITY":  # which the standard rules out; makers err in the shape
        why = "bright may not be dense: MONOCHROME1, but its PresentationLUTShape is IDENTITY"
    if not last and shape == "INVERSE":
        last, why = True, "turned over: its PresentationLUTShape is INVERSE"
    if voi is not None and voi.falls:
        return not last, "not turned over: its VOI table turns it back" if last else "turned over: its VOI table falls"
    return last, why


def _voi(header: Header, signed: bool) -> tuple[tuple[float, float] | None, Table | None]:
    """The first window (centre, width) before any turning over, and the first VOI table; what is broken
    counts as absent.
    """
    window = table = None
    for place in header.groups("FrameVOILUTSequence"):
        centre, width = place.number("WindowCenter"), place.number("WindowWidth")
        if window is None and centre is not None and width is not None and width > 0:
            window = centre, width
        try:
            table = table or first_table(place, "VOILUTSequence", signed)
        except BrokenTable:
            continue
    return window, table
