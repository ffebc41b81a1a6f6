"""DICOM files of downloaded collections: where they lie, and one of them as grey values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from engine.datasets.collection import UnusableCollection
from engine.scan import Scan, UnreadableScan, read_scan_in_process
from engine.scan.one_file import damage_as_unreadable, decode_file


def headers(folder: Path, tags: list[str]) -> Iterator[tuple[Path, pydicom.Dataset]]:
    """Every DICOM file directly in a folder, with these tags; what is no DICOM file is left out."""
    for path in sorted(folder.glob("*.dcm")):
        try:
            yield path, pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags)
        except (InvalidDicomError, OSError, ValueError):
            continue


def folders(root: Path) -> list[Path]:
    """The folders below `root` that hold files ending in .dcm, in order."""
    return sorted({path.parent for path in root.rglob("*.dcm")})


def read(path: Path) -> Scan:
    """The picture in a file.

    Raises:
        UnusableCollection: it is damaged; says where it lies.
    """
    try:
        return read_scan_in_process(path.read_bytes())
    except (UnreadableScan, OSError) as error:
        raise UnusableCollection(f"{path} cannot be read ({error}); download it again.") from error


def read_any(path: Path) -> np.ndarray:
    """(H, W) float32: the pixels of a picture or of an outline, which is no scan since it has two greys only.

    Raises:
        UnusableCollection: it is damaged; says where it lies.
    """
    try:
        with damage_as_unreadable():
            return decode_file(path.read_bytes()).pixels
    except (UnreadableScan, OSError) as error:
        raise UnusableCollection(f"{path} cannot be read ({error}); download it again.") from error
