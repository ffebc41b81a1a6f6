"""bytes -> Scan, or UnreadableScan that says why: the only door for files."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from engine import worker
from engine.scan import bounds
from engine.scan.dicom import looks_like_dicom, read_dicom
from engine.scan.pictures import read_jpeg, read_png
from engine.scan.record import KINDS, SMALLEST_SIDE, TAG_NAMES, Scan, UnreadableScan, frame, sample
from engine.scan.tiff import read_tiff

__all__ = [
    "KINDS",
    "SMALLEST_SIDE",
    "TAG_NAMES",
    "Scan",
    "UnreadableScan",
    "frame",
    "read_scan",
    "read_scan_in_process",
]

WHAT_WORKS = "send one DICOM, PNG, JPEG or TIFF file"
OTHER_FILES = (  # first bytes, what they are
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"PK\x07\x08", "a zip archive in parts"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"%PDF", "a PDF document"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"RIFF", "a WebP picture or a film"),
    (b"NRRD", "an NRRD volume"),
    (b"\x00\x00\x00\x0cjP  ", "a bare JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a bare JPEG 2000 picture"),
    (b"\x5c\x01\x00\x00", "a NIfTI volume"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
)
DECODED = "engine.scan:decoded"  # what a worker does
LIMITS = worker.Limits(
    processor=bounds.PROCESSOR_SECONDS,
    longest=bounds.SERIES_SECONDS,
    wall=10 * bounds.SERIES_SECONDS,
    memory=bounds.WORKER_BYTES,
    output=4 * bounds.PIXELS + bounds.MEGA,
)
TOO_MUCH = {
    "processor": f"The file takes longer than the {bounds.PROCESSOR_SECONDS:g} seconds of processor time that a "
    "picture may; save it again, uncompressed.",
    "wall": "The file takes too long to decode; save it again, uncompressed.",
    "memory": "The file asks for more memory than there is; send a smaller picture.",
    "output": "The file unfolds into more than can be opened; send fewer frames or a smaller picture.",
}  # the limit that was exceeded: what to say


def read_scan(data: bytes) -> Scan:
    """Decode one DICOM, PNG, JPEG or TIFF file, in a process of its own that is killed when it takes too much.

    Nothing of the file but its pixels and the tags in TAG_NAMES is kept. Limits stand in `engine.scan.bounds`.

    Raises:
        UnreadableScan: for whatever else `data` is, in one sentence.
    """
    _check_length(data)
    try:
        return Scan(**worker.call(DECODED, data, limits=LIMITS, raises=(UnreadableScan,)))
    except worker.Exceeded as error:
        raise UnreadableScan(TOO_MUCH[error.limit]) from error
    except worker.Lost as error:
        raise UnreadableScan(
            "The file could not be decoded just now: the machine is short of memory or processes; send it again."
        ) from error
    except worker.WorkerError as error:
        raise UnreadableScan(
            "The file makes its decoder crash; export the picture again as a plain DICOM file or a PNG."
        ) from error


def decoded(data: bytes) -> dict[str, Any]:
    """The fields of the scan in a file, as a worker sends them back."""
    scan = read_scan_in_process(data)
    return {field.name: getattr(scan, field.name) for field in fields(scan)}


def read_scan_in_process(data: bytes) -> Scan:
    """As `read_scan`, but nothing ends it: for workers, and for tests of the decoders themselves.

    Raises:
        UnreadableScan: for whatever else `data` is, in one sentence.
    """
    try:
        scan = _decode(bytes(data))
        _refuse_blank(scan.pixels)
        return scan
    except UnreadableScan:
        raise
    except RecursionError as error:
        raise UnreadableScan(
            "The file's header is nested too deeply; export the picture again as a plain DICOM file."
        ) from error
    except MemoryError as error:
        raise UnreadableScan("The file asks for more memory than there is; send a smaller picture.") from error
    # The decoders raise whatever a damaged field leads them to: struct.error, KeyError, TypeError, OSError, cv2.error
    # ...
    except BaseException as error:
        panic = type(error).__module__ == "pyo3_runtime"  # of a codec in Rust, which is no Exception
        if not (panic or isinstance(error, Exception)):
            raise
        if isinstance(error.__context__, UnreadableScan):  # pydicom puts an OSError over it
            raise error.__context__ from None
        raise UnreadableScan(
            f"The file is damaged and cannot be decoded; {WHAT_WORKS} that opens elsewhere."
        ) from error


def _check_length(data: bytes) -> None:
    if not data:
        raise UnreadableScan(f"The file is empty; {WHAT_WORKS}.")
    if len(data) > bounds.FILE_BYTES:
        raise UnreadableScan(
            f"The file has {len(data) / 1e6:.0f} million bytes; the limit is {bounds.FILE_BYTES / 1e6:.0f} million: "
            "send fewer slices."
        )


def _decode(data: bytes) -> Scan:
    _check_length(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return read_png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return read_jpeg(data)
    if data[128:132] == b"DICM":  # before TIFF: a DICOM preamble may be a TIFF header
        return read_dicom(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return read_tiff(data)
    for start, name in OTHER_FILES:
        if data.startswith(start):
            unpack = "unpack it and " if "archive" in name else ""
            raise UnreadableScan(f"This is {name}, not a scan; {unpack}{WHAT_WORKS}.")
    if data[:4] in (b"II+\0", b"MM\0+"):
        raise UnreadableScan("This is a BigTIFF; save it as a plain TIFF or PNG.")
    if looks_like_dicom(data):
        return read_dicom(data)
    head = data[:4096]
    if not any(byte < 9 for byte in head):
        raise UnreadableScan(f"This is a text file, not a scan; {WHAT_WORKS}.")
    raise UnreadableScan(f"This is no format that can be read here; {WHAT_WORKS}.")


def _refuse_blank(pixels: np.ndarray) -> None:
    values, counts = np.unique(sample(pixels), return_counts=True)
    if len(values) == 1:
        raise UnreadableScan("Every pixel of the picture has the same value; send a scan that shows something.")
    if len(values) < 8 or counts.max() > 0.999 * counts.sum():
        raise UnreadableScan(
            "The picture is nearly constant, with hardly any grey levels; send a scan that shows something."
        )
