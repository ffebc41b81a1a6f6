"""DICOM, PNG, JPEG and TIFF files made from arrays, for the tests of scan."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

ADAM7 = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))


def body(rows: int = 40, columns: int = 50, top: int = 4000, dtype=np.uint16) -> np.ndarray:
    """(rows, columns) of `dtype` from 0 to `top`: a smooth blob with grain, the same every time."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    blob = np.exp(-2 * (x**2 + y**2)) + 0.05 * np.random.default_rng(7).random((rows, columns))
    return np.rint((blob - blob.min()) / np.ptp(blob) * top).astype(dtype)


def dicom(stored: np.ndarray, syntax=ExplicitVRLittleEndian, samples: int = 1, **elements) -> bytes:
    """A DICOM file of (H, W), (S, H, W), or with samples=3 (H, W, 3), stored values; `elements` by keyword replace the
    defaults.

    An element given as None is left out.
    """
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    shape = stored.shape[:-1] if samples == 3 else stored.shape
    bits = 8 * stored.dtype.itemsize
    defaults = {
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": "1.2.3.4",
        "Modality": "CR",
        "SamplesPerPixel": samples,
        "PhotometricInterpretation": "RGB" if samples == 3 else "MONOCHROME2",
        "Rows": shape[-2],
        "Columns": shape[-1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(stored.dtype.kind == "i"),
        "PixelData": stored.astype(stored.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<")).tobytes(),
    }
    if samples == 3:
        defaults["PlanarConfiguration"] = 0
    if len(shape) == 3:
        defaults["NumberOfFrames"] = shape[0]
    for keyword, value in (defaults | elements).items():
        if value is not None:
            setattr(data, keyword, value)
    if "PixelData" in data:
        data["PixelData"].VR = "OB" if bits == 8 and syntax != ImplicitVRLittleEndian else "OW"
        if syntax.is_compressed:
            data["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def item(**elements) -> Dataset:
    """One item of a sequence."""
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def png(array: np.ndarray) -> bytes:
    """8 or 16 bits; (H, W), or (H, W, 3 or 4) with red first."""
    if array.ndim == 3:
        array = np.concatenate([array[..., 2::-1], array[..., 3:]], axis=2)
    return cv2.imencode(".png", array)[1].tobytes()


def png_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file of (name, body) chunks with right checksums."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def png_header(rows: int, columns: int, depth: int = 8, colour: int = 0, interlaced: int = 0) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, interlaced)


def interlaced_png(array: np.ndarray) -> bytes:
    """8-bit grey, in the seven passes of Adam7."""
    lines = [b"\0" + line.tobytes() for y, dy, x, dx in ADAM7 for line in array[y::dy, x::dx] if line.size]
    return png_chunks(png_header(*array.shape, interlaced=1), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b""))


def picture(array: np.ndarray, form: str, **options) -> bytes:
    """Whatever Pillow can write: JPEG, TIFF, PNG, GIF ..."""
    out = io.BytesIO()
    Image.fromarray(array).save(out, form, **options)
    return out.getvalue()


def tiff(*pages: np.ndarray, order: str = "<", compression: int = 1, photometric: int | None = None, **tags) -> bytes:
    """TIFF of (H, W) or (H, W, C) pages in one strip each; `tags` such as t277=3 replace those written by default."""
    data = bytearray((b"II*\0" if order == "<" else b"MM\0*") + b"\0" * 4)
    link = 4
    for array in pages:
        raw = array.astype(array.dtype.newbyteorder(order)).tobytes()
        raw = zlib.compress(raw) if compression == 8 else raw
        strip = len(data)
        data += raw + b"\0" * (len(raw) % 2)
        samples = 1 if array.ndim == 2 else array.shape[2]
        depths = len(data)
        data += struct.pack(f"{order}{samples}H", *[8 * array.dtype.itemsize] * samples) + b"\0" * (samples % 2 * 2)
        entries = {
            256: (4, array.shape[1]),
            257: (4, array.shape[0]),
            258: (3, 8 * array.dtype.itemsize),
            259: (3, compression),
            262: (3, (2 if samples > 1 else 1) if photometric is None else photometric),
            273: (4, strip),
            277: (3, samples),
            278: (4, array.shape[0]),
            279: (4, len(raw)),
            339: (3, {"u": 1, "i": 2, "f": 3}[array.dtype.kind]),
        }
        entries |= {int(name[1:]): (4, value) for name, value in tags.items()}
        data[link : link + 4] = struct.pack(order + "I", len(data))
        data += struct.pack(order + "H", len(entries))
        for tag, (kind, value) in sorted(entries.items()):
            if tag == 258 and samples > 1:
                data += struct.pack(order + "HHII", tag, 3, samples, depths)
            elif tag == 339 and samples > 1:
                data += struct.pack(order + "HHIHH", tag, 3, 1, value, 0)
            else:
                field = struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
                data += struct.pack(order + "HHI", tag, kind, 1) + field
        link = len(data)
        data += b"\0" * 4
    return bytes(data)
