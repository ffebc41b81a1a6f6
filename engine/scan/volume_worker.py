"""What a worker process does for `engine.scan.volumes`: files in, slices and what is known of them out.

One archive and one volume at a time are kept between two calls.

Whatever goes to and fro is numbers, words, bytes and arrays, see `engine.worker.messages`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from engine.scan import bounds
from engine.scan.archive import NESTED, Archive, is_archive
from engine.scan.dicom import decode_dicom, has_grey_frames, open_dicom
from engine.scan.metaimage import is_metaimage, voxels_file
from engine.scan.one_file import check_length, damage_as_unreadable, decode_file, is_dicom, refuse_blank
from engine.scan.record import Scan, UnreadableScan
from engine.scan.source_header import headers as headers_of
from engine.scan.volume_files import Volume, form_of, read_volume_file
from engine.worker import extension

INDEX = "This is a DICOMDIR"  # how the sentence about an index of other files begins


@dataclass
class _Kept:
    """Between two calls of one worker."""

    archive: Archive | None = None
    volume: Volume | np.ndarray | None = None  # or (S, H, W) float32


_kept = _Kept()


def archive(data: bytes) -> list[list[Any]]:
    """Opens a zip, which is kept; [name, size] of each file in it that may be a scan.

    Raises:
        UnreadableScan: see `Archive`.
    """
    with damage_as_unreadable():
        _kept.archive = Archive(data)
        return [[member.filename, member.file_size] for member in _kept.archive.members]


def members(indices: Sequence[int]) -> list[dict[str, Any]]:
    """As `files`, of files in the archive.

    Raises:
        UnreadableScan: the archive holds another one.
    """
    answers = []
    for index in indices:
        try:
            answers += files([_member(index)])
        except UnreadableScan as reason:
            if str(reason) == NESTED:
                raise
            answers.append({"reason": str(reason)})
    if any("archive" in answer for answer in answers):
        raise UnreadableScan(NESTED)
    return answers


def files(contents: Sequence[bytes]) -> list[dict[str, Any]]:
    """What each file is, as a dictionary with one of these keys.

    reason: why it is nothing that can be shown
    index: it lists other files only
    archive, volume: it is to be opened by itself, by `archive` or `volume`
    scan: the fields of the picture in it, its pixels in as few bytes as they need; of DICOM with `slice`, the fields of
        a `Slice`
    """
    answers = []
    for data in contents:
        try:
            with damage_as_unreadable():
                answers.append(_looked_at(data))
        except UnreadableScan as reason:
            answers.append({"index": True} if str(reason).startswith(INDEX) else {"reason": str(reason)})
        extension.extend()
    return answers


def _looked_at(data: bytes) -> dict[str, Any]:
    if is_archive(data):
        return {"archive": True}
    if form_of(data):
        return {"volume": True}
    if is_dicom(data):
        check_length(data, bounds.VOLUME_FILE_BYTES)
        if has_grey_frames(data):
            return {"volume": True}
        check_length(data)
        scan, places = decode_dicom(open_dicom(data))
        plain = asdict(places[0]) if len(places) == 1 else None
        return {"scan": _fields(scan) | {"pixels": packed(scan.pixels)}, "slice": plain}
    scan = decode_file(data)
    refuse_blank(scan.pixels)
    return {"scan": _fields(scan) | {"pixels": packed(scan.pixels)}}


def volume(data: bytes, raw: bytes | None = None) -> dict[str, Any]:
    """Opens a file of one volume, which is kept for `slices`.

    Args:
        raw: the voxels that a .mhd header keeps in another file.

    Returns:
        scan: the fields that are known beside the pixels; shape: (S, H, W); slices: the fields of a `Slice` for each
        frame, of DICOM only.
    """
    _kept.volume = None
    with damage_as_unreadable():
        check_length(data, bounds.VOLUME_FILE_BYTES)
        if form_of(data):
            kept = _kept.volume = read_volume_file(data, raw)
            slices, rows, columns = kept.stored.shape
            bounds.check_size(rows, columns, slices, limit=bounds.VOLUME_VOXELS)
            known = {"affine": kept.affine, "spacing_mm": kept.spacing_mm, "bits": kept.bits, "remarks": kept.remarks}
            return {"shape": list(kept.stored.shape), "scan": known, "slices": None}
        scan, places = decode_dicom(open_dicom(data))
        _kept.volume = scan.pixels
        return {"shape": list(scan.pixels.shape), "scan": _fields(scan), "slices": [asdict(place) for place in places]}


def member_volume(index: int, raw: int | None = None) -> dict[str, Any]:
    """As `volume`, of files in the archive."""
    return volume(_member(index), None if raw is None else _member(raw))


def slices(places: Sequence[int]) -> np.ndarray:
    """(n, H, W) of the volume that is kept, in any of the types of `packed`."""
    kept = _kept.volume
    if kept is None:
        raise UnreadableScan("No volume is open.")
    if isinstance(kept, Volume):
        with damage_as_unreadable():
            return kept.slices(list(places))
    return kept[list(places)]


def voxels_name(data: bytes) -> str:
    """The name of the file that holds the voxels of a .mhd header; "" for other files.

    Raises:
        UnreadableScan: for a name outside of the header's folder.
    """
    with damage_as_unreadable():
        return voxels_file(data) if is_metaimage(data[:4096]) else ""


def member_voxels_name(index: int) -> str:
    """As `voxels_name`, of a file in the archive."""
    return voxels_name(_member(index))


def headers(contents: Sequence[bytes]) -> list[dict[str, list[str]] | None]:
    """See `source_header.headers`."""
    return headers_of(contents)


def member_headers(indices: Sequence[int]) -> list[dict[str, list[str]] | None]:
    """As `headers`, of files in the archive."""
    return [headers_of([_member(index)])[0] for index in indices]


def _member(index: int) -> bytes:
    if _kept.archive is None:
        raise UnreadableScan("No archive is open.")
    with damage_as_unreadable():
        return _kept.archive.read(index)


def packed(pixels: np.ndarray) -> np.ndarray:
    """The same values as int16 or uint16 where they are whole numbers of that range, else as they are."""
    low, high = pixels.min(), pixels.max()
    for kind in (np.int16, np.uint16):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            whole = pixels.astype(kind)
            if np.array_equal(whole, pixels):
                return whole
    return pixels


def _fields(scan: Scan) -> dict[str, Any]:
    return {field.name: getattr(scan, field.name) for field in fields(scan) if field.name != "pixels"}
