"""The frames of a DICOM file as numbers, decoded one at a time after the picture's size was checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    MediaStorageDirectoryStorage,
    RLELossless,
    UID_dictionary,
)

from engine.scan import bounds
from engine.scan.codestreams import check_run_lengths, jpeg_2000_header, jpeg_header
from engine.scan.dicom_header import Header
from engine.scan.record import UnreadableScan

COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
PHOTOMETRIC = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", *COLOUR)
BITS_ALLOCATED = {"PixelData": (1, 8, 16, 32), "FloatPixelData": (32,), "DoubleFloatPixelData": (64,)}
AS_PLAIN = "export the picture again as an uncompressed DICOM file or a 16-bit PNG"


@dataclass(frozen=True)
class Picture:
    """The Image Pixel module (PS3.3 C.7.6.3), checked.

    Attributes:
        keyword: the element that holds the pixels, a key of BITS_ALLOCATED.
        samples: 3 for COLOUR, else 1.
        syntax: the transfer syntax, which says how the pixels are encoded.
    """

    keyword: str
    photometric: str
    frames: int
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    signed: bool
    planar: int
    syntax: UID

    @property
    def stored_range(self) -> tuple[int, int] | None:
        """The lowest and highest value that the stored bits can hold; None for floats."""
        if self.keyword != "PixelData":
            return None
        half = 1 << (self.bits_stored - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.frames, self.rows, self.columns


def describe(header: Header, syntax: UID, storage_class: UID) -> Picture:
    """What the header says about the picture.

    Raises:
        UnreadableScan: without a picture, with one that is too large, or in a form that cannot be decoded.
    """
    rows, columns, allocated, stored, samples, frames = (
        int(header.number(name) or 0)
        for name in ("Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "NumberOfFrames")
    )
    keyword = next((name for name in BITS_ALLOCATED if header.has(name)), None)
    if keyword is None or not rows or not columns:
        raise UnreadableScan(_no_picture(storage_class))
    picture = Picture(
        keyword=keyword,
        photometric=header.text("PhotometricInterpretation") or ("RGB" if samples == 3 else "MONOCHROME2"),
        frames=frames or 1,
        rows=rows,
        columns=columns,
        samples=samples or 1,
        bits_allocated=allocated,
        bits_stored=stored if 1 <= stored <= allocated else allocated,
        signed=header.number("PixelRepresentation") == 1,
        planar=int(header.number("PlanarConfiguration") or 0),
        syntax=syntax,
    )
    bounds.check_size(*picture.shape[1:], picture.frames, limit=min(bounds.PIXELS, bounds.VALUES // picture.samples))
    if picture.photometric not in PHOTOMETRIC or picture.samples != (3 if picture.photometric in COLOUR else 1):
        raise UnreadableScan(
            f"The picture's colours are stored in a way that is not read here ({picture.samples} samples a pixel);"
            " export it as MONOCHROME2 or RGB."
        )
    if allocated not in BITS_ALLOCATED[keyword]:
        raise UnreadableScan(f"The file declares {allocated} bits for a pixel, which is not read here; export it with 8 or 16.")
    return picture


def _no_picture(storage_class: UID) -> str:
    name = storage_class.name if storage_class in UID_dictionary else "of an unknown kind"
    if storage_class == MediaStorageDirectoryStorage:
        return "This is a DICOMDIR, an index of other files; send one of the pictures that it lists."
    if "Image" in name:
        return f"This DICOM file ({name}) is cut off before its pixels or never held any; send the whole file."
    return f"This DICOM file ({name}) holds no picture; send the picture that it belongs to."


def frames(header: Header, picture: Picture) -> Iterator[np.ndarray]:
    """(H, W) stored values, frame by frame; (H, W, 3) of RGB, and of YBR the Y, which is its luminance.

    Raises:
        UnreadableScan: when pixels are missing or the encoding has no decoder; otherwise whatever a codec raises.
    """
    data = header.raw(picture.keyword)
    name = picture.syntax.name if picture.syntax in UID_dictionary else "an unknown transfer syntax"
    try:
        decoder = get_decoder(picture.syntax)
    except NotImplementedError as error:
        raise UnreadableScan(f"The picture is encoded as {name}, which cannot be decoded here; {AS_PLAIN}.") from error
    options = dict(
        pixel_keyword=picture.keyword,
        pixel_vr=header.elements.get_item(Tag(picture.keyword)).VR or "OW",
        photometric_interpretation=picture.photometric,
        number_of_frames=picture.frames,
        rows=picture.rows,
        columns=picture.columns,
        samples_per_pixel=picture.samples,
        bits_allocated=picture.bits_allocated,
        bits_stored=picture.bits_stored,
        pixel_representation=int(picture.signed),
        allow_excess_frames=False,
    )
    if picture.samples > 1:
        options["planar_configuration"] = picture.planar
    if decoder.is_encapsulated:
        if header.has("ExtendedOffsetTable") and header.has("ExtendedOffsetTableLengths"):
            options["extended_offsets"] = (header.raw("ExtendedOffsetTable"), header.raw("ExtendedOffsetTableLengths"))
        _check_coded(header, picture, options.get("extended_offsets"))
        # libjpeg-turbo, behind Pillow, is several times faster where it suffices
        options["decoding_plugin"] = "pillow" if picture.syntax == JPEGBaseline8Bit else "pylibjpeg"
    else:
        _check_native(picture, len(data))
    count = 0
    try:
        for array, properties in decoder.iter_array(data, raw=True, **options):
            yield array[..., 0] if properties["photometric_interpretation"].startswith("YBR") else array
            count += 1
            if count == picture.frames:
                return
    except RuntimeError as error:  # how pydicom reports that a codec failed
        raise UnreadableScan(f"The picture is encoded as {name}, and its data cannot be decoded; {AS_PLAIN}.") from error
    raise UnreadableScan(f"The file declares {picture.frames} frames but holds {count}; send the whole file.")


def _check_native(picture: Picture, size: int) -> None:
    values = picture.frames * picture.rows * picture.columns * picture.samples
    if picture.photometric == "YBR_FULL_422":
        values = values // 3 * 2
    needed = -(-values * picture.bits_allocated // 8)
    if size < needed:
        raise UnreadableScan(f"The picture is cut off: {size} of {needed} bytes are there; send the whole file.")


def _check_coded(header: Header, picture: Picture, offsets: tuple[bytes, bytes] | None) -> None:
    """Refuse frames that would take too long, or whose own header asks for another size than the file's."""
    data, syntax = header.raw(picture.keyword), picture.syntax
    if syntax != RLELossless:
        most = bounds.JPEG_PIXELS if syntax == JPEGBaseline8Bit else bounds.SLOW_VALUES // picture.samples
        bounds.check_size(*picture.shape[1:], picture.frames, limit=most)
    if syntax in JPEG2000TransferSyntaxes and len(data) > bounds.JPEG_2000_BYTES:
        raise UnreadableScan(
            f"The picture has {len(data) / 1e6:.0f} million bytes of {syntax.name}, which takes too long to decode; {AS_PLAIN}."
        )
    stream = bounds.CountedStream(data, header.budget)
    for index, coded in enumerate(generate_frames(stream, number_of_frames=picture.frames, extended_offsets=offsets)):
        if index == picture.frames:
            return
        size = picture.rows, picture.columns, picture.samples
        if syntax == RLELossless:
            check_run_lengths(coded, picture.samples * picture.bits_allocated // 8)
        elif syntax in JPEG2000TransferSyntaxes:
            size = jpeg_2000_header(coded)
        elif syntax in (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes):
            size = jpeg_header(coded)[:3]
        else:
            raise UnreadableScan(f"The picture is encoded as {syntax.name}, which cannot be decoded here; {AS_PLAIN}.")
        if size != (picture.rows, picture.columns, picture.samples):
            raise UnreadableScan(
                f"The compressed picture is {size[1]} x {size[0]} with {size[2]} samples a pixel, the header says"
                f" {picture.columns} x {picture.rows} with {picture.samples}; export it again."
            )
