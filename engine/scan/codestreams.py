"""What a compressed picture's own header asks for, read before any codec sees it."""

from __future__ import annotations

from engine.scan import bounds
from engine.scan.record import UnreadableScan

CUT_OFF = "The picture is cut off; send the whole file."
SOI, EOI, SOS = 0xD8, 0xD9, 0xDA  # JPEG
START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
SOT, SOD, COD, COC = 0xFF90, 0xFF93, 0xFF52, 0xFF53  # JPEG 2000


def jpeg_header(data: bytes) -> tuple[int, int, int, int]:
    """(rows, columns, components, bits) from the frame header of a JPEG, lossless JPEG or JPEG-LS stream.

    Raises:
        UnreadableScan: without exactly one frame header, without an end, or with more passes than a picture needs.
    """
    sizes, at = [], 2
    while data[:2] == b"\xff\xd8" and at + 4 <= len(data):
        if data[at] != 0xFF:  # stray bytes between segments
            at = data.find(b"\xff", at)
            if at < 0:
                break
            continue
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in (0x00, 0x01) or 0xD0 <= marker <= SOI:  # stands alone
            at += 2
            continue
        if marker in (EOI, SOS):
            break
        if marker in START_OF_FRAME:
            body = data[at + 4 : at + 10]
            if len(body) == 6:
                sizes.append((int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), body[5], body[0]))
        at += 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)
    if len(sizes) != 1:
        raise UnreadableScan("The JPEG picture in the file has no header that could be read; save it again.")
    if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):  # a codec would fill the rest with grey
        raise UnreadableScan(CUT_OFF)
    rows, columns, _, _ = sizes[0]
    bounds.check_size(rows, columns)
    scans = data.count(b"\xff\xda")
    if scans > bounds.JPEG_SCANS or scans * rows * columns > bounds.JPEG_PASSED_PIXELS:
        raise UnreadableScan(f"The JPEG picture is drawn in {scans} passes, which takes too long; save it as a plain JPEG or PNG.")
    return sizes[0]


def jpeg_2000_header(data: bytes) -> tuple[int, int, int]:
    """(rows, columns, components) from the SIZ segment of a JPEG 2000 codestream, bare or in JP2 boxes.

    Raises:
        UnreadableScan: without a codestream, or when it is cut into more pieces than a picture needs.
    """
    start = data.find(b"\xff\x4f\xff\x51", 0, 65536)
    if start < 0 or (start > 0 and data[4:8] != b"jP  "):
        raise UnreadableScan("The JPEG 2000 picture in the file has no header that could be read; export it again.")
    siz = data[start + 4 : start + 42]
    if len(siz) < 38:
        raise UnreadableScan(CUT_OFF)
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = (
        int.from_bytes(siz[4 + 4 * i : 8 + 4 * i], "big") for i in range(8)
    )
    rows, columns = bottom - top, right - left
    bounds.check_size(rows, columns)
    across, down = (-(-span // max(size, 1)) for span, size in ((right - tile_left, tile_width), (bottom - tile_top, tile_height)))
    if across * down > bounds.JPEG_2000_TILES:
        raise UnreadableScan(f"The JPEG 2000 picture is cut into {across * down} tiles; save it with fewer.")
    _check_precincts(data, start + 2)
    return rows, columns, int.from_bytes(siz[36:38], "big")


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
            # COD: style, progression, layers (2), transform, then levels ...; COC: component (1), style, then levels ...
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
