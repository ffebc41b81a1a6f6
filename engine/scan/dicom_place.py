"""Where the slices of a DICOM file lie, and which belong together: what `engine.scan.series` needs of a header."""

from __future__ import annotations

import hashlib

from engine.scan.dicom_header import Header
from engine.scan.dicom_picture import Picture
from engine.scan.dicom_spacing import Spacing
from engine.scan.series import Slice

PHASE_ELEMENTS = {  # what tells repeated slices apart, as in `series.PHASES`: (sequence of a frame, element)
    "echo": (("MREchoSequence", "EffectiveEchoTime"), ("", "EchoNumbers"), ("", "EchoTime")),
    "b_value": (("MRDiffusionSequence", "DiffusionBValue"), ("", "DiffusionBValue")),
    "temporal": (("FrameContentSequence", "TemporalPositionIndex"), ("", "TemporalPositionIdentifier")),
    "acquisition": (("FrameContentSequence", "FrameAcquisitionNumber"), ("", "AcquisitionNumber")),
    "stack": (("FrameContentSequence", "StackID"),),
    "trigger": (("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"), ("", "TriggerTime")),
}
FRAME_TYPES = ("CTImageFrameTypeSequence", "MRImageFrameTypeSequence", "PETFrameTypeSequence")


def read_places(header: Header, picture: Picture, spacing: Spacing, content: str = "") -> list[Slice]:
    """A `Slice` for each frame.

    Args:
        content: a digest of the pixels of a file of one frame.
    """
    shared = header.items("SharedFunctionalGroupsSequence")[:1]
    own = header.items("PerFrameFunctionalGroupsSequence")
    row, column = spacing.mm[-2:] if spacing.mm and spacing.at == "patient" else (None, None)
    mm = None if row is None or column is None else (row, column)
    series = _series(header)
    slices = []
    for index in range(picture.frames):
        places = [*own[index : index + 1], *shared]
        place = _numbers(header, places, "PlanePositionSequence", "ImagePositionPatient", 3)
        of_this_frame = picture.frames == 1 or own  # one for all frames is of the first alone
        position = (place[0], place[1], place[2]) if place and of_this_frame else None
        orientation = _numbers(header, places, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
        kind = _image_type(header, places)
        phase = {"image_type": "\\".join(kind)}
        for name, elements in PHASE_ELEMENTS.items():
            phase[name] = next((words for path in elements if (words := _words(header, places, *path))), "")
        slices.append(
            Slice(
                series=series,
                shape=(picture.rows, picture.columns),
                position=position,
                orientation=orientation,
                spacing_mm=mm,
                localiser=len(kind) > 2 and kind[2] == "LOCALIZER",
                phase=tuple(phase.items()),
                number=int(header.number("InstanceNumber") or 0) if picture.frames == 1 else index,
                content=content,
            )
        )
    return slices


def _series(header: Header) -> str:
    """A digest of what is the same for all slices of a series only; nothing of it can be read from there."""
    names = "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"
    words = [header.text(name) for name in names]
    if not words[2]:
        words.append(header.text("SeriesNumber"))
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def _numbers(header: Header, places: list[Header], sequence: str, name: str, count: int) -> tuple[float, ...] | None:
    """`count` numbers of the first place that has them, then of the header itself."""
    for item in (*(item for place in places for item in place.items(sequence)[:1]), header):
        if len(numbers := item.numbers(name)) == count:
            return tuple(numbers)
    return None


def _words(header: Header, places: list[Header], sequence: str, name: str) -> str:
    """An element in words, of a frame's functional group or, without a `sequence`, of the header itself."""
    items = [item for place in places for item in place.items(sequence)[:1]] if sequence else [header]
    for item in items:
        number = None if name == "StackID" else item.number(name)
        if words := item.text(name)[:64] if number is None else f"{number:g}":
            return words
    return ""


def _image_type(header: Header, places: list[Header]) -> list[str]:
    """ImageType, of an enhanced file FrameType: its values."""
    items = [(item, "FrameType") for place in places for name in FRAME_TYPES for item in place.items(name)[:1]]
    for item, name in (*items, (header, "ImageType")):
        if value := item.short(name):
            return [word.strip(" \0") for word in value.decode("ascii", "replace").split("\\")]
    return []
