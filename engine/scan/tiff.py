"""TIFF bytes -> Scan: one or more pages of one size, with all their bits."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from engine.scan import bounds
from engine.scan.codestreams import CUT_OFF
from engine.scan.colour import remark_on
from engine.scan.orientation import ORIENTATION, Entry, directories, upright
from engine.scan.pictures import grey
from engine.scan.record import Scan, UnreadableScan

NAMES = {  # tag -> field of Page
    256: "columns",
    257: "rows",
    258: "bits",
    259: "compression",
    262: "photometric",
    273: "offsets",
    ORIENTATION: "orientation",
    277: "samples",
    278: "strip_rows",
    279: "sizes",
    284: "planar",
    322: "tile_columns",
    323: "tile_rows",
    324: "offsets",
    325: "sizes",
    338: "extra",
    339: "format",
}
NONE, LZW, DEFLATE, OLD_DEFLATE = 1, 5, 8, 32946
DAMAGED = "The TIFF file is damaged and cannot be decoded; save it again."
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = range(4)
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
ASSOCIATED = 1  # a kind of extra sample: the colours were multiplied by it
PLAIN_MODES = {"P": "RGB", "La": "LA", "RGBa": "RGBA"}  # Pillow's name of a mode -> of what it is turned into
SEND = "save it as a 16-bit grey PNG or TIFF"


@dataclass(frozen=True)
class Page:
    """One image file directory of TIFF 6.0, with the standard's defaults; lists where a tag may hold several values.

    Attributes:
        extra: what the samples beyond the colours are.
        turn: the field that `orientation` stands in, where there is one.
    """

    columns: int = 0
    rows: int = 0
    bits: tuple[int, ...] = (1,)
    compression: int = 1
    photometric: int = -1
    samples: int = 1
    planar: int = 1
    strip_rows: int = 2**32 - 1
    tile_columns: int = 0
    tile_rows: int = 0
    format: tuple[int, ...] = (UNSIGNED,)
    orientation: int = 1
    extra: tuple[int, ...] = ()
    turn: Entry | None = None
    offsets: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()


def read_tiff(data: bytes) -> Scan:
    """8-, 16-, 32- or 64-bit TIFF, turned upright; pages become slices; transparency is ignored.

    Raises:
        UnreadableScan: for pages that differ, and for forms that are not decoded faithfully here.
    """
    pages = []
    for page in _pages(data):
        pages.append(page)
        _check(page, pages[0], len(pages))
        _check_pieces(page, data)
    if not pages:
        raise UnreadableScan(CUT_OFF)
    first = pages[0]
    stored = _as_stored(data, pages)
    by_pillow = first.compression == LZW or (
        first.bits[0] == 8 and first.samples in (2, 4)
    )  # OpenCV multiplies those by alpha
    arrays = _decode_by_pillow(stored, first) if by_pillow else _decode_any(stored)
    if len(arrays) != len(pages) or any(array.shape[:2] != (first.rows, first.columns) for array in arrays):
        raise UnreadableScan(DAMAGED)
    shapes = {(page.columns, page.rows) if 5 <= page.orientation <= 8 else (page.rows, page.columns) for page in pages}
    if len(shapes) > 1:
        raise UnreadableScan("The pages of the TIFF file stand in different directions; send pages that are alike.")
    pixels = np.empty((len(pages), *shapes.pop()), np.float32)
    remarks: tuple[str, ...] = ()
    for index, (page, array) in enumerate(zip(pages, arrays, strict=True)):
        if not by_pillow and page.samples == 4 and list(page.extra[:1]) == [ASSOCIATED]:
            array = _unmultiplied(array)
        pixels[index] = upright(grey(array), page.orientation)
        remarks = remarks or remark_on(array)
    if first.photometric == WHITE_IS_ZERO and first.bits[0] == 16:  # both decoders turn over those of 8 bits only
        np.subtract(np.float32(65_535), pixels, out=pixels)
    return Scan.of(pixels if len(pages) > 1 else pixels[0], kind="unknown", bits=first.bits[0], remarks=remarks)


def _decode_any(data: bytes) -> list[np.ndarray]:
    """OpenCV decodes every depth, but hands out what it has when a strip is damaged: `_check_pieces` comes first."""
    decoded, arrays = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return list(arrays) if decoded else []


def _as_stored(data: bytes, pages: list[Page]) -> bytes:
    """The file with every page's orientation set to 1, since decoders follow some orientations and fail on others."""
    turned = [page.turn for page in pages if page.turn and page.orientation != 1]
    if not turned:
        return data
    plain = bytearray(data)
    for field in turned:
        unit_sample = np.ones(1, field.values.dtype).tobytes()
        plain[field.at : field.at + len(unit_sample)] = unit_sample
    return bytes(plain)


def _unmultiplied(array: np.ndarray) -> np.ndarray:
    """(H, W, 3) float64: the colours of (H, W, 4) before they were multiplied by the alpha that stands last."""
    top = 1.0 if array.dtype.kind == "f" else float(np.iinfo(array.dtype).max)
    alpha = array[..., 3:].astype(np.float64)
    return np.where(
        alpha > 0, np.minimum(array[..., :-1] * (top / np.where(alpha > 0, alpha, 1)), top), array[..., :-1]
    )


def _decode_by_pillow(data: bytes, first: Page) -> list[np.ndarray]:
    """Pillow reports a damaged strip, undoes associated alpha of 8 bits and keeps colours as they are, but cuts 16-bit
    colour to 8 bits, which is refused.
    """
    if first.bits[0] > (16 if first.samples == 1 else 8) or first.format[0] != UNSIGNED:
        raise UnreadableScan(f"The TIFF file is of a depth that is only read uncompressed or with deflate; {SEND}.")
    arrays = []
    with cast(TiffImageFile, Image.open(io.BytesIO(data), formats=["TIFF"])) as image:
        for index in range(image.n_frames):
            image.seek(index)
            array = np.asarray(image.convert(PLAIN_MODES[image.mode]) if image.mode in PLAIN_MODES else image)
            arrays.append(
                array if array.ndim == 2 or array.shape[2] == 2 else array[..., 2::-1]
            )  # BGR, as OpenCV has it
    return arrays


def _pages(data: bytes) -> Iterator[Page]:
    for fields in directories(data, frozenset(NAMES)):
        values = {}
        for tag, entry in fields.items():
            several = isinstance(getattr(Page, NAMES[tag], ()), tuple)
            values[NAMES[tag]] = entry.values if several else int(entry.values[0])
        yield Page(**values, turn=fields.get(ORIENTATION))


def _check(page: Page, first: Page, count: int) -> None:
    """Refuse a page that asks for too much, differs from the first, or has an uncommon form."""
    bounds.check_size(page.rows, page.columns, count)
    bits, form = int(page.bits[0]), int(page.format[0])
    if any(value != bits for value in page.bits[: page.samples]) or any(
        value != form for value in page.format[: page.samples]
    ):
        raise UnreadableScan(f"The channels of the TIFF file differ; {SEND}.")
    if count * page.rows * page.columns * page.samples * bits // 8 > bounds.PICTURE_BYTES:
        raise UnreadableScan(
            f"The TIFF file holds more than {bounds.PICTURE_BYTES / 1e6:.0f} million bytes of pixels;"
            " send fewer pages or a smaller picture."
        )
    if (page.rows, page.columns, page.samples, bits, page.photometric, form) != (
        first.rows,
        first.columns,
        first.samples,
        int(first.bits[0]),
        first.photometric,
        int(first.format[0]),
    ):
        raise UnreadableScan(
            "The pages of the TIFF file differ in size or form; send one page, or pages that are alike."
        )
    if page.compression not in (NONE, LZW, DEFLATE, OLD_DEFLATE):
        raise UnreadableScan(f"The TIFF file's compression (number {page.compression}) is not read here; {SEND}.")
    whole = bits in (8, 16, 32) and form in (UNSIGNED, SIGNED)
    if not (whole or (bits in (32, 64) and form == FLOAT)) or page.samples not in (
        (1, 2, 3, 4) if bits == 8 else (1, 3, 4)
    ):
        raise UnreadableScan(
            f"The TIFF file has {page.samples} channels of {bits} bits in a form that is not read here; {SEND}."
        )
    photometrics = {1: (BLACK_IS_ZERO, PALETTE), 2: (BLACK_IS_ZERO,), 3: (RGB,), 4: (RGB,)}[page.samples]
    turned = page.samples == 1 and page.photometric == WHITE_IS_ZERO and form == UNSIGNED and bits <= 16
    if not (turned or page.photometric in photometrics) or (page.samples > 1 and page.planar != 1):
        raise UnreadableScan(f"The colours of the TIFF file are stored in a way that is not read here; {SEND}.")
    if (page.compression == LZW) != (first.compression == LZW):
        raise UnreadableScan(f"The pages of the TIFF file are compressed in different ways; {SEND}.")
    if list(page.extra[:1]) != list(first.extra[:1]):
        raise UnreadableScan(f"The pages of the TIFF file differ in how they are transparent; {SEND}.")


def _check_pieces(page: Page, data: bytes) -> None:
    """Refuse a page whose strips or tiles are missing, lie outside the file, or hold too few or too many bytes."""
    value = page.samples * int(page.bits[0]) // 8
    if page.tile_columns and page.tile_rows:
        across, down = -(-page.columns // page.tile_columns), -(-page.rows // page.tile_rows)
        if page.tile_columns * page.tile_rows > 4 * max(page.rows * page.columns, 256 * 256):
            raise UnreadableScan(f"The TIFF file is cut into tiles that are larger than the picture; {SEND}.")
        needed = [page.tile_columns * page.tile_rows * value] * (across * down)
    else:
        height = min(page.strip_rows, page.rows) or page.rows
        needed = [min(height, page.rows - top) * page.columns * value for top in range(0, page.rows, height)]
    offsets, sizes = (np.asarray(values, np.int64).tolist() for values in (page.offsets, page.sizes))
    if not len(offsets) == len(sizes) == len(needed):
        raise UnreadableScan(CUT_OFF)
    for offset, size, need in zip(offsets, sizes, needed, strict=True):
        if offset + size > len(data) or (page.compression == NONE and size < need):
            raise UnreadableScan(CUT_OFF)
        deflated = page.compression in (DEFLATE, OLD_DEFLATE)
        if deflated and len(bounds.inflate(data[offset : offset + size], need + 1, window_bits=15)) != need:
            raise UnreadableScan(DAMAGED)
