"""The study that a scan came from: who and which files, for what is written back to a hospital's systems.

A record of its own, kept beside the scan and never in it; its `repr` says nothing of a person. It is read where
something is to be exported, and to count which scans are of one study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from engine import worker
from engine.scan.decoder import Decoder, InProcess
from engine.scan.record import Scan, UnreadableScan
from engine.scan.source_header import NEEDED
from engine.scan.volume_source import Source, open_source
from engine.scan.volumes import Found, Places


@dataclass(frozen=True, repr=False, eq=False)
class SourceSlice:
    """One slice of a scan in its study.

    Attributes:
        header: the elements in KEPT that are there, each a list of words, in Unicode.
        frame: which frame of the file, from 0.
    """

    header: Mapping[str, Sequence[str]]
    frame: int = 0

    def text(self, name: str) -> str:
        """The first word of an element; "" where it is not there."""
        return next(iter(self.header.get(name, ())), "")

    @property
    def frames(self) -> int:
        """How many its file has."""
        words = self.text("NumberOfFrames")
        return max(1, int(words)) if words.isdigit() else 1


@dataclass(frozen=True, repr=False, eq=False)
class SourceRecord:
    """The study of a scan.

    Attributes:
        slices: of each slice of the scan, None where its file is missing; one for a single picture.
    """

    slices: tuple[SourceSlice | None, ...]

    def __repr__(self) -> str:
        return f"SourceRecord(of {len(self.slices)} slices)"

    @property
    def first(self) -> SourceSlice:
        """The first slice that is there."""
        return next(slice_ for slice_ in self.slices if slice_ is not None)

    def at(self, index: int) -> SourceRecord | None:
        """The record of one slice; None where its file is missing."""
        slice_ = self.slices[index]
        return None if slice_ is None else SourceRecord((slice_,))

    @property
    def burned_in(self) -> str:
        """What the files say of writing in the picture that names a person: "YES", "NO", or "" where they do not."""
        said = {slice_.text("BurnedInAnnotation") for slice_ in self.slices if slice_ is not None}
        return "YES" if "YES" in said else "NO" if said == {"NO"} else ""


def same_patient(one: SourceRecord | None, other: SourceRecord | None) -> bool | None:
    """Whether two studies are of one patient, by the number and who issued it; None where nothing says so: a study
    names no patient, or the numbers are of two issuers.
    """
    if one is None or other is None:
        return None
    numbers = [record.first.text("PatientID") for record in (one, other)]
    issuers = {record.first.text("IssuerOfPatientID") for record in (one, other)}
    return numbers[0] == numbers[1] if all(numbers) and len(issuers) == 1 else None


def days_before(earlier: SourceRecord, current: SourceRecord) -> int | None:
    """How many days lie between two studies, below 0 where `earlier` is the later one; None where a date is missing or
    is none.
    """
    try:
        first, second = (datetime.strptime(when(record)[0], "%Y%m%d") for record in (earlier, current))
    except ValueError:
        return None
    return (second - first).days


def is_prior(earlier: SourceRecord | None, current: SourceRecord | None) -> bool:
    """Whether one study is an earlier one of the same patient: the same number of the same issuer, on an earlier date.

    Never where a study names no patient or no date.
    """
    if earlier is None or current is None or not same_patient(earlier, current):
        return False
    return days_before(earlier, current) is not None and when(earlier) < when(current)


def when(record: SourceRecord) -> tuple[str, str]:
    """Date and time of a study, as they are written in DICOM; they sort by age."""
    return record.first.text("StudyDate"), record.first.text("StudyTime")


def read_sources(source: Source, found: Found, in_process: bool = False) -> tuple[SourceRecord | None, ...]:
    """The study of each scan in `found`, which was read from `source`; None for what came from no DICOM file.

    Headers are read in a process of its own, as pixels are.

    Args:
        in_process: read in this process, which nothing ends then: for tests.
    """
    wanted = sorted({slice_[0] for places in found.places for slice_ in places if slice_ is not None})
    try:
        with InProcess() if in_process else Decoder() as decoder:
            files = open_source(source, decoder)
            headers = dict(zip(wanted, files.headers(wanted), strict=True))
    except (worker.WorkerError, UnreadableScan):  # the scans are open; a header that cannot be read leaves no study
        return (None,) * len(found.scans)
    return tuple(_record(scan, places, headers) for scan, places in zip(found.scans, found.places))


def _record(scan: Scan, places: Places, headers: Mapping[int, Mapping[str, list[str]] | None]) -> SourceRecord | None:
    """None unless every slice that is there lies in a file of the same study and series and of the scan's size."""
    slices: list[SourceSlice | None] = []
    for place in places:
        header = None if place is None else headers.get(place[0])
        if place is None:
            slices.append(None)
        elif header is None:
            return None
        else:
            slices.append(SourceSlice(MappingProxyType(header), place[1]))
    there = [slice_ for slice_ in slices if slice_ is not None]
    height, width = scan.pixels.shape[-2:]
    whole = all(all(slice_.text(name) for name in NEEDED) for slice_ in there)
    one_series = len({(slice_.text("StudyInstanceUID"), slice_.text("SeriesInstanceUID")) for slice_ in there}) == 1
    fits = all((slice_.text("Rows"), slice_.text("Columns")) == (str(height), str(width)) for slice_ in there)
    return SourceRecord(tuple(slices)) if there and whole and one_series and fits else None
