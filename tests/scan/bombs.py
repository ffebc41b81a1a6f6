"""Files that ask for far more than they are, for the hostile tests of scan; none is larger than 130 MB itself."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from engine.scan import bounds
from tests.scan.files import body, dicom, picture, png_chunks, png_header, tiff

STORED = body()
FLAT = (STORED // 16).astype(np.uint8)
BOMBS: dict[str, Callable[[], bytes]] = {}


def bomb(make: Callable[[], bytes]) -> Callable[[], bytes]:
    BOMBS[make.__name__.replace("_", " ")] = make
    return make


def deflated(start: bytes, zeros: int, window_bits: int) -> bytes:
    """`start` and many zeros, compressed; the checksum at the end is wrong, which only those learn who
    inflate it all.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, window_bits)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + megabyte * (zeros >> 20) + packer.flush()


def meta_end(file: bytes) -> int:
    """Where the data set begins: after the file meta information."""
    return 144 + int.from_bytes(file[140:144], "little")


@bomb
def deflated_dicom_of_1600_MB() -> bytes:
    file = dicom(STORED, DeflatedExplicitVRLittleEndian)
    start = zlib.decompress(file[meta_end(file) :], -15)
    pixels = start.index(b"\xe0\x7f\x10\x00OW")
    return file[: meta_end(file)] + deflated(start[: pixels + 8] + struct.pack("<I", 1_600_000_000), 1_600_000_000, -15)


@bomb
def png_of_900_million_pixels() -> bytes:
    return png_chunks(png_header(30_000, 30_000), (b"IDAT", deflated(b"", 900_000_000, 15)), (b"IEND", b""))


@bomb
def small_png_that_inflates_to_900_MB() -> bytes:
    return png_chunks(png_header(40, 50), (b"IDAT", deflated(b"", 900_000_000, 15)), (b"IEND", b""))


@bomb
def png_with_a_side_of_4_billion() -> bytes:
    return png_chunks(png_header(2**31 - 1, 2**31 - 1, 16, 6), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))


@bomb
def png_of_100000_chunks() -> bytes:
    return png_chunks(png_header(40, 50), *[(b"IDAT", b"")] * 100_000, (b"IEND", b""))


@bomb
def jpeg_of_4_billion_pixels() -> bytes:
    file = picture(FLAT, "JPEG")
    at = file.index(b"\xff\xc0")
    return file[: at + 5] + b"\xff\xff\xff\xff" + file[at + 9 :]


@bomb
def jpeg_of_1000_passes() -> bytes:
    file = picture(np.resize(FLAT, (800, 800)), "JPEG", progressive=True)
    last = file.rindex(b"\xff\xda")
    return file[:last] + file[last:-2] * 1000 + b"\xff\xd9"


@bomb
def jpeg_of_60_passes_over_24_million_pixels() -> bytes:
    file = picture(np.repeat(np.repeat(FLAT, 120, 0), 96, 1), "JPEG", progressive=True)
    last = file.rindex(b"\xff\xda")
    return file[:last] + file[last:-2] * 55 + b"\xff\xd9"


@bomb
def tiff_of_4_billion_pixels() -> bytes:
    return tiff(FLAT, t256=65_000, t257=65_000)


@bomb
def tiff_strip_that_inflates_to_900_MB() -> bytes:
    packed = deflated(b"", 900_000_000, 15)
    return tiff(FLAT, t259=8, t273=len(tiff(FLAT)), t279=len(packed)) + packed


@bomb
def tiff_with_a_tile_of_4_billion_pixels() -> bytes:
    return tiff(FLAT, t322=65_520, t323=65_520, t324=8, t325=2000)


@bomb
def tiff_whose_pages_form_a_ring() -> bytes:
    file = bytearray(tiff(FLAT, FLAT))
    first = file[4:8]
    file[-4:] = first
    return bytes(file)


@bomb
def tiff_of_3000_pages() -> bytes:
    return tiff(*[FLAT[:16, :16]] * 3000)


@bomb
def rows_and_columns_that_lie() -> bytes:
    return dicom(STORED, Rows=65_535, Columns=65_535)


@bomb
def frames_that_lie() -> bytes:
    return dicom(STORED, NumberOfFrames=2_000_000_000)


@bomb
def a_value_length_of_4_GB() -> bytes:
    file = bytearray(dicom(STORED))
    at = file.index(b"\xe0\x7f\x10\x00OW") + 8
    file[at : at + 4] = b"\xf0\xff\xff\xff"
    return bytes(file)


def nested(depth: int, defined: bool) -> bytes:
    """A sequence in a sequence in a sequence ... before the picture."""
    file = dicom(STORED)
    at = file.index(b"\x28\x00\x02\x00US")  # Samples per Pixel: what stands before it has lower tags
    start = b"\x18\x00\x12\x00SQ\0\0"
    if not defined:
        inner = (start + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4) * depth
        inner += (b"\xfe\xff\x0d\xe0" + bytes(4) + b"\xfe\xff\xdd\xe0" + bytes(4)) * depth
    else:
        heads = []
        size = 0
        for _ in range(depth):
            heads.append(start + struct.pack("<I", size + 8) + b"\xfe\xff\x00\xe0" + struct.pack("<I", size))
            size += 20
        inner = b"".join(reversed(heads))
    return file[:at] + inner + file[at:]


@bomb
def sequences_nested_400_deep() -> bytes:
    return nested(400, defined=False)


@bomb
def sequences_nested_100000_deep() -> bytes:
    return nested(100_000, defined=False)


@bomb
def sequences_of_known_length_nested_20000_deep() -> bytes:
    return nested(20_000, defined=True)


@bomb
def two_million_header_elements() -> bytes:
    file = dicom(STORED)
    at = file.index(b"\x28\x00\x02\x00US")
    return file[:at] + b"\x19\x00\x10\x10LO\0\0" * 2_000_000 + file[at:]


@bomb
def a_sequence_of_a_million_items() -> bytes:
    file = dicom(STORED)
    at = file.index(b"\x28\x00\x02\x00US")
    items = b"\xfe\xff\x00\xe0" + bytes(4)
    return (
        file[:at]
        + b"\x18\x00\x12\x00SQ\0\0"
        + b"\xff" * 4
        + items * 1_000_000
        + b"\xfe\xff\xdd\xe0"
        + bytes(4)
        + file[at:]
    )


@bomb
def functional_groups_of_a_million_items() -> bytes:
    file = dicom(STORED)
    at = file.index(b"\xe0\x7f\x10\x00OW")
    items = (b"\xfe\xff\x00\xe0" + bytes(4)) * 1_000_000
    return file[:at] + b"\x00\x52\x30\x92SQ\0\0" + struct.pack("<I", len(items)) + items + file[at:]


@bomb
def a_window_of_ten_million_numbers() -> bytes:
    file = dicom(STORED, ImplicitVRLittleEndian, WindowCenter="77777777")
    at = file.index(b"\x28\x00\x50\x10")
    return file[:at] + b"\x28\x00\x50\x10" + struct.pack("<I", 20_000_000) + b"1\\" * 10_000_000 + file[at + 16 :]


@bomb
def a_palette_that_unfolds_without_end() -> bytes:
    elements = {}
    for name in ("Red", "Green", "Blue"):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [0, 0, 16]
        segments = struct.pack("<HHH", 0, 1, 9) + struct.pack("<HHH", 1, 65_535, 7) * 1000
        elements[f"Segmented{name}PaletteColorLookupTableData"] = (
            segments + struct.pack("<HHHH", 2, 65_535, 0, 0) * 200_000
        )
    return dicom(FLAT, PhotometricInterpretation="PALETTE COLOR", **elements)


def codestream(rows: int, columns: int, tile: int, precinct: int | None = None, components: int = 1) -> bytes:
    """A JPEG 2000 header and one empty tile."""
    siz = (
        struct.pack(">HIIIIIIIIH", 0, columns, rows, 0, 0, tile, tile, 0, 0, components) + b"\x07\x01\x01" * components
    )
    cod = bytes([precinct is not None, 0, 0, 1, 0, 5, 4, 4, 0, 1]) + (
        b"" if precinct is None else bytes([precinct * 17]) * 6
    )
    qcd = bytes([0x40]) + bytes([0x48] * 16)
    out = b"\xff\x4f"
    for marker, segment in ((b"\xff\x51", siz), (b"\xff\x52", cod), (b"\xff\x5c", qcd)):
        out += marker + struct.pack(">H", len(segment) + 2) + segment
    return out + b"\xff\x90" + struct.pack(">HHIBB", 10, 0, 0, 0, 1) + b"\xff\x93" + bytes(100_000) + b"\xff\xd9"


def coded(data: bytes, syntax, rows: int = 40, columns: int = 50, **elements) -> bytes:
    return dicom(
        FLAT, syntax, PixelData=encapsulate([data + b"\0" * (len(data) % 2)]), Rows=rows, Columns=columns, **elements
    )


@bomb
def jpeg_2000_that_is_larger_than_its_header_says() -> bytes:
    return coded(codestream(30_000, 30_000, 30_000), JPEG2000)


@bomb
def jpeg_2000_of_16_million_tiles() -> bytes:
    return coded(codestream(4000, 4000, 1), JPEG2000, 4000, 4000)


@bomb
def jpeg_2000_of_tiny_precincts() -> bytes:
    return coded(codestream(4000, 4000, 4000, precinct=1), JPEG2000, 4000, 4000)


@bomb
def jpeg_2000_of_16_million_empty_pixels() -> bytes:
    return coded(codestream(4000, 4000, 4000), JPEG2000, 4000, 4000)


@bomb
def jpeg_2000_of_300_components() -> bytes:
    return coded(codestream(4000, 4000, 4000, components=300), JPEG2000, 4000, 4000)


@bomb
def jpeg_in_dicom_of_4_billion_pixels() -> bytes:
    return coded(jpeg_of_4_billion_pixels(), JPEGBaseline8Bit)


@bomb
def jpeg_ls_of_4_billion_pixels() -> bytes:
    header = b"\xff\xd8\xff\xf7\0\x0b\x08\xff\xff\xff\xff\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\0\0"
    return coded(header + bytes(1000) + b"\xff\xd9", JPEGLSLossless)


@bomb
def run_lengths_that_never_end() -> bytes:
    return coded(struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\x05" * 8_000_000, RLELossless, 4000, 4000)


@bomb
def two_million_fragments() -> bytes:
    empty = b"\xfe\xff\x00\xe0" + bytes(4)
    return dicom(FLAT, RLELossless, PixelData=empty * 2_000_000)


@bomb
def the_largest_native_picture_that_is_let_in() -> bytes:
    side = 5600
    return dicom(
        np.resize(body(side, side, 60_000), (side, side)), PhotometricInterpretation="MONOCHROME1", RescaleSlope="2"
    )


@bomb
def the_largest_colour_picture_that_is_let_in() -> bytes:
    grey = body(4600, 4600, 255, np.uint8)
    return dicom(np.stack([grey, grey // 2, 255 - grey], -1), samples=3)


def noise(*shape: int, dtype=np.uint8) -> np.ndarray:
    """What is hardest to unpack."""
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@bomb
def the_largest_noisy_png_that_is_let_in() -> bytes:
    side = int((bounds.PICTURE_BYTES / 6) ** 0.5)
    return cv2.imencode(".png", noise(side, side, 3, dtype=np.uint16), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


@bomb
def the_largest_noisy_tiff_that_is_let_in() -> bytes:
    side = int((bounds.PICTURE_BYTES / 2) ** 0.5)
    return tiff(noise(side, side, dtype=np.uint16), compression=8)


@bomb
def the_largest_jpeg_of_ten_passes_that_is_let_in() -> bytes:
    side = int((bounds.JPEG_PASSED_PIXELS / 10) ** 0.5)
    return cv2.imencode(".jpg", noise(side, side, 3), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_QUALITY, 90])[
        1
    ].tobytes()


@bomb
def the_largest_plain_jpeg_film_that_is_let_in() -> bytes:
    frame = cv2.imencode(".jpg", noise(1024, 1024, 3), [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()
    frames = bounds.JPEG_PIXELS >> 20
    data = encapsulate([frame + b"\0" * (len(frame) % 2)] * frames)
    return dicom(
        np.zeros((8, 8, 3), np.uint8),
        JPEGBaseline8Bit,
        samples=3,
        PixelData=data,
        Rows=1024,
        Columns=1024,
        NumberOfFrames=frames,
        PhotometricInterpretation="YBR_FULL_422",
    )


@bomb
def the_largest_native_colour_film_that_is_let_in() -> bytes:
    frames = bounds.VALUES // (3 * 1024 * 1024)
    return dicom(
        np.zeros((8, 8, 3), np.uint8),
        samples=3,
        PixelData=noise(1 << 20, 3).tobytes() * frames,
        Rows=1024,
        Columns=1024,
        NumberOfFrames=frames,
    )
