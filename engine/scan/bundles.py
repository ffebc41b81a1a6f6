"""Which of several files are to be read together: slices, and a header with its voxels. Nothing is decoded for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from engine.scan.metaimage import is_metaimage, voxels_file
from engine.scan.record import UnreadableScan

POSITION = (b"\x20\x00\x32\x00", b"\x00\x20\x00\x32")  # the tag of ImagePositionPatient in either byte order
MARK, HEAD = b"DICM", 1 << 18  # bytes within which a slice says where it lies


def bundles(files: Sequence[tuple[str, bytes]]) -> list[list[int]]:
    """The places of `files`, (name, bytes) each, in lists of those that are read together, by the first of each."""
    slices = [place for place, (_, data) in enumerate(files) if _may_be_slice(data)]
    together = [slices] if len(slices) > 1 else []
    names = {name: place for place, (name, _) in enumerate(files)}
    for place, (name, data) in enumerate(files):
        voxels = names.get(str(PurePosixPath(name).parent / _voxels(data))) if _voxels(data) else None
        if voxels is not None:
            together.append([place, voxels])
    bundled = {place for bundle in together for place in bundle}
    return sorted([*together, *([place] for place in range(len(files)) if place not in bundled)], key=min)


def _may_be_slice(data: bytes) -> bool:
    """Whether a file is DICOM and looks as if it said where in the patient it lies."""
    if data[128:132] != MARK:
        return False
    head = data[:HEAD]
    return any(tag in head for tag in POSITION)


def _voxels(data: bytes) -> str:
    """The name of the file that holds the voxels of a .mhd header, "" for other files."""
    try:
        return voxels_file(data) if is_metaimage(data[:4096]) else ""
    except UnreadableScan:
        return ""
