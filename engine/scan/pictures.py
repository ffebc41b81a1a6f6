"""PNG and JPEG bytes -> Scan, with all their bits."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np

from engine.scan import bounds
from engine.scan.codestreams import CUT_OFF, jpeg_exif, jpeg_header
from engine.scan.colour import remark_on
from engine.scan.orientation import exif_orientation, upright
from engine.scan.record import Scan, UnreadableScan
from engine.scan.tables import luminance

PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
EXIF = b"eXIf"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # PNG colour type -> samples a pixel
BAND = 1 << 22  # pixels turned to grey at a time


def read_png(data: bytes) -> Scan:
    """8- and 16-bit PNG, grey or colour, turned upright; transparency is ignored.

    Only the chunks that carry pixels reach the decoder, and only after they were inflated within the size declared.
    """
    chunks = _png_chunks(data)
    columns, rows, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1][:13])
    if colour not in CHANNELS or depth not in (1, 2, 4, 8, 16):
        raise UnreadableScan("The PNG file's header is damaged; save it again.")
    bounds.check_size(rows, columns, limit=bounds.PICTURE_PIXELS)
    bits = depth * CHANNELS[colour]
    if rows * columns * bits // 8 > bounds.PICTURE_BYTES:
        raise UnreadableScan(
            f"The picture is {columns} x {rows} pixels of {bits} bits, which is too large; send a smaller or grey one."
        )
    _check_inflated(b"".join(body for name, body in chunks if name == b"IDAT"), rows, columns, bits, interlaced)
    plain = data[:8] + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
        if name != EXIF
    )
    array = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_UNCHANGED)
    return _scan(array, (rows, columns), next((body for name, body in chunks if name == EXIF), b""))


def read_jpeg(data: bytes) -> Scan:
    """8-bit JPEG, baseline or progressive, grey or colour, turned upright."""
    rows, columns, components, precision = jpeg_header(data)
    bounds.check_size(rows, columns, limit=bounds.PICTURE_PIXELS)
    if precision != 8 or components not in (1, 3):
        raise UnreadableScan(
            f"The JPEG picture has {components} channels of {precision} bits; save it as an 8-bit grey JPEG or a PNG."
        )
    array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    return _scan(array, (rows, columns), jpeg_exif(data))


def _scan(array: np.ndarray | None, shape: tuple[int, int], exif: bytes) -> Scan:
    if array is None or array.shape[:2] != shape:
        raise UnreadableScan("The picture is damaged and cannot be decoded; save it again.")
    pixels = upright(grey(array), exif_orientation(exif))
    return Scan.of(pixels, kind="unknown", bits=8 * array.dtype.itemsize, remarks=remark_on(array))


def grey(array: np.ndarray) -> np.ndarray:
    """(H, W) float32 luminance of what OpenCV decoded: (H, W), or (H, W, C) as grey, grey + alpha, BGR or
    BGR + alpha.
    """
    if array.ndim == 2 or array.shape[2] < 3:
        return array.reshape(*array.shape[:2], -1)[..., 0].astype(np.float32)
    out = np.empty(array.shape[:2], np.float32)
    step = max(1, BAND // array.shape[1])
    for top in range(0, len(array), step):  # so that float64 stays small
        blue, green, red = (array[top : top + step, :, channel] for channel in range(3))
        out[top : top + step] = luminance(red, green, blue)
    return out


def _png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """(name, body) of the chunks that carry pixels, each with a checked sum, from IHDR to IEND, and of a
    whole EXIF chunk.
    """
    chunks, at, count = [], 8, 0
    while at + 12 <= len(data):
        count += 1
        if count > bounds.CHUNKS:
            raise UnreadableScan("The PNG file is cut into far too many chunks; save it again.")
        length = int.from_bytes(data[at : at + 4], "big")
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if len(body) < length or at + 12 + length > len(data):
            break
        if name in PIXEL_CHUNKS or (name == EXIF and chunks):
            whole = zlib.crc32(name + body) == int.from_bytes(data[at + 8 + length : at + 12 + length], "big")
            if not whole and name != EXIF:
                raise UnreadableScan("The PNG file is damaged: a checksum does not match; save it again.")
            if whole:
                chunks.append((name, body))
        if name == b"IEND":
            break
        at += 12 + length
    names = [name for name, _ in chunks]
    if not names or names[-1] != b"IEND":
        raise UnreadableScan(CUT_OFF)
    if names[0] != b"IHDR" or names.count(b"IHDR") != 1 or len(chunks[0][1]) != 13 or b"IDAT" not in names:
        raise UnreadableScan("The PNG file's header is damaged; save it again.")
    return chunks


def _check_inflated(data: bytes, rows: int, columns: int, bits: int, interlaced: int) -> None:
    """Refuse pixels that inflate to less or more than the header's size."""
    passes = [(rows, columns)]
    if interlaced:
        starts = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
        passes = [(len(range(y, rows, dy)), len(range(x, columns, dx))) for y, dy, x, dx in starts]
    needed = sum(height * (1 + -(-width * bits // 8)) for height, width in passes if height and width)
    if len(bounds.inflate(data, needed + 1, window_bits=15)) != needed:
        raise UnreadableScan("The PNG file's pixels do not match its size; save it again.")
