"""How much a file may ask for, checked before anything of that size is allocated."""

from __future__ import annotations

import io
import zlib

from engine.scan.record import UnreadableScan

MEGA = 1 << 20
FILE_BYTES = 256 * MEGA
INFLATED_BYTES = 128 * MEGA  # of a deflated DICOM file
PIXELS = 64 * MEGA  # of all frames together: 256 MB as float32
CODED_PIXELS = 24 * MEGA  # where every pixel must be decompressed
SIDE = 32_768
FRAMES = 4096
ELEMENTS = 400_000  # reads that a DICOM header may cost; about a second
VALUE_BYTES = 64 * 1024  # of one header value that is not a table or a picture
JPEG_SCANS = 64  # passes over one JPEG picture
JPEG_2000_TILES = 4096


class CountedStream(io.BytesIO):
    """Bytes that may be read from only so many times, however the elements in them are nested.

    Several streams can share one `budget`, a list that holds the number of reads left.
    """

    def __init__(self, data: bytes, budget: list[int]):
        super().__init__(data)
        self.budget = budget

    def read(self, size: int | None = -1) -> bytes:
        self.budget[0] -= 1
        if self.budget[0] < 0:
            raise UnreadableScan("The file's header has far too many elements; export the picture again as a plain DICOM file.")
        return super().read(size)


def check_size(rows: int, columns: int, frames: int = 1, coded: bool = False) -> None:
    """Refuse a picture of more pixels than this house can hold.

    Raises:
        UnreadableScan: says the size and the limit.
    """
    if rows < 1 or columns < 1 or frames < 1:
        raise UnreadableScan(f"The file declares a picture of {columns} x {rows} pixels and {frames} frames, which is none at all.")
    limit = CODED_PIXELS if coded else PIXELS
    if rows > SIDE or columns > SIDE or frames > FRAMES or rows * columns * frames > limit:
        raise UnreadableScan(
            f"The picture is {columns} x {rows} pixels x {frames} frames; the limit is {limit // 1_000_000} million pixels"
            f" in at most {FRAMES} frames: send fewer slices or a smaller picture."
        )


def inflate(data: bytes, limit: int, window_bits: int) -> bytes:
    """Decompress at most `limit` bytes.

    Raises:
        UnreadableScan: when there is more, or when the stream is broken or cut off.
    """
    inflater = zlib.decompressobj(window_bits)
    try:
        out = inflater.decompress(data, limit)
    except zlib.error as error:
        raise UnreadableScan("The file's compressed part is damaged; export it again.") from error
    if inflater.eof:
        return out
    if inflater.unconsumed_tail:
        raise UnreadableScan(f"The file inflates to more than {limit / 1e6:.0f} million bytes; send it uncompressed or smaller.")
    raise UnreadableScan("The file's compressed part is cut off; send the whole file.")


def jpeg_header(data: bytes) -> tuple[int, int, int, int]:
    """(rows, columns, components, precision) from the frame header of a JPEG, lossless JPEG or JPEG-LS stream.

    Raises:
        UnreadableScan: without a frame header, with several that differ, or with more passes than a picture needs.
    """
    if data[:2] != b"\xff\xd8":
        raise UnreadableScan("The JPEG picture in the file does not begin like one; export it again.")
    sizes, at = [], 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)
            if at < 0:
                break
            continue
        marker = data[at + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            break
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            body = data[at + 4 : at + 10]
            if len(body) < 6:
                break
            sizes.append((int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), body[5], body[0]))
        if marker == 0xDA:
            break
        at += 2 + max(length, 2)
    if len(sizes) != 1:
        raise UnreadableScan("The JPEG picture in the file has no single frame header; export it again.")
    if data.count(b"\xff\xda") > JPEG_SCANS:
        raise UnreadableScan(f"The JPEG picture has more than {JPEG_SCANS} passes; save it as a plain JPEG or PNG.")
    return sizes[0]


def jpeg_2000_header(data: bytes) -> tuple[int, int, int]:
    """(rows, columns, components) from the SIZ marker of a JPEG 2000 codestream, bare or in JP2 boxes.

    Raises:
        UnreadableScan: without a codestream, or with more tiles than a picture needs.
    """
    start = data.find(b"\xff\x4f\xff\x51", 0, 65536)
    if start < 0 or (start > 0 and data[4:8] != b"jP  "):
        raise UnreadableScan("The JPEG 2000 picture in the file does not begin like one; export it again.")
    siz = data[start + 4 : start + 42]
    if len(siz) < 38:
        raise UnreadableScan("The JPEG 2000 picture in the file is cut off; send the whole file.")
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = (
        int.from_bytes(siz[4 + 4 * i : 8 + 4 * i], "big") for i in range(8)
    )
    rows, columns = bottom - top, right - left
    tiles = -(-(right - tile_left) // max(tile_width, 1)) * -(-(bottom - tile_top) // max(tile_height, 1))
    if tile_width < 1 or tile_height < 1 or tiles > JPEG_2000_TILES:
        raise UnreadableScan(f"The JPEG 2000 picture is cut into more than {JPEG_2000_TILES} tiles; save it with fewer.")
    return rows, columns, int.from_bytes(siz[36:38], "big")


def check_run_lengths(coded: bytes, pixels: int, segments: int) -> None:
    """Refuse an RLE frame (PS3.5 annex G) that has other segments than its pixels need.

    Raises:
        UnreadableScan: for another number of segments, or one longer than `pixels` could ever take.
    """
    if len(coded) < 64 or int.from_bytes(coded[:4], "little") != segments:
        raise UnreadableScan("The run-length coded picture does not match its header; export it again.")
    if len(coded) > 64 + segments * (2 * pixels + 2):
        raise UnreadableScan("The run-length coded picture is longer than its pixels could need; export it again.")
