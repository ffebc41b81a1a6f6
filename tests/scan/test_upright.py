"""Promises of pictures as they are stored: all eight orientations stand upright, and transparency changes no colour."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from engine.scan import UnreadableScan
from engine.scan import read_scan_in_process as read_scan
from engine.scan.orientation import exif_orientation, upright
from tests.scan.files import body, picture, png, png_chunks, png_header, tiff
from tests.scan.parts import exif_block, jpeg_with_exif, png_with_exif

DEEP = body(top=60_000)
FLAT = (DEEP // 256).astype(np.uint8)
COLOUR = np.stack([FLAT, FLAT // 2, 255 - FLAT], axis=-1)
ALPHA = np.resize(np.linspace(60, 255, 50), (40, 50)).astype(np.uint8)
# Orientation -> how an upright picture is then stored (EXIF 2.3: where its first row and column are seen)
STORED_AS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, -1),
}
EACH = pytest.mark.parametrize("orientation", STORED_AS)


def stored(array: np.ndarray, orientation: int) -> np.ndarray:
    return np.ascontiguousarray(STORED_AS[orientation](array))


@EACH
def test_the_eight_orientations_are_those_of_pillow(orientation):
    turn = {
        2: "FLIP_LEFT_RIGHT",
        3: "ROTATE_180",
        4: "FLIP_TOP_BOTTOM",
        5: "TRANSPOSE",
        6: "ROTATE_270",
        7: "TRANSVERSE",
        8: "ROTATE_90",
    }
    image = Image.fromarray(stored(FLAT, orientation))
    image = image.transpose(getattr(Image.Transpose, turn[orientation])) if orientation > 1 else image
    assert np.array_equal(np.asarray(image), FLAT)
    assert np.array_equal(upright(stored(FLAT, orientation), orientation), FLAT)


@EACH
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [3, 4])
def test_jpeg_and_png_are_turned_as_their_exif_says(orientation, order, kind):
    block = exif_block(orientation, order, kind)
    smooth = np.outer(np.linspace(0, 250, 40), np.linspace(0.2, 1, 50)).astype(np.uint8)
    scan = read_scan(jpeg_with_exif(stored(smooth, orientation), block))
    assert scan.pixels.shape == smooth.shape and np.abs(scan.pixels - smooth).max() <= 4
    for array in (FLAT, DEEP, COLOUR):
        grey = read_scan(png(array))
        assert read_scan(png_with_exif(png(stored(array, orientation)), block)).sha256 == grey.sha256
        assert read_scan(png_with_exif(png(stored(array, orientation)), block, before=b"IEND")).sha256 == grey.sha256


@EACH
@pytest.mark.parametrize("order", "<>")
def test_tiff_is_turned_as_its_tag_says(orientation, order):
    for array in (FLAT, DEEP, COLOUR, (DEEP / 7).astype(np.float32)):
        upright_one = read_scan(tiff(array, order=order))
        for compression in (1, 8):
            scan = read_scan(tiff(stored(array, orientation), order=order, compression=compression, t274=orientation))
            assert scan.sha256 == upright_one.sha256
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "raw"):
        for array in (FLAT, DEEP, COLOUR):
            scan = read_scan(
                picture(stored(array, orientation), "TIFF", compression=compression, tiffinfo={274: orientation})
            )
            assert scan.sha256 == read_scan(picture(array, "TIFF")).sha256


def test_every_page_is_turned_and_all_must_stand_alike():
    pages = [stored(DEEP, 6), stored(DEEP // 2, 6)]
    assert np.array_equal(read_scan(tiff(*pages, t274=6)).pixels, np.stack([DEEP, DEEP // 2]))
    square = DEEP[:, :40]
    mixed = bytearray(tiff(stored(square, 6), stored(square, 3), t274=6))
    at = mixed.rindex(struct.pack("<HHI", 274, 4, 1)) + 8
    mixed[at : at + 4] = struct.pack("<I", 3)
    assert np.array_equal(read_scan(bytes(mixed)).pixels, np.stack([square, square]))
    mixed = bytearray(tiff(stored(DEEP, 6), stored(DEEP, 6), t274=6))
    mixed[mixed.rindex(struct.pack("<HHI", 274, 4, 1)) + 8] = 3
    with pytest.raises(UnreadableScan, match="directions"):
        read_scan(bytes(mixed))


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"MM\0*",
        b"II*\0\xff\xff\xff\x7f",
        exif_block(0),
        exif_block(9),
        exif_block(65_535),
        exif_block(6)[:-20],
        b"Exif\0\0" + exif_block(6),
        b"II*\0\x08\0\0\0\xff\xff",
    ],
)
def test_a_note_that_says_nothing_turns_nothing(block):
    assert read_scan(png_with_exif(png(FLAT), block)).sha256 == read_scan(png(FLAT)).sha256
    assert read_scan(jpeg_with_exif(FLAT, block)).pixels.shape == FLAT.shape
    assert upright(FLAT, exif_orientation(block)) is FLAT


def test_a_png_note_with_a_wrong_checksum_turns_nothing():
    assert read_scan(png_with_exif(png(FLAT), exif_block(6), checksum=7)).sha256 == read_scan(png(FLAT)).sha256


def test_a_note_before_the_header_is_no_png():
    lines = zlib.compress(b"".join(b"\0" + row.tobytes() for row in FLAT))
    broken = png_chunks((b"eXIf", exif_block(6)), (b"IDAT", lines), png_header(*FLAT.shape), (b"IEND", b""))
    with pytest.raises(UnreadableScan):
        read_scan(broken)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
def test_8_bit_colours_beside_alpha_are_those_of_the_png(mode, compression):
    colours = COLOUR if mode == "RGBA" else FLAT[..., None]
    image = Image.fromarray(np.concatenate([colours, ALPHA[..., None]], axis=2), mode)
    out = io.BytesIO()
    image.save(out, "TIFF", compression=compression)
    same = io.BytesIO()
    image.save(same, "PNG")
    opaque = picture(COLOUR if mode == "RGBA" else FLAT, "PNG")
    assert read_scan(out.getvalue()).sha256 == read_scan(same.getvalue()).sha256 == read_scan(opaque).sha256


@pytest.mark.parametrize("kind", [0, 1, 2])  # unspecified, associated, unassociated
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("order", "<>")
def test_alpha_of_every_kind_and_depth_leaves_the_colours(kind, dtype, compression, order):
    scale = 257 if dtype == np.uint16 else 1
    colours, alpha = COLOUR.astype(dtype) * dtype(scale), ALPHA.astype(dtype) * dtype(scale)
    there = np.rint(colours * (alpha / (255 * scale))[..., None]).astype(dtype) if kind == 1 else colours
    file = tiff(np.dstack([there, alpha]), order=order, compression=compression, t338=kind)
    plain = read_scan(tiff(colours, order=order)).pixels
    assert np.abs(read_scan(file).pixels - plain).max() <= (
        3 if kind == 1 else 0
    )  # what was multiplied was rounded too


def test_where_nothing_is_seen_the_stored_colour_stays():
    deep = COLOUR.astype(np.uint16) * 257
    clear = np.zeros((40, 50), np.uint16)
    assert np.array_equal(read_scan(tiff(np.dstack([deep, clear]), t338=1)).pixels, read_scan(tiff(deep)).pixels)
