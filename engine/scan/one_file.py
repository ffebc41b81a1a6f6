"""One file's bytes -> Scan, in this process: which format it is, and what is said of files that are none or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from engine.scan import bounds
from engine.scan.dicom import looks_like_dicom, read_dicom
from engine.scan.pictures import read_jpeg, read_png
from engine.scan.record import Scan, UnreadableScan, sample
from engine.scan.tiff import read_tiff

FEWEST_LEVELS = 8  # grey values of a scan
WHAT_WORKS = "send a DICOM, PNG, JPEG, TIFF, NIfTI, NRRD or MetaImage file"
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
    (b"\x00\x00\x00\x0cjP  ", "a bare JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a bare JPEG 2000 picture"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
)


@contextmanager
def damage_as_unreadable() -> Iterator[None]:
    """Whatever a decoder raises within leaves as an UnreadableScan."""
    try:
        yield
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


def check_length(data: bytes, limit: int | None = None) -> None:
    """Refuses an empty file and one that is too long.

    Args:
        limit: bytes; FILE_BYTES if not given.
    """
    limit = bounds.FILE_BYTES if limit is None else limit
    if not data:
        raise UnreadableScan(f"The file is empty; {WHAT_WORKS}.")
    if len(data) > limit:
        raise UnreadableScan(
            f"The file has {len(data) / 1e6:.0f} million bytes; the limit is {limit / 1e6:.0f} million:"
            " send fewer slices."
        )


def is_dicom(data: bytes) -> bool:
    """Whether a file says so, or looks as one that lost its beginning does and no other."""
    return data[128:132] == b"DICM" or looks_like_dicom(data)


def decode_file(data: bytes) -> Scan:
    """The picture in a file; of a volume as its frames stand in it.

    Raises:
        UnreadableScan, or whatever a damaged field leads a decoder to raise.
    """
    check_length(data)
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


def refuse_blank(pixels: np.ndarray) -> None:
    """Refuses a picture or volume that shows nothing."""
    values, counts = np.unique(sample(pixels), return_counts=True)
    if len(values) == 1:
        raise UnreadableScan("Every pixel of the picture has the same value; send a scan that shows something.")
    if counts.max() > 0.999 * counts.sum():
        raise UnreadableScan("The picture is nearly constant; send a scan that shows something.")
    if len(values) < FEWEST_LEVELS:
        raise UnreadableScan(
            f"The picture has {len(values)} grey levels, as a mask or a drawing has, and a scan has more; send the "
            "scan itself."
        )
