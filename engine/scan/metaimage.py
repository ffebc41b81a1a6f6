"""The header of a MetaImage file (.mha, .mhd), reduced to what describes its voxels, before a library sees it."""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath, PureWindowsPath

from engine.scan.itk import OneFile
from engine.scan.record import UnreadableScan

FIELDS = (
    "ObjectType",
    "NDims",
    "BinaryData",
    "BinaryDataByteOrderMSB",
    "ElementByteOrderMSB",
    "CompressedData",
    "CompressedDataSize",
    "TransformMatrix",
    "Rotation",
    "Orientation",
    "Offset",
    "Position",
    "Origin",
    "CenterOfRotation",
    "AnatomicalOrientation",
    "ElementSpacing",
    "ElementSize",
    "DimSize",
    "HeaderSize",
    "ElementNumberOfChannels",
    "ElementType",
)
ORIENTED = ("TransformMatrix", "Rotation", "Orientation")
VOXELS = "ElementDataFile"  # which ends a header
LOCAL = "LOCAL"
LONGEST = 1 << 16  # bytes of a header
BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}  # of an ElementType
LINE = re.compile(rb"[ \t]*([A-Za-z][A-Za-z0-9_]*)[ \t]*[=:][ \t]*([^\r\n]*)\r?\n")


def is_metaimage(head: bytes) -> bool:
    """Whether a file begins as a MetaImage header does: with lines of a name and a value, NDims among the first."""
    first = LINE.match(head)
    return first is not None and first[1] in (b"ObjectType", b"NDims", b"Comment") and b"NDims" in head


def dimensions_of(data: bytes) -> tuple[int, ...]:
    """The sides that the header gives, () where it gives none.

    Raises:
        UnreadableScan: the header does not say where its voxels are.
    """
    return tuple(int(side) for side in _fields(data)[0].get("DimSize", "").split() if side.isdigit())


def voxels_file(data: bytes) -> str:
    """The name of the file that holds the voxels of a .mhd header, "" where they follow in this one.

    Raises:
        UnreadableScan: for a name that is none of a file beside the header, and for voxels in several files.
    """
    name = _fields(data)[0][VOXELS]
    if name.upper() == LOCAL:
        return ""
    if name.upper().startswith("LIST") or "%" in name or (len(name.split()) > 1 and name.split()[1].isdigit()):
        raise UnreadableScan("This MetaImage header keeps its voxels in one file a slice; save it as one .mha file.")
    if PurePosixPath(name).name != name or PureWindowsPath(name).name != name or name in ("", ".", ".."):
        raise UnreadableScan("This MetaImage header points outside of its own folder; save it as one .mha file.")
    return name


def metaimage_in_one(data: bytes, raw: bytes | None = None) -> OneFile:
    """Header and voxels as one .mha file.

    Args:
        raw: the bytes of `voxels_file(data)`.

    Raises:
        UnreadableScan: without them, where they are needed.
    """
    fields, end = _fields(data)
    voxels = memoryview(data)[end:]
    if name := voxels_file(data):
        if raw is None:
            raise UnreadableScan(
                "This is a MetaImage header (.mhd) whose voxels stand in another file; send both together, or one .mha."
            )
        if name.lower().endswith((".gz", ".zraw")):
            fields["CompressedData"] = "True"
        voxels = memoryview(raw)
    size = fields.pop("HeaderSize", "0")
    skip = int(size) if re.fullmatch(r"-?\d{1,9}", size) else 0
    voxels = voxels[skip:] if skip >= 0 else voxels[max(len(voxels) - _size(fields), 0) :]
    lines = [f"{name} = {fields[name]}" for name in FIELDS if name in fields]
    header = "\n".join([*lines, f"{VOXELS} = {LOCAL}\n"]).encode("latin-1")
    return OneFile(header, voxels, any(name in fields for name in ORIENTED))


def _fields(data: bytes) -> tuple[dict[str, str], int]:
    """(the header's fields, where the voxels of a .mha file begin)."""
    fields, at = {}, 0
    head = data[:LONGEST] + b"\n"
    while VOXELS not in fields and at < len(head):
        end = head.index(b"\n", at) + 1
        if line := LINE.fullmatch(head[at:end]):
            fields[line[1].decode()] = line[2].decode("latin-1").strip()
        at = end
    if VOXELS not in fields:
        raise UnreadableScan("The MetaImage header does not say where its voxels are; save it again.")
    return fields, at


def _size(fields: dict[str, str]) -> int:
    """Bytes of the voxels, not compressed."""
    sides = fields.get("DimSize", "").split()
    kind = re.sub(r"^MET_U?|_ARRAY$", "", fields.get("ElementType", ""))
    if kind not in BYTES or not all(re.fullmatch(r"\d{1,6}", side) for side in sides):
        raise UnreadableScan("The MetaImage header's size or type is none; save it again.")
    return math.prod(map(int, sides)) * BYTES[kind]
