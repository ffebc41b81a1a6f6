"""The compressed frames of a DICOM file: checked against the file's header, and mended where makers are
known to err.
"""

from __future__ import annotations

from dataclasses import replace

from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from engine.scan import bounds
from engine.scan.codestreams import check_run_lengths, jpeg_2000_header, jpeg_header, with_whole_spectrum
from engine.scan.dicom_header import Header
from engine.scan.dicom_picture import Coded, Picture, registered
from engine.scan.record import UnreadableScan

LOSSY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEG2000, JPEGLSNearLossless)
ITEM = b"\xfe\xff\x00\xe0"  # what compressed pixels begin with
AS_PLAIN = "export the picture again as an uncompressed DICOM file or a 16-bit PNG"


def as_coded(header: Header, picture: Picture) -> Picture:
    """The picture with its frames where the file holds them compressed; their own depth counts where the header says
    another.

    Raises:
        UnreadableScan: for frames that would take too long, or whose own header asks for another size than the file's.
    """
    syntax, data = picture.syntax, header.raw(picture.keyword)
    compressed = data.startswith(ITEM)
    if not registered(syntax):
        return picture
    if not syntax.is_encapsulated:
        if compressed and len(data) != picture.native_bytes:
            raise UnreadableScan(
                f"The file says that its picture is not compressed ({syntax.name}), but it is; {AS_PLAIN}."
            )
        return picture
    if (
        not compressed and picture.native_bytes <= len(data) <= picture.native_bytes + 1
    ):  # unpacked by one who left the syntax as it was
        return replace(picture, syntax=ExplicitVRLittleEndian)
    if not compressed:
        raise UnreadableScan(
            f"The file says that its picture is compressed as {syntax.name}, but it is not; {AS_PLAIN}."
        )
    frames = _coded(header, picture)
    depth = frames.depth
    if depth > picture.bits_allocated:
        raise UnreadableScan(
            f"The compressed picture has {depth} bits a pixel, the header has room for {picture.bits_allocated}; "
            f"{AS_PLAIN}."
        )
    if depth <= 8 < picture.bits_allocated and syntax != RLELossless:  # and what is stored is then at most that
        signed = picture.signed and picture.bits_stored <= 8  # of deeper words, 8 bits hold no sign
        return replace(
            picture, coded=frames, bits_allocated=8, bits_stored=min(picture.bits_stored, 8), shift=0, signed=signed
        )
    shift = picture.shift if depth >= picture.bits_stored + picture.shift else 0
    above = max(depth - picture.bits_stored, 0) if syntax in LOSSY and not shift else 0
    return replace(picture, coded=frames, shift=shift, above=above)


def _coded(header: Header, picture: Picture) -> Coded:
    data, syntax, offsets = header.raw(picture.keyword), picture.syntax, None
    if header.has("ExtendedOffsetTable") and header.has("ExtendedOffsetTableLengths"):
        offsets = header.raw("ExtendedOffsetTable"), header.raw("ExtendedOffsetTableLengths")
    if syntax == JPEGBaseline8Bit:
        bounds.check_size(*picture.shape[1:], picture.frames, limit=bounds.JPEG_PIXELS)
    elif syntax != RLELossless:
        bounds.check_size(*picture.shape[1:], limit=bounds.SLOW_VALUES // picture.samples)
    stream = bounds.CountedStream(data, header.budget)
    depths, whole, mended = set(), [], False
    for index, frame in enumerate(generate_frames(stream, number_of_frames=picture.frames, extended_offsets=offsets)):
        if index == picture.frames:
            break
        depths.add(_checked(frame, picture))
        if syntax in JPEGTransferSyntaxes:
            whole.append(with_whole_spectrum(frame))
            mended |= whole[-1] is not frame
    if len(depths) > 1:
        raise UnreadableScan(f"The frames of the picture have different depths ({sorted(depths)} bits); {AS_PLAIN}.")
    if mended:
        data, offsets = encapsulate(whole, has_bot=False), None
    return Coded(data, offsets, depths.pop() if depths else picture.bits_stored)


def _checked(frame: bytes, picture: Picture) -> int:
    """Bits of a sample of one frame that is of the picture's size."""
    syntax, name = picture.syntax, picture.syntax.name
    if syntax == RLELossless:
        check_run_lengths(frame, picture.samples * picture.bits_allocated // 8)
        return picture.bits_allocated
    if syntax in JPEG2000TransferSyntaxes:
        if len(frame) > bounds.JPEG_2000_BYTES:
            raise UnreadableScan(
                f"A picture has {len(frame) / 1e6:.0f} million bytes of {name}, which takes too long to decode; "
                f"{AS_PLAIN}."
            )
        *size, depth = jpeg_2000_header(frame)
    elif syntax in (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes):
        *size, depth = jpeg_header(frame)
    else:
        raise UnreadableScan(f"The picture is encoded as {name}, which cannot be decoded here; {AS_PLAIN}.")
    if size != [picture.rows, picture.columns, picture.samples]:
        raise UnreadableScan(
            f"The compressed picture is {size[1]} x {size[0]} with {size[2]} samples a pixel, the header says"
            f" {picture.columns} x {picture.rows} with {picture.samples}; export it again."
        )
    return depth
