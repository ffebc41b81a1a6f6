"""The few elements of a DICOM header that are read at all, each bounded before it is looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble, read_sequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from engine.scan import bounds
from engine.scan.record import UnreadableScan

PICTURE_TAGS = (
    "SOPClassUID SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns "
    "BitsAllocated BitsStored HighBit PixelRepresentation PixelPaddingValue PixelPaddingRangeLimit "
    "FloatPixelPaddingValue FloatPixelPaddingRangeLimit DoubleFloatPixelPaddingValue "
    "DoubleFloatPixelPaddingRangeLimit RescaleSlope RescaleIntercept ModalityLUTSequence VOILUTSequence WindowCenter "
    "WindowWidth PresentationLUTShape PixelSpacing PixelSpacingCalibrationType ImagerPixelSpacing "
    "EstimatedRadiographicMagnificationFactor NominalScannedPixelSpacing PixelAspectRatio SpacingBetweenSlices "
    "ImagePositionPatient ImageOrientationPatient SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence "
    "RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor"
).split()
BULK_TAGS = (
    "PixelData FloatPixelData DoubleFloatPixelData ExtendedOffsetTable ExtendedOffsetTableLengths"
    " RedPaletteColorLookupTableData GreenPaletteColorLookupTableData BluePaletteColorLookupTableData"
    " SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData"
    " SegmentedBluePaletteColorLookupTableData"
).split()
DESCRIBING_TAGS = "Modality BodyPartExamined ViewPosition PatientSex PatientAge Manufacturer".split()
PLACE_TAGS = (  # of which nothing is kept: they tell which slices belong together, and where
    "PatientID StudyInstanceUID SeriesInstanceUID SeriesNumber InstanceNumber"
    " AcquisitionNumber ImageType EchoNumbers EchoTime DiffusionBValue TemporalPositionIdentifier TriggerTime"
).split()
WANTED: list[BaseTag | int] = [Tag(name) for name in PICTURE_TAGS + BULK_TAGS + DESCRIBING_TAGS + PLACE_TAGS]
PIXELS = {Tag(name) for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")}
META: list[BaseTag | int] = [Tag("TransferSyntaxUID"), Tag("MediaStorageSOPClassUID")]


@dataclass(frozen=True)
class Header:
    """One level of a DICOM header. Absent or unusable values are None or empty, never an error.

    Attributes:
        elements: as pydicom parsed them, values still raw bytes.
        budget: reads left for this file, shared with the items of its sequences.
    """

    elements: Dataset
    budget: list[int]
    _items: dict[str, list[Header]] = field(default_factory=dict, repr=False)  # of the sequences that were parsed

    def has(self, name: str) -> bool:
        return Tag(name) in self.elements

    def raw(self, name: str) -> bytes:
        """The element's bytes as they stand in the file; empty when absent. For tables and pictures."""
        if not self.has(name):
            return b""
        element = self.elements.get_item(Tag(name))
        return element.value if isinstance(element.value, bytes) else b""

    def short(self, name: str) -> bytes:
        """Like `raw`, for values that are a few numbers or words; refuses longer ones."""
        value = self.raw(name)
        if len(value) > bounds.VALUE_BYTES:
            raise UnreadableScan(
                f"The header value {name} is {len(value)} bytes long, which it never is; export the picture again."
            )
        return value

    def text(self, name: str) -> str:
        """The first of the element's words, in ASCII."""
        return self.short(name).split(b"\\")[0].decode("ascii", "replace").strip(" \0")

    def numbers(self, name: str) -> list[float]:
        """All finite numbers of an element, binary or written out; empty when one of them is none."""
        numbers = self.any_numbers(name)
        return numbers if all(map(math.isfinite, numbers)) else []

    def any_numbers(self, name: str) -> list[float]:
        """Like `numbers`, with those that are not finite."""
        value = self.short(name)
        if not value:
            return []
        element = self.elements.get_item(Tag(name))
        vr = element.VR if element.VR not in (None, "UN", "OB", "OW") else dictionary_VR(Tag(name))
        if vr in ("DS", "IS"):
            try:
                numbers = [float(word) for word in value.decode("ascii", "replace").strip(" \0").split("\\")]
            except ValueError:
                return []
        else:
            order = "<" if self.little_endian(name) else ">"
            kind = {"SS": "i2", "UL": "u4", "SL": "i4", "FL": "f4", "FD": "f8"}.get(vr, "u2")
            size = int(kind[1])
            numbers = np.frombuffer(value[: len(value) // size * size], order + kind).tolist()
        return numbers

    def number(self, name: str) -> float | None:
        """The first finite number of an element."""
        numbers = self.numbers(name)
        return numbers[0] if numbers else None

    def words16(self, name: str) -> np.ndarray:
        """(n,) uint16 of a table's bytes."""
        value = self.raw(name)
        order = "<" if self.little_endian(name) else ">"
        return np.frombuffer(value[: len(value) // 2 * 2], order + "u2")

    def little_endian(self, name: str) -> bool:
        """Whether the element's numbers were written least significant byte first."""
        return not self.has(name) or getattr(self.elements.get_item(Tag(name)), "is_little_endian", True)

    def items(self, name: str) -> list[Header]:
        """The items of a sequence, parsed once."""
        if name not in self._items:
            self._items[name] = self._parsed_items(name)
        return self._items[name]

    def _parsed_items(self, name: str) -> list[Header]:
        if not self.has(name):
            return []
        element = self.elements.get_item(Tag(name))
        if not isinstance(element, RawDataElement):  # of undefined length: parsed with the file
            return [Header(item, self.budget) for item in element.value]
        stream = bounds.CountedStream(self.raw(name), self.budget)
        unknown = element.VR == "UN"  # to whom wrote it, who then left it in implicit VR, little endian (PS3.5 6.2.2)
        sequence = read_sequence(
            stream,
            unknown or element.is_implicit_VR,
            unknown or element.is_little_endian,
            len(self.raw(name)),
            "iso8859",
        )
        return [Header(item, self.budget) for item in sequence]

    def groups(self, name: str) -> Iterator[Header]:
        """This level itself, then the items of a functional group: shared by all frames, then the first frame's."""
        yield self
        for frames in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
            for item in self.items(frames)[:1]:
                yield from item.items(name)[:1]


def parse(data: bytes) -> tuple[Header, UID, UID]:
    """(header, transfer syntax, storage class) of a DICOM file, with or without preamble and file meta information.

    Raises:
        UnreadableScan: when it asks for too much; otherwise whatever a damaged header leads pydicom to raise.
    """
    budget = [bounds.ELEMENTS]
    stream = bounds.CountedStream(data, budget)
    if data[:4] == b"DICM":  # without the preamble of 128 bytes
        stream.seek(4)
    else:
        read_preamble(stream, force=True)
    meta, second = _meta(stream, data), None
    if data[stream.tell() : stream.tell() + 2] == b"\x02\0":  # a second one: what the first says counts
        second = _meta(stream, data, by_length=False)
    start = stream.tell()
    named_syntax = meta.text("TransferSyntaxUID") or (second.text("TransferSyntaxUID") if second else "")
    syntax = UID(named_syntax or _guess_syntax(data[start : start + 6]))
    if syntax == DeflatedExplicitVRLittleEndian:
        stream = bounds.CountedStream(bounds.inflate(data[start:], bounds.INFLATED_BYTES, window_bits=-15), budget)
    elif named_syntax:
        _check_byte_order(data[start : start + 6], syntax)
    seen: set[BaseTag | int] = set()

    def behind_the_pixels(tag, vr, length) -> bool:
        """True from the first element after the pixels that is not wanted, or that was there before: padding, zeros,
        another maker's own, a second picture.
        """
        if seen & PIXELS and (tag not in WANTED or tag in seen):
            return True
        seen.add(tag)
        return False

    header = Header(
        read_dataset(
            stream,
            is_implicit_VR=syntax == ImplicitVRLittleEndian,
            is_little_endian=syntax != ExplicitVRBigEndian,
            stop_when=behind_the_pixels,
            specific_tags=WANTED,
        ),
        budget,
    )
    return header, syntax, UID(header.text("SOPClassUID") or meta.text("MediaStorageSOPClassUID"))


def _meta(stream: bounds.CountedStream, data: bytes, by_length: bool = True) -> Header:
    """The file meta information (group 2) from here to the end that its group length gives, to the first element that
    was there before, or to the next group.
    """
    start, end = stream.tell(), math.inf
    seen: set[BaseTag] = set()

    def behind(tag, vr, length) -> bool:
        again = by_length and tag in seen
        seen.add(tag)
        return again or tag >> 16 != 2 or stream.tell() - 8 >= end

    if by_length and data[start : start + 8] == b"\x02\0\0\0UL\x04\0":
        end = start + 12 + int.from_bytes(data[start + 8 : start + 12], "little")
    group = read_dataset(
        stream,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=behind,
        specific_tags=META,
    )
    return Header(group, stream.budget)


def _check_byte_order(start: bytes, syntax: UID) -> None:
    """Refuse a data set whose first group (8, or another small number) is written in the other order than
    the syntax says.
    """
    if len(start) < 6 or bool(start[0]) == bool(start[1]):
        return
    written, said = ("big" if big else "little" for big in (not start[0], syntax == ExplicitVRBigEndian))
    if written != said:
        raise UnreadableScan(
            f"The file says that its numbers are {said}-endian, but its header is {written}-endian, so its pixels are "
            "not certain; export the picture again."
        )


def _guess_syntax(start: bytes) -> UID:
    """From the first element's group and value representation, for files that do not say."""
    if not start[4:6].isupper():
        return ImplicitVRLittleEndian
    return ExplicitVRBigEndian if int.from_bytes(start[:2], "little") >= 1024 else ExplicitVRLittleEndian
