"""Parts of DICOM, JPEG and PNG files that the tests of scan put together: tables, EXIF blocks, compressed frames."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from tests.scan.files import dicom, item, picture


def table_item(
    entries: np.ndarray,
    first: int = 0,
    bits: int = 16,
    count: int | None = None,
    vr: str = "US",
    data: bytes | None = None,
    order: str = "<",
) -> Dataset:
    """An item of a Modality LUT or VOI LUT sequence; `count` and `data` replace what `entries` would give."""
    made = item(LUTDescriptor=[len(entries) if count is None else count, first, bits], LUTData=b"")
    made["LUTDescriptor"].VR, made["LUTData"].VR = vr, "OW"
    made["LUTData"].value = np.asarray(entries, f"{order}u2").tobytes() if data is None else data
    return made


def palette_elements(entries: np.ndarray, first: int, bits: int, count: int | None = None) -> dict:
    """The same table for red, green and blue, so that luminance is the entry."""
    elements = {"PhotometricInterpretation": "PALETTE COLOR"}
    data = entries.astype(np.uint8).tobytes() if bits == 8 else entries.astype("<u2").tobytes()
    for colour in ("Red", "Green", "Blue"):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [
            (len(entries) if count is None else count) % 65536,
            first,
            bits,
        ]
        elements[f"{colour}PaletteColorLookupTableData"] = data + b"\0" * (len(data) % 2)
    return elements


def exif_block(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    """An EXIF block with two fields, the orientation second."""
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *([orientation, 0] if kind == 3 else [orientation]))
    fields = struct.pack(order + "HHII", 256, 4, 1, 7) + struct.pack(order + "HHI", 274, kind, 1) + value
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 2) + fields + bytes(4)


def jpeg_with_exif(array: np.ndarray, block: bytes) -> bytes:
    """8-bit JPEG of `array`, with an EXIF block at its start."""
    plain = picture(array, "JPEG", quality=95)
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block + plain[2:]


def png_with_exif(file: bytes, block: bytes, before: bytes = b"IDAT", checksum: int | None = None) -> bytes:
    """A PNG file with an EXIF block put in before a chunk."""
    at = file.index(before) - 4
    checksum = zlib.crc32(b"eXIf" + block) if checksum is None else checksum
    return file[:at] + struct.pack(">I", len(block)) + b"eXIf" + block + struct.pack(">I", checksum) + file[at:]


def encapsulated(frames: list[bytes], like: np.ndarray, syntax, **elements) -> bytes:
    """A DICOM file of compressed frames; `like` gives size and depth."""
    frames = [frame + b"\0" * (len(frame) % 2) for frame in frames]
    return dicom(like, syntax, PixelData=encapsulate(frames), **elements)


def lossless_jpeg(values: np.ndarray, bits: int) -> bytes:
    """ISO 10918-1, process 14, selection value 1, with a code of 5 bits for each of the 17 kinds of difference."""
    values = values.astype(np.int64)
    left = np.empty_like(values)
    left[:, 1:], left[1:, 0], left[0, 0] = values[:, :-1], values[:-1, 0], 1 << (bits - 1)
    written = []
    for difference in ((values - left + 32_768) % 65_536 - 32_768).ravel().tolist():
        kind = abs(difference).bit_length()
        extra = difference if difference > 0 else difference + (1 << kind) - 1
        written.append(f"{kind:05b}" + (f"{extra:0{kind}b}" if kind and kind < 16 else ""))
    text = "".join(written)
    text += "1" * (-len(text) % 8)
    data = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")
    table = b"\xff\xc4" + struct.pack(">HB", 19 + 17, 0) + bytes([0, 0, 0, 0, 17, *[0] * 11]) + bytes(range(17))
    frame = b"\xff\xc3" + struct.pack(">HBHHB3B", 11, bits, *values.shape, 1, 1, 0x11, 0)
    return b"\xff\xd8" + frame + table + b"\xff\xda" + bytes([0, 8, 1, 1, 0, 1, 0, 0]) + data + b"\xff\xd9"


def sequential_jpeg(array: np.ndarray, end: int = 0, **options) -> bytes:
    """A sequential JPEG of process 2 whose scan says that the spectrum ends at `end`."""
    data = bytearray(picture(array, "JPEG", quality=95, **options))
    data[data.index(b"\xff\xc0") + 1] = 0xC1
    at = data.index(b"\xff\xda")
    data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") - 2] = end
    return bytes(data)
