"""Files -> Scan, or UnreadableScan that says why: the only door for files, one or many."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from engine import worker
from engine.scan import bounds
from engine.scan.archive import is_archive
from engine.scan.dicom import has_grey_frames
from engine.scan.one_file import check_length, damage_as_unreadable, decode_file, is_dicom, refuse_blank
from engine.scan.record import KINDS, SMALLEST_SIDE, TAG_NAMES, Scan, UnreadableScan, frame
from engine.scan.volume_files import form_of
from engine.scan.volume_source import Source
from engine.scan.volumes import Found, read_volume, read_volumes

__all__ = [
    "KINDS",
    "SMALLEST_SIDE",
    "TAG_NAMES",
    "Found",
    "Scan",
    "UnreadableScan",
    "frame",
    "read_scan",
    "read_scan_in_process",
    "read_scans",
    "read_volume",
    "read_volumes",
]

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
    """Decode one DICOM, PNG, JPEG, TIFF, NIfTI, NRRD or MetaImage file, in a process of its own.

    The process is killed when it takes too much; the limits stand in `engine.scan.bounds`. Nothing of the file but its
    pixels and the tags in TAG_NAMES is kept.

    Raises:
        UnreadableScan: for whatever else `data` is, in one sentence; also for several volumes: see `read_scans`.
    """
    scan = _picture(data)
    return read_volume(data) if scan is None else scan


def read_scans(source: Source) -> Found:
    """All scans in one file, several files, a folder or a zip: as `read_volumes`, and a single picture as `read_scan`.

    Raises:
        UnreadableScan: in one sentence.
    """
    if isinstance(source, (str, Path)) and Path(source).is_file() and Path(source).suffix.lower() != ".mhd":
        source = Path(source).read_bytes()
    if isinstance(source, (list, tuple)) and len(source) == 1:
        source = source[0] if isinstance(source[0], bytes) else source[0][1]
    if isinstance(source, bytes) and not is_archive(source) and (scan := _picture(source)) is not None:
        return Found(
            (scan,), places=(tuple((0, frame) for frame in range(len(scan.pixels) if scan.pixels.ndim == 3 else 1)),)
        )
    return read_volumes(source)


def _picture(data: bytes) -> Scan | None:
    """The scan in a file; None for a volume."""
    check_length(data, bounds.VOLUME_FILE_BYTES if _may_be_volume(data) else None)
    try:
        answer = worker.call(DECODED, data, limits=LIMITS, raises=(UnreadableScan,))
        return None if answer is None else Scan(**answer)
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


def _may_be_volume(data: bytes) -> bool:
    """Whether the first bytes are those of a format that holds volumes."""
    return is_dicom(data) or data[:2] == b"\x1f\x8b" or bool(form_of(data[:4096]))


def decoded(data: bytes) -> dict[str, Any] | None:
    """The fields of the scan in a file, as a worker sends them back; None for a volume, which `read_volume` reads."""
    with damage_as_unreadable():
        if is_volume(data):
            return None
    scan = read_scan_in_process(data)
    return {field.name: getattr(scan, field.name) for field in fields(scan)}


def read_scan_in_process(data: bytes) -> Scan:
    """As `read_scan`, but nothing ends it: for workers, and for tests of the decoders themselves.

    Raises:
        UnreadableScan: for whatever else `data` is, in one sentence.
    """
    with damage_as_unreadable():
        data = bytes(data)
        check_length(data, bounds.VOLUME_FILE_BYTES)
        if is_volume(data):
            return read_volume(data, in_process=True)
        scan = decode_file(data)
        refuse_blank(scan.pixels)
        return scan


def is_volume(data: bytes) -> bool:
    """Whether a file is for `read_volumes`: several grey frames of DICOM, NIfTI, NRRD or MetaImage."""
    return bool(form_of(data)) or (is_dicom(data) and has_grey_frames(data))
