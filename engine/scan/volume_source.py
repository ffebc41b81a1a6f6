"""Where the files of a volume come from: a folder, one file, several uploaded files, or a zip of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from engine.scan import bounds
from engine.scan.archive import is_archive
from engine.scan.decoder import Decoder
from engine.scan.one_file import check_length, is_dicom
from engine.scan.record import UnreadableScan
from engine.scan.source_header import START

Source = Path | str | bytes | Sequence[bytes | tuple[str, bytes]]


@dataclass(frozen=True)
class _File:
    name: str
    size: int
    read: Callable[[], bytes]


class Files:
    """Files that are looked at by a decoder, by their places."""

    def __init__(self, files: list[_File], decoder: Decoder):
        self._files, self.decoder = files, decoder
        self.names = [file.name for file in files]
        self.sizes = [file.size for file in files]

    def look(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """See `volume_worker.files`."""
        return self.decoder.call("files", [self._files[place].read() for place in places], slices=len(places))

    def open_volume(self, place: int, raw: int | None) -> dict[str, Any]:
        """See `volume_worker.volume`."""
        voxels = None if raw is None else self._files[raw].read()
        return self.decoder.call("volume", self._files[place].read(), voxels)

    def voxels_name(self, place: int) -> str:
        """See `volume_worker.voxels_name`."""
        return self.decoder.call("voxels_name", self._files[place].read())

    def headers(self, places: Sequence[int]) -> list[dict[str, list[str]] | None]:
        """See `volume_worker.headers`; the start of a file is sent, and the rest where that is not enough."""
        found = []
        for place in places:
            data = self._files[place].read()
            start = self.decoder.call("headers", [data[:START]])[0] if is_dicom(data) else None
            more = start is None and len(data) > START and is_dicom(data)
            found.append(self.decoder.call("headers", [data])[0] if more else start)
        return found

    def batches(self) -> Iterator[list[int]]:
        """All places, in parts of some megabytes."""
        batch, size = [], 0
        for place, length in enumerate(self.sizes):
            if batch and size + length > bounds.BATCH_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(place)
            size += length
        if batch:
            yield batch

    def voxels_of(self, place: int) -> int | None:
        """The place of the file with the voxels of a .mhd header, None for other files and where it is not there."""
        name = self.voxels_name(place)
        if not name:
            return None
        folder = PurePosixPath(self.names[place]).parent
        return next((index for index, other in enumerate(self.names) if PurePosixPath(other) == folder / name), None)


class ZipFiles(Files):
    """Files in a zip, which stay in the worker."""

    def __init__(self, data: bytes, decoder: Decoder):
        self._data, self.decoder = data, decoder
        listed = self._open()
        self.names = [name for name, _ in listed]
        self.sizes = [size for _, size in listed]

    def _open(self) -> list[list[Any]]:
        return self.decoder.call("archive", self._data)

    def _call(self, function: str, *arguments: Any, slices: int = 0) -> Any:
        if not self.decoder.alive:  # a member has ended the last one
            self._open()
        return self.decoder.call(function, *arguments, slices=slices)

    def look(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """See `volume_worker.members`."""
        return self._call("members", list(places), slices=len(places))

    def open_volume(self, place: int, raw: int | None) -> dict[str, Any]:
        """See `volume_worker.member_volume`."""
        return self._call("member_volume", place, raw)

    def headers(self, places: Sequence[int]) -> list[dict[str, list[str]] | None]:
        """See `volume_worker.member_headers`."""
        return self._call("member_headers", list(places))

    def voxels_name(self, place: int) -> str:
        """See `volume_worker.member_voxels_name`."""
        return self._call("member_voxels_name", place)


def open_source(source: Source, decoder: Decoder) -> Files:
    """The files in a source.

    Raises:
        UnreadableScan: there is nothing, or more than may be opened.
    """
    if isinstance(source, (str, Path)):
        files = _of_path(Path(source))
    elif isinstance(source, (bytes, bytearray, memoryview)):
        files = [_of_bytes("", bytes(source))]
    else:
        files = [_of_bytes("", one) if isinstance(one, bytes) else _of_bytes(*one) for one in source]
    if len(files) > bounds.VOLUME_FILES:
        raise UnreadableScan(
            f"There are {len(files)} files; the limit is {bounds.VOLUME_FILES}: send one series at a time."
        )
    if len(files) == 1:
        data = files[0].read()
        check_length(data, bounds.VOLUME_FILE_BYTES)
        if is_archive(data):
            return ZipFiles(data, decoder)
    if (size := sum(file.size for file in files)) > bounds.VOLUME_BYTES:
        raise UnreadableScan(
            f"The files have {size / 1e6:.0f} million bytes; the limit is {bounds.VOLUME_BYTES / 1e6:.0f} million:"
            " send one series at a time."
        )
    return Files(files, decoder)


def _of_bytes(name: str, data: bytes) -> _File:
    return _File(name, len(data), lambda: data)


def _of_path(path: Path) -> list[_File]:
    """A file, with the voxels beside it where it is a .mhd header, or all files in a folder and its folders."""
    if path.is_dir():
        found = sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
        if not found:
            raise UnreadableScan("The folder holds no file; give one with the slices of a scan.")
        return [_on_disk(one, path) for one in found]
    if path.suffix.lower() == ".mhd" and path.is_file():
        beside = [one for one in sorted(path.parent.iterdir()) if one.is_file() and one.stem.split(".")[0] == path.stem]
        return [_on_disk(one, path.parent) for one in beside]
    if not path.is_file():
        raise UnreadableScan("There is no such file or folder.")
    return [_on_disk(path, path.parent)]


def _on_disk(path: Path, folder: Path) -> _File:
    return _File(path.relative_to(folder).as_posix(), path.stat().st_size, path.read_bytes)
