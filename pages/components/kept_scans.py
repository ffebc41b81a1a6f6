"""Open scans in the folder of OTHERWISE_DATA, so that a reader finds them again after the server was started anew.

Without that folder, or with a retention of 0, nothing is written. Each reader has a folder that only its owner reads,
named by a hash of the browser's key; in it are a list, and a file for each scan, named by the sha256 of its pixels.
They are gone once the reader has been away for longer than the retention.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.review.database import FOLDER
from engine.scan.record import identity
from engine.scan.source import SourceRecord, SourceSlice
from pages.components.shelf import SHELVES, Entry, OpenScan, Packed, Shelf, Shelves

EVERY = 1.0  # seconds between two looks
TOUCH = 20.0  # seconds between two notes that a reader is there
LIST = "list.json"
LONGEST_HEADER = 1_000_000  # bytes
LOST = "What was kept of this scan cannot be read; send it again."
KEPT = ("name", "label", "notes", "drop", "exported", "disagreement")  # of an entry, beside its scan
log = logging.getLogger(__name__)


def folder_of(key: str) -> str:
    """The name of a reader's folder, from which nobody learns the browser's key."""
    return hashlib.sha256(f"open scans of {key}".encode()).hexdigest()[:40]


class Keeper:
    """Writes the shelves of `shelves` below `folder`, and fills those of readers who come back.

    Attributes:
        trouble: why something could not be written, in a few words; "" otherwise.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, folder: Path, shelves: Shelves, clock: Callable[[], float] = time.time):
        self.folder, self.shelves, self._clock = folder, shelves, clock
        self.trouble = ""
        self._written: dict[str, str] = {}  # the list of each folder as it was last written
        self._touched: dict[str, float] = {}
        self._filling: set[str] = set()
        self._thread: threading.Thread | None = None
        shelves.told_when_one_comes.append(self.comes)

    def comes(self, shelf: Shelf, key: str) -> None:
        """A reader's new shelf: what was kept of it is listed at once, and read in the background."""
        shelf.kept_as = folder_of(key)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="keeping scans", daemon=True)
            self._thread.start()
        folder = self.folder / shelf.kept_as
        try:
            if self._too_old(folder):
                shutil.rmtree(folder, ignore_errors=True)
                return
            kept = json.loads((folder / LIST).read_text(encoding="utf-8"))
            items = [(item, _listed(item)) for item in kept["entries"]]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError):
            log.exception("a list of kept scans cannot be read")
            return
        shelf.entries = {entry.id: entry for _, entry in items}
        shelf.taken, shelf.drops, shelf.started, shelf.chosen = kept["taken"], kept["drops"], True, kept["chosen"]
        shelf.blind, shelf.seen = bool(kept.get("blind", False)), {str(one) for one in kept.get("seen", ())}
        self._filling.add(shelf.kept_as)
        threading.Thread(target=self._fill, args=(shelf, folder, items), name="reading kept scans", daemon=True).start()

    def _fill(self, shelf: Shelf, folder: Path, items: list[tuple[Mapping[str, Any], Entry]]) -> None:
        try:
            for item, entry in items:
                if entry.done.is_set():
                    continue
                try:
                    entry.source = _source(item["source"])
                    entry.open(_opened(folder / f"{item['sha256']}.scan", entry, item))
                    entry.pack()
                except Exception:  # whatever it is, the next scan is read
                    log.exception("a kept scan cannot be read")
                    entry.packed, entry.reason = None, LOST
                entry.done.set()
        finally:
            self._filling.discard(shelf.kept_as)

    def _serve(self) -> None:
        while True:
            time.sleep(EVERY)
            try:
                self.look()
            except Exception:  # whatever it is, the next look is made
                log.exception("open scans could not be kept")

    def look(self) -> None:
        """Writes what has changed, and removes what is of readers who have been away for too long."""
        there = {shelf.kept_as: shelf for shelf in self.shelves.all() if shelf.kept_as}
        trouble = ""
        for name, shelf in there.items():
            if name in self._filling:
                continue
            try:
                self._keep(name, shelf)
            except OSError as error:
                trouble = error.strerror or "the disk does not take it"
                log.warning("open scans could not be kept: %s", trouble)
        self.trouble = trouble
        if not self.folder.is_dir():
            return
        for folder in self.folder.iterdir():
            if folder.name not in there and self._too_old(folder):
                shutil.rmtree(folder, ignore_errors=True)
                self._written.pop(folder.name, None)

    def _too_old(self, folder: Path) -> bool:
        try:
            noted = (folder / LIST).stat().st_mtime
        except FileNotFoundError:
            try:
                noted = folder.stat().st_mtime
            except FileNotFoundError:
                return False
        return self._clock() - noted > self.shelves.retention

    def _keep(self, name: str, shelf: Shelf) -> None:
        folder = self.folder / name
        entries = [entry for entry in list(shelf.entries.values()) if entry.packed is not None]
        kept = {
            "entries": [_item(entry) for entry in entries],
            "taken": shelf.taken,
            "drops": shelf.drops,
            "blind": shelf.blind,
            "seen": sorted(shelf.seen),
            "chosen": shelf.chosen,
        }
        text = json.dumps(kept, ensure_ascii=False)
        if self._written.get(name) != text:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for entry in entries:
                if not (file := folder / f"{entry.sha256}.scan").exists():
                    _write(file, *_bytes_of(entry))
            _write(folder / LIST, text.encode())
            self._written[name] = text
            names = {LIST, *(f"{entry.sha256}.scan" for entry in entries)}
            for file in folder.iterdir():
                if file.name not in names:
                    file.unlink(missing_ok=True)
        elif shelf.left is None and self._clock() - self._touched.get(name, 0.0) > TOUCH:
            now = self._touched[name] = self._clock()
            os.utime(folder / LIST, (now, now))


def _item(entry: Entry) -> dict[str, Any]:
    """An entry in the list, ready for JSON."""
    small = entry.small
    source = None
    if entry.source is not None:
        source = [None if one is None else [dict(one.header), one.frame] for one in entry.source.slices]
    return {
        "id": entry.id,
        "sha256": entry.sha256,
        **{name: getattr(entry, name) for name in KEPT},
        "drawn_by": "" if small is None else small.drawn_by,
        "truth": [] if small is None else list(small.truth),
        "source": source,
    }


def _listed(item: Mapping[str, Any]) -> Entry:
    """The entry of an item, without its scan."""
    entry = Entry(str(item["id"]), *(str(item[name]) for name in ("name", "label")))
    entry.notes, entry.drop = tuple(item["notes"]), int(item["drop"])
    entry.exported, entry.disagreement = bool(item["exported"]), item["disagreement"]
    return entry


def _source(kept: list | None) -> SourceRecord | None:
    if kept is None:
        return None
    slices = (None if one is None else SourceSlice(MappingProxyType(one[0]), int(one[1])) for one in kept)
    return SourceRecord(tuple(slices))


def _bytes_of(entry: Entry) -> tuple[bytes, bytes | memoryview]:
    """(length and JSON of what is known of a scan, its values)."""
    packed = entry.packed
    assert packed is not None
    if packed.stored.dtype == np.float32:
        packed = Packed.of(packed.scan())  # it may just have been read
    rest = dict(packed.rest)
    affine = rest.pop("affine")
    said = {
        "shape": list(packed.stored.shape),
        "type": packed.stored.dtype.str,
        "zero": packed.zero,
        "affine": None if affine is None else np.asarray(affine, np.float64).tolist(),
        "rest": {name: dict(value) if name == "tags" else value for name, value in rest.items()},
    }
    header = json.dumps(said, ensure_ascii=False).encode()
    return len(header).to_bytes(8, "little") + header, memoryview(np.ascontiguousarray(packed.stored)).cast("B")


def _opened(file: Path, entry: Entry, item: Mapping[str, Any]) -> OpenScan:
    """The scan in a file.

    Raises:
        ValueError: it is not what was written.
    """
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > LONGEST_HEADER:
            raise ValueError("the file does not begin as a scan does")
        said = json.loads(opened.read(length))
        if said["type"] not in ("<u2", "<f4"):
            raise ValueError("a scan is kept in 16 bits or as numbers of 32")
        stored = np.frombuffer(opened.read(), said["type"]).reshape(said["shape"])
    rest = dict(said["rest"])
    rest |= {name: tuple(rest[name]) for name in ("window", "remarks")}
    rest["spacing_mm"] = None if rest["spacing_mm"] is None else tuple(rest["spacing_mm"])
    rest["affine"] = None if said["affine"] is None else np.array(said["affine"], np.float64)
    scan = Packed(stored, float(said["zero"]), rest).scan()
    if scan.sha256 != item["sha256"] or identity(scan.pixels) != scan.sha256:
        raise ValueError("the pixels are not those that were written")
    return OpenScan(entry.name, scan, str(item["drawn_by"]), tuple(item["truth"]))


def _write(file: Path, *chunks: bytes | memoryview) -> None:
    """The whole file or none of it, for its owner only."""
    aside = file.with_name(f".{file.name}.part")
    try:
        with open(os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as opened:
            for chunk in chunks:
                opened.write(chunk)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(aside, file)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def _of_environment(environment: Mapping[str, str] = os.environ) -> Keeper | None:
    named = environment.get(FOLDER, "").strip()
    return Keeper(Path(named).resolve() / "scans", SHELVES) if named and SHELVES.retention > 0 else None


KEEPER = _of_environment()
