"""Which way up a picture is stored: the EXIF tag of JPEG and PNG and the tag of TIFF, by one rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from engine.scan import bounds
from engine.scan.codestreams import CUT_OFF
from engine.scan.record import UnreadableScan

ORIENTATION = 274  # TIFF 6.0 and EXIF 2.3
VALUE_TYPES = {1: "u1", 3: "u2", 4: "u4"}
MOST_ENTRIES = 256  # of one directory


class Entry(NamedTuple):
    """A field of an image file directory: its numbers, and where in the file they stand."""

    values: np.ndarray
    at: int


def directories(data: bytes, tags: frozenset[int]) -> Iterator[dict[int, Entry]]:
    """The image file directories of a TIFF structure, with those of `tags` that hold whole numbers.

    Raises:
        UnreadableScan: when a directory or a value lies outside the file, or directories never end.
    """
    order = "<" if data[:2] == b"II" else ">"
    endian = "little" if order == "<" else "big"
    at, seen = int.from_bytes(data[4:8], endian), set()
    while at:
        count = int.from_bytes(data[at : at + 2], endian)
        if at in seen or len(seen) == bounds.PAGES or count > MOST_ENTRIES:
            raise UnreadableScan(
                f"The TIFF file has more than {bounds.PAGES} pages or a damaged header; save it again."
            )
        if at + 6 + 12 * count > len(data):
            raise UnreadableScan(CUT_OFF)
        seen.add(at)
        fields = {}
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind = (int.from_bytes(data[entry + i : entry + i + 2], endian) for i in (0, 2))
            if tag in tags and kind in VALUE_TYPES:
                dtype = np.dtype(order + VALUE_TYPES[kind])
                size = int.from_bytes(data[entry + 4 : entry + 8], endian) * dtype.itemsize
                start = entry + 8 if size <= 4 else int.from_bytes(data[entry + 8 : entry + 12], endian)
                if not size or start + size > len(data):
                    raise UnreadableScan(CUT_OFF)
                fields[tag] = Entry(np.frombuffer(data, dtype, size // dtype.itemsize, start), start)
        yield fields
        at = int.from_bytes(data[at + 2 + 12 * count : at + 6 + 12 * count], endian)


def exif_orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, in the first directory of an EXIF block (a TIFF structure); 1 where it says none."""
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return 1
    try:
        entry = next(directories(exif, frozenset({ORIENTATION})), {}).get(ORIENTATION)
    except UnreadableScan:  # a damaged note beside the picture
        return 1
    return int(entry.values[0]) if entry else 1


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """A stored picture (H, W) or (H, W, C) as it is to be looked at.

    Args:
        orientation: 1 as stored; 2 mirrored left to right; 3 turned by 180 degrees; 4 mirrored top to bottom; 5
            mirrored about the main diagonal; 6 to be turned clockwise by 90 degrees; 7 mirrored about the other
            diagonal; 8 to be turned counter-clockwise by 90 degrees. Any other number counts as 1, as viewers have it.
    """
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)  # then 6 is mirrored left to right, 8 top to bottom, 7 both
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array
