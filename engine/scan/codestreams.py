"""What a compressed picture's own header asks for, read before any codec sees it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.scan import bounds
from engine.scan.record import UnreadableScan

CUT_OFF = "The picture is cut off; send the whole file."
NO_JPEG_2000 = "The JPEG 2000 picture in the file has no header that could be read; export it again."
JP2_SIGNATURE = b"\0\0\0\x0cjP  "
SOI, EOI, SOS, APP1 = 0xD8, 0xD9, 0xDA, 0xE1  # JPEG
START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
SEQUENTIAL = {0xC0, 0xC1}
SOT, SOD, COD, COC = 0xFF90, 0xFF93, 0xFF52, 0xFF53  # JPEG 2000


def jpeg_header(data: bytes) -> tuple[int, int, int, int]:
    """(rows, columns, components, bits) from the frame header of a JPEG, lossless JPEG or JPEG-LS stream.

    Raises:
        UnreadableScan: without exactly one frame header, without an end, or with more passes than a picture needs.
    """
    sizes = []
    for marker, at in _jpeg_segments(data):
        body = data[at + 4 : at + 10]
        if marker in START_OF_FRAME and len(body) == 6:
            sizes.append((int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), body[5], body[0]))
    if len(sizes) != 1:
        raise UnreadableScan("The JPEG picture in the file has no header that could be read; save it again.")
    if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):  # a codec would fill the rest with grey
        raise UnreadableScan(CUT_OFF)
    rows, columns, _, _ = sizes[0]
    bounds.check_size(rows, columns)
    scans = data.count(b"\xff\xda")
    if scans > bounds.JPEG_SCANS or scans * rows * columns > bounds.JPEG_PASSED_PIXELS:
        raise UnreadableScan(
            f"The JPEG picture is drawn in {scans} passes, which takes too long; save it as a plain JPEG or PNG."
        )
    return sizes[0]


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """(marker, its place) of the segments with a length, up to the first start of scan, which is the last of them."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 4 <= len(data):
        if data[at] != 0xFF:  # stray bytes between segments
            at = data.find(b"\xff", at)
            if at < 0:
                return
            continue
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in (0x00, 0x01) or 0xD0 <= marker <= SOI:  # stands alone
            at += 2
            continue
        if marker == EOI:
            return
        yield marker, at
        if marker == SOS:
            return
        at += 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)


def jpeg_exif(data: bytes) -> bytes:
    """The EXIF block of a JPEG file, which is a TIFF structure; empty without one."""
    for marker, at in _jpeg_segments(data):
        if marker == APP1 and data[at + 4 : at + 10] == b"Exif\0\0":
            return data[at + 10 : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
    return b""


def with_whole_spectrum(data: bytes) -> bytes:
    """A sequential JPEG whose scans say that the spectrum ends at 0, as some makers write it, with the end that it has:
    63.

    ISO 10918-1, B.2.3: a scan of a sequential picture always goes from coefficient 0 to 63; decoders refuse another
    end. Returns `data` itself where nothing had to be mended.
    """
    segments = dict(_jpeg_segments(data))
    at = segments.get(SOS, -1)
    if not SEQUENTIAL & segments.keys():
        return data
    mended = bytearray(data)
    while 0 <= at < len(data) - 4:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end - at == 8 + 2 * data[at + 4] and data[end - 3 : end] == bytes(3):
            mended[end - 2] = 63
        at = data.find(b"\xff\xda", at + 2)
    return data if mended == data else bytes(mended)


def jpeg_2000_header(data: bytes) -> tuple[int, int, int, int]:
    """(rows, columns, components, bits) from the SIZ segment of a JPEG 2000 codestream, bare or in JP2 boxes.

    Raises:
        UnreadableScan: without a codestream, or when it is cut into more pieces than a picture needs.
    """
    start = _codestream(data)
    if data[start : start + 4] != b"\xff\x4f\xff\x51":
        raise UnreadableScan(NO_JPEG_2000)
    siz = data[start + 4 : start + 43]
    if len(siz) < 39:
        raise UnreadableScan(CUT_OFF)
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = (
        int.from_bytes(siz[4 + 4 * i : 8 + 4 * i], "big") for i in range(8)
    )
    rows, columns = bottom - top, right - left
    bounds.check_size(rows, columns)
    across, down = (
        -(-span // max(size, 1)) for span, size in ((right - tile_left, tile_width), (bottom - tile_top, tile_height))
    )
    if across * down > bounds.JPEG_2000_TILES:
        raise UnreadableScan(f"The JPEG 2000 picture is cut into {across * down} tiles; save it with fewer.")
    _check_precincts(data, start + 2)
    return rows, columns, int.from_bytes(siz[36:38], "big"), (siz[38] & 127) + 1


def _codestream(data: bytes) -> int:
    """Where the codestream of a JPEG 2000 picture begins, bare or in the first jp2c box of a JP2 file (ISO/IEC 15444-1,
    annex I).

    Raises:
        UnreadableScan: for boxes that lead nowhere. A length of 0, "to the end", is for the last box only, and that is
            the codestream's.
    """
    if not data.startswith(JP2_SIGNATURE):
        return 0
    at = len(JP2_SIGNATURE) + 4  # its four bytes of content
    for _ in range(bounds.JP2_BOXES):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        head = 8
        if length == 1:  # the length stands behind the kind, in eight bytes
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if kind == b"jp2c" and head == 8:
            return at + head
        if (
            head == 16 or not head <= length < len(data) - at
        ):  # pydicom takes an eight-byte length for 1, and walks in a ring at 0
            break
        at += length
    raise UnreadableScan(NO_JPEG_2000)


def _check_precincts(data: bytes, at: int) -> None:
    """Walk the segments of the main header and of each tile part; small precincts cost memory for every one of them."""
    parts, part, end = 0, 0, 0
    while at + 4 <= len(data):
        marker, length = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == SOT:
            parts, part = parts + 1, at
            size = int.from_bytes(data[at + 6 : at + 10], "big")
            end = part + size if size else len(data)
            if parts > 4 * bounds.JPEG_2000_TILES:
                raise UnreadableScan("The JPEG 2000 picture is cut into too many parts; save it with fewer.")
        elif marker == SOD:
            if end <= at:
                return
            at = end
            continue
        elif marker < 0xFF00:
            return  # the end, or damage that the codec will report
        elif marker in (COD, COC):
            body = data[at + 4 : at + 2 + length]
            # COD: style, progression, layers (2), transform, then levels ...; COC: component (1), style, then levels
            # ...
            style, levels = (body[0], 5) if marker == COD else (body[1], 2)
            for size in body[levels + 5 :] if style & 1 else b"":
                if min(size & 15, size >> 4) < bounds.JPEG_2000_PRECINCT:
                    raise UnreadableScan("The JPEG 2000 picture is cut into tiny precincts; save it with larger ones.")
        at += 2 + max(length, 2)


def check_run_lengths(data: bytes, segments: int) -> None:
    """Refuse an RLE frame (PS3.5 annex G) that has other segments than its pixels need.

    Raises:
        UnreadableScan: for another number of segments than `segments`.
    """
    if len(data) < 64 or int.from_bytes(data[:4], "little") != segments:
        raise UnreadableScan("The run-length coded picture does not match its header; export it again.")
