"""The frames of a DICOM file as numbers, decoded one at a time after the picture's size was checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import UID, UID_dictionary, JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

from engine.scan import bounds
from engine.scan.dicom_header import Header
from engine.scan.record import UnreadableScan

COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
PHOTOMETRIC = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", *COLOUR)
PIXEL_TAGS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
AS_PLAIN = "export the picture again as an uncompressed DICOM file or a 16-bit PNG"


@dataclass(frozen=True)
class Picture:
    """The Image Pixel module (PS3.3 C.7.6.3), checked.

    Attributes:
        keyword: which of PIXEL_TAGS holds the pixels.
        stored_range: the lowest and highest value that the bits can hold; None for floats.
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
        if self.keyword != "PixelData":
            return None
        half = 1 << (self.bits_stored - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)


def describe(header: Header, syntax: UID, storage_class: UID) -> Picture:
    """What the header says about the picture.

    Raises:
        UnreadableScan: without a picture, with one that is too large, or in an encoding that cannot be decoded.
    """
    keyword = next((name for name in PIXEL_TAGS if header.has(name)), None)
    if keyword is None or not header.has("Rows"):
        what = f"a {storage_class.name}" if storage_class in UID_dictionary else "of a kind"
        raise UnreadableScan(f"This DICOM file is {what} that holds no picture; send the picture that it belongs to.")
    frames = header.number("NumberOfFrames")
    samples = int(header.number("SamplesPerPixel") or 1)
    allocated = int(header.number("BitsAllocated") or 0)
    stored = int(header.number("BitsStored") or allocated)
    rows, columns = (int(header.number(name) or 0) for name in ("Rows", "Columns"))
    picture = Picture(
        keyword=keyword,
        photometric=header.text("PhotometricInterpretation") or ("MONOCHROME2" if samples == 1 else "RGB"),
        frames=1 if frames is None else int(frames),
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored if 1 <= stored <= allocated else allocated,
        signed=header.number("PixelRepresentation") == 1,
        planar=int(header.number("PlanarConfiguration") or 0),
        syntax=syntax,
    )
    bounds.check_size(rows, columns, picture.frames, coded=syntax.is_compressed if syntax.is_transfer_syntax else False)
    if picture.photometric not in PHOTOMETRIC or samples != (3 if picture.photometric in COLOUR else 1):
        raise UnreadableScan(
            f"The picture's colours are stored in a way that is not read here ({samples} samples a pixel);"
            " export it as MONOCHROME2 or RGB."
        )
    if allocated not in {"PixelData": (1, 8, 16, 32), "FloatPixelData": (32,), "DoubleFloatPixelData": (64,)}[keyword]:
        raise UnreadableScan(f"The file declares {allocated} bits for a pixel, which is not read here; export it with 8 or 16.")
    return picture


def frames(header: Header, picture: Picture) -> Iterator[np.ndarray]:
    """(H, W) or (H, W, 3) stored values, frame by frame; YBR comes out as RGB.

    Raises:
        UnreadableScan: when pixels are missing or the encoding has no decoder; otherwise whatever a codec raises.
    """
    syntax, data = picture.syntax, header.raw(picture.keyword)
    name = syntax.name if syntax in UID_dictionary else "an unknown transfer syntax"
    try:
        decoder = get_decoder(syntax)
        available = decoder.is_available
    except NotImplementedError:
        available = False
    if not available:
        raise UnreadableScan(f"The picture is encoded as {name}, which cannot be decoded here; {AS_PLAIN}.")
    options = dict(
        pixel_keyword=picture.keyword,
        pixel_vr=header.elements.get_item(picture.keyword).VR or "OW",
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
    if header.has("ExtendedOffsetTable") and header.has("ExtendedOffsetTableLengths"):
        options["extended_offsets"] = (header.raw("ExtendedOffsetTable"), header.raw("ExtendedOffsetTableLengths"))
    if decoder.is_encapsulated:
        _check_coded(header, picture, options.get("extended_offsets"))
    else:
        _check_native(picture, len(data))
    count = 0
    for array, _ in decoder.iter_array(data, decoding_plugin="pylibjpeg" if decoder.is_encapsulated else "", **options):
        yield array
        count += 1
        if count == picture.frames:
            return
    raise UnreadableScan(f"The file declares {picture.frames} frames but holds {count}; send the whole file.")


def _check_native(picture: Picture, size: int) -> None:
    values = picture.frames * picture.rows * picture.columns * picture.samples
    if picture.photometric == "YBR_FULL_422":
        values = values // 3 * 2
    needed = -(-values * picture.bits_allocated // 8)
    if size < needed:
        raise UnreadableScan(f"The picture is cut off: {size} of {needed} bytes are there; send the whole file.")


def _check_coded(header: Header, picture: Picture, offsets: tuple[bytes, bytes] | None) -> None:
    """Refuse a frame whose own header asks for another size than the file's."""
    stream = bounds.CountedStream(header.raw(picture.keyword), header.budget)
    count = 0
    for coded in generate_frames(stream, number_of_frames=picture.frames, extended_offsets=offsets):
        if picture.syntax == RLELossless:
            size = picture.rows, picture.columns, picture.samples
            bounds.check_run_lengths(coded, picture.rows * picture.columns, picture.samples * picture.bits_allocated // 8)
        elif picture.syntax in JPEG2000TransferSyntaxes or picture.syntax.name.startswith("High-Throughput"):
            size = bounds.jpeg_2000_header(coded)
        elif picture.syntax in (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes):
            size = bounds.jpeg_header(coded)[:3]
        else:
            raise UnreadableScan(f"The picture is encoded as {picture.syntax.name}, which is not decoded here; {AS_PLAIN}.")
        if size != (picture.rows, picture.columns, picture.samples):
            raise UnreadableScan(
                f"The compressed picture is {size[1]} x {size[0]} with {size[2]} samples a pixel, its header says"
                f" {picture.columns} x {picture.rows} with {picture.samples}; export it again."
            )
        count += 1
        if count == picture.frames:
            return
