"""A folder, several files, a zip or one file -> the volumes and pictures in it, and a sentence on whatever is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine import worker
from engine.scan import bounds
from engine.scan.decoder import Decoder, InProcess
from engine.scan.one_file import refuse_blank
from engine.scan.record import Scan, UnreadableScan
from engine.scan.series import Slice, Stack, arrange
from engine.scan.volume_scan import checked_scan, described, filled, scan_of, volume_file_scan, volume_scan
from engine.scan.volume_source import Files, Source, open_source

MOST = 24  # volumes of one source that are opened
Places = tuple[tuple[int, int] | None, ...]  # (file, frame), both from 0, of every slice; None for one that is missing
CRASHES = 3  # files that end their decoder; after more of them the source is refused


@dataclass(frozen=True)
class Found:
    """What there was to read.

    Attributes:
        scans: volumes, then single pictures; the largest first. Each has remarks of its own.
        notes: what was left out or taken apart, a sentence each.
        places: of each scan, which file of the source, in the order of `open_source`, and which frame of it each slice
            came from.
        names: of the file that each scan stood in by itself, as the source has it; "" for slices of several. For who
            asked only: a name may name a person.
    """

    scans: tuple[Scan, ...]
    notes: tuple[str, ...] = ()
    places: tuple[Places, ...] = ()
    names: tuple[str, ...] = field(default=(), repr=False)

    def one(self, which: int | None = None) -> Scan:
        """The only scan, or of several the one in place `which`, from 0.

        Raises:
            UnreadableScan: there is none in that place, or there are several and it is not said which; with a list.
        """
        return self.scans[self.place(which)]

    def place(self, which: int | None = None) -> int:
        """Where that scan stands in `scans`; arguments and errors as for `one`."""
        count = len(self.scans)
        if which is None and count > 1:
            names = [f"{name}, " if name else "" for name in self.names] or [""] * count
            listed = zip(names[:9], self.scans[:9], strict=True)
            each = "; ".join(f"{place}: {name}{described(scan)}" for place, (name, scan) in enumerate(listed))
            more = f"; and {count - 9} more" if count > 9 else ""
            what = "pictures" if all(scan.pixels.ndim == 2 for scan in self.scans) else "scans"
            raise UnreadableScan(f"There are {count} {what} in it ({each}{more}); say which one, with --series.")
        if which is not None and not 0 <= which < count:
            raise UnreadableScan(f"There is no scan {which} in it; there are 0 to {count - 1}.")
        return which or 0


@dataclass
class _Looked:
    """What was found in the files, before slices are put together."""

    slices: list[Slice] = field(default_factory=list)
    pixels: dict[int, np.ndarray] = field(default_factory=dict)  # of the slices, packed, until they are taken
    fields: list[dict[str, Any]] = field(default_factory=list)  # of their scans
    files: list[int] = field(default_factory=list)  # that they are in
    pictures: list[tuple[Scan, Places]] = field(default_factory=list)
    volumes: list[int] = field(default_factory=list)  # places of files that are volumes by themselves
    reasons: dict[int, str] = field(default_factory=dict)  # why files were left out, by their places
    refused: list[str] = field(default_factory=list)  # why volumes were
    archives: int = 0
    voxels: int = 0


def read_volumes(source: Source, in_process: bool = False) -> Found:
    """All volumes and pictures in `source`. Nothing of a file but its pixels and the tags in TAG_NAMES is kept.

    Slices of DICOM files are grouped by series and orientation and sorted by their position along the normal. NIfTI,
    NRRD and MetaImage volumes are turned so that slices run towards the head, rows towards the back and columns towards
    the patient's left. Decoding is done in a process of its own, whose limits grow with the number of slices; they
    stand in `engine.scan.bounds`.

    Args:
        source: the path of a folder or file, the bytes of one file, or several files as bytes or (name, bytes); one
            file may be a zip. Names are only used to find the voxels of a .mhd header.
        in_process: decode in this process, which nothing ends then: for workers and tests.

    Raises:
        UnreadableScan: there is nothing that can be shown, or more than may be opened; in one sentence.
    """
    with InProcess() if in_process else Decoder() as decoder:
        files = open_source(source, decoder)
        looked = _look_at(files)
        opened = [one for place in looked.volumes for one in _open_volume(files, place, looked)]
    notes: list[str] = []
    scans = [(scan, places) for scan, places, _ in opened]
    notes += [note for *_, more in opened for note in more]
    stacks, said = arrange(looked.slices)
    notes += said
    for stack in stacks[:MOST]:
        try:
            places = tuple(None if index is None else (looked.files[index], 0) for index in stack.order)
            scans.append((_of_slices(stack, looked), places))
        except UnreadableScan as reason:
            looked.refused.append(str(reason))
    scans += looked.pictures
    if len(stacks) > MOST:
        notes.append(f"{len(stacks) - MOST} further volumes and pictures were left out; send one series at a time.")
    if looked.archives:
        notes.append("A zip among the files was left out; open it by itself.")
    reasons = [*looked.refused, *looked.reasons.values()]
    if not scans:
        raise UnreadableScan(reasons[0] if reasons else "There is no picture in it; send the slices of a scan.")
    if reasons:
        count = len(reasons)
        first = Counter(reasons).most_common(1)[0][0]
        notes.append(f"{count} {'file was' if count == 1 else 'files were'} left out: {first}")
    scans.sort(key=lambda one: -(len(one[0].pixels) if one[0].pixels.ndim == 3 else 0))
    where = tuple(places for _, places in scans)
    names = tuple(_name(places, files.names) for places in where)
    return Found(tuple(scan for scan, _ in scans), tuple(dict.fromkeys(notes)), where, names)


def _name(places: Places, names: Sequence[str]) -> str:
    """Of the one file that all slices of a scan are in, "" where they are in several."""
    files = {place[0] for place in places if place is not None}
    return names[files.pop()] if len(files) == 1 else ""


def read_volume(source: Source, which: int | None = None, in_process: bool = False) -> Scan:
    """The one scan in `source`; see `read_volumes`.

    Args:
        which: of several, from 0, in the order of `Found.scans`.

    Raises:
        UnreadableScan: also where there are several and `which` is not said, with what they are.
    """
    return read_volumes(source, in_process).one(which)


def _look_at(files: Files) -> _Looked:
    looked, crashes = _Looked(), 0
    for batch in files.batches():
        try:
            answers = files.look(batch)
        except (worker.Ended, UnreadableScan) as error:
            if not _own_fault(error):
                raise
            answers = []  # one of them is at fault: each by itself
            for place in batch:
                try:
                    answers += files.look([place])
                except (worker.Ended, UnreadableScan) as alone:
                    crashes += 1
                    if crashes > CRASHES or not _own_fault(alone):
                        raise UnreadableScan(_sentence(alone)) from alone
                    answers.append({"reason": _sentence(alone)})
        for place, answer in zip(batch, answers, strict=True):
            _sort_out(looked, place, answer)
    return looked


def _own_fault(error: Exception) -> bool:
    """Whether one file has ended its decoder; otherwise the whole source is refused."""
    return isinstance(error, worker.Ended) or isinstance(error.__cause__, worker.Exceeded)


def _sentence(error: Exception) -> str:
    if isinstance(error, UnreadableScan):
        return str(error)
    return "The file makes its decoder crash; export the picture again as a plain DICOM file or a PNG."


def _sort_out(looked: _Looked, place: int, answer: dict[str, Any]) -> None:
    if "reason" in answer:
        looked.reasons[place] = answer["reason"]
    elif "archive" in answer:
        looked.archives += 1
    elif "volume" in answer:
        looked.volumes.append(place)
    elif "scan" in answer:
        known = dict(answer["scan"])
        pixels = known.pop("pixels")
        looked.voxels += pixels.size
        if looked.voxels > bounds.VOLUME_VOXELS:
            raise UnreadableScan(
                f"The slices together have more than {bounds.VOLUME_VOXELS // 1_000_000} million pixels;"
                " send one series at a time."
            )
        if answer.get("slice"):
            looked.slices.append(_slice(answer["slice"]))
            looked.pixels[len(looked.fields)] = pixels
            looked.fields.append(known)
            looked.files.append(place)
        else:
            looked.pictures.append((scan_of(np.asarray(pixels, np.float32), known), ((place, 0),)))


def _slice(plain: dict[str, Any]) -> Slice:
    known: dict[str, Any] = plain | {"phase": tuple(map(tuple, plain["phase"]))}
    return Slice(**known)


def _of_slices(stack: Stack, looked: _Looked) -> Scan:
    present = [index for index in stack.order if index is not None]
    if len(stack.order) == 1:
        pixels = looked.pixels.pop(present[0]).astype(np.float32)
        refuse_blank(pixels)
        return scan_of(pixels, looked.fields[present[0]])
    shape = looked.pixels[present[0]].shape
    taken = looked.pixels.pop  # so that the memory of each slice is free as soon as it stands in its volume
    pixels = filled(stack.order, shape, lambda places: np.stack([taken(index) for index in places]), 1)
    return volume_scan(pixels, [looked.fields[index] for index in present], stack)


def _open_volume(files: Files, place: int, looked: _Looked) -> list[tuple[Scan, Places, list[str]]]:
    """The scans in a file of one or more volumes, each with its notes; why there are none is among the `refused`."""
    try:
        voxels = files.voxels_of(place)
        opened = files.open_volume(place, voxels)
        if voxels is not None:
            looked.reasons.pop(voxels, None)  # it is no scan by itself
        size, height, width = opened["shape"]
        looked.voxels += size * height * width
        if looked.voxels > bounds.VOLUME_VOXELS:
            raise UnreadableScan("The volumes together are larger than may be opened; send one at a time.")
        stacks, notes = [Stack(tuple(range(size)))], []
        frames = [_slice(one) for one in opened["slices"] or ()]
        if any(one.position is not None and one.orientation is not None for one in frames):
            stacks, notes = arrange(frames)
        scans = []
        for stack in stacks[:MOST]:
            pixels = filled(stack.order, (height, width), lambda places: files.decoder.call("slices", list(places)))
            if not frames:
                scans.append(volume_file_scan(pixels, opened["scan"]))
            elif stack.affine is None and not stack.remarks and len(stack.order) == size:
                scans.append(checked_scan(pixels, opened["scan"]))
            else:
                scans.append(volume_scan(pixels, [opened["scan"]], stack))
        if len(stacks) > MOST:
            notes.append(f"{len(stacks) - MOST} further volumes were left out; send one at a time.")
        of_slices = [tuple(None if frame is None else (place, frame) for frame in stack.order) for stack in stacks]
        return [(scan, places, notes) for scan, places in zip(scans, of_slices)]
    except (worker.Ended, UnreadableScan) as error:
        looked.refused.append(_sentence(error))
        return []
