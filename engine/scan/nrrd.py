"""The header of an NRRD file, reduced to what describes its voxels, before a library sees it."""

from __future__ import annotations

from engine.scan.itk import OneFile
from engine.scan.record import UnreadableScan

FIELDS = (
    "type",
    "dimension",
    "space",
    "space dimension",
    "sizes",
    "space directions",
    "spacings",
    "kinds",
    "endian",
    "encoding",
    "space origin",
    "line skip",
    "lineskip",
    "byte skip",
    "byteskip",
    "centers",
    "centerings",
)
ANATOMICAL = (  # spaces that say which side of the patient is which
    "right-anterior-superior",
    "ras",
    "left-anterior-superior",
    "las",
    "left-posterior-superior",
    "lps",
)
ELSEWHERE = ("data file", "datafile")
LONGEST = 1 << 16  # bytes of a header


def dimensions_of(data: bytes) -> tuple[int, ...]:
    """The sides that the header gives, () where it gives none."""
    fields = _header(data)[1]
    return tuple(int(side) for side in fields.get("sizes", "").split() if side.isdigit())


def nrrd_in_one(data: bytes) -> OneFile:
    """The file with the known fields of its header only.

    Raises:
        UnreadableScan: for a header whose voxels stand in another file, and for one without an end.
    """
    lines, fields, end = _header(data)
    if any(name in fields for name in ELSEWHERE):
        raise UnreadableScan("This is an NRRD header whose voxels stand in another file; save both as one .nrrd file.")
    if end < 0:
        raise UnreadableScan("The NRRD file's header has no end; send the whole file.")
    kept = "\n".join([lines[0], *(f"{name}: {fields[name]}" for name in FIELDS if name in fields)])
    oriented = fields.get("space", "").lower().removesuffix("-time") in ANATOMICAL and "space directions" in fields
    return OneFile(kept.encode("latin-1") + b"\n\n", memoryview(data)[end:], oriented)


def _header(data: bytes) -> tuple[list[str], dict[str, str], int]:
    """(lines, fields by name, where the voxels begin or -1 where the header has no end)."""
    ends = [(data.find(mark, 0, LONGEST), len(mark)) for mark in (b"\n\n", b"\r\n\r\n")]
    at, length = min((end for end in ends if end[0] >= 0), default=(-1, 0))
    lines = data[: max(at, 0) if at >= 0 else LONGEST].decode("latin-1").splitlines()
    fields = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#") and not value.startswith("="):
            fields[" ".join(name.lower().split())] = value.strip()
    return lines, fields, at + length if at >= 0 else -1
