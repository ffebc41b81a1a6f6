"""Uploaded files become scans in the background, one after the other, every reader's in turn.

The slices of one drop are read together.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence

from engine.scan import Scan, UnreadableScan, read_scans
from engine.scan.bundles import bundles
from engine.scan.source import read_sources
from pages.components import detectors
from pages.components.shelf import MOST, SHELVES, Entry, OpenScan, Shelf

THREADS = 2
NAMES = {
    "radiograph": "Radiograph",
    "CT": "CT",
    "MR": "MR",
    "ultrasound": "Ultrasound",
    "mammogram": "Mammogram",
    "unknown": "Picture",
}
NO_ROOM = "There is no memory for another scan now; close some that are open and send it again."
log = logging.getLogger(__name__)

SAME_WITHIN = "A scan in these files has the same pixels as one that is open already; it is listed once."
File = tuple[str, bytes]  # its name, which is used to find the voxels of a header and never kept, and its bytes
_waiting: OrderedDict[str, deque[tuple[Shelf, Entry, list[File]]]] = (
    OrderedDict()
)  # by shelf; whoever was served goes to the end
_changed = threading.Condition()
_threads: list[threading.Thread] = []


def take(shelf: Shelf, files: Sequence[File]) -> list[Entry]:
    """Lists the files on the shelf at once and has them read.

    Returns:
        The entry of each file, which the slices of one drop have in common.
    """
    entries: dict[int, Entry] = {}
    shelf.drops += 1
    for together in bundles(files):
        entry = _listed(shelf)
        entries |= dict.fromkeys(together, entry)
        if not entry.reason:
            with _changed:
                _waiting.setdefault(shelf.token, deque()).append((shelf, entry, [files[place] for place in together]))
                _changed.notify()
    with _changed:
        while len(_threads) < THREADS:
            _threads.append(threading.Thread(target=_serve, name="reading", daemon=True))
            _threads[-1].start()
    return [entries[place] for place in range(len(files))]


def _listed(shelf: Shelf, after: Entry | None = None) -> Entry:
    """A new entry, at the end of the list or after another."""
    shelf.taken += 1
    entry = Entry(f"scan {shelf.taken}", f"Scan {shelf.taken}", drop=after.drop if after else shelf.drops)
    if len(shelf.entries) >= MOST:
        _end(entry, f"{MOST} scans are open; close some to open others.")
    places = list(shelf.entries)
    shelf.add(entry, places.index(after.id) + 1 if after is not None and after.id in places else None)
    return entry


def _serve() -> None:
    while True:
        with _changed:
            while not _waiting:
                _changed.wait()
            token, queue = next(iter(_waiting.items()))
            shelf, entry, files = queue.popleft()
            _waiting.move_to_end(token)
            if not queue:
                del _waiting[token]
        if entry.id in shelf.entries:  # not closed meanwhile
            _read(shelf, entry, files)
        files.clear()


def _read(shelf: Shelf, entry: Entry, files: list[File]) -> None:
    try:
        found = read_scans(files)
        sources = read_sources(files, found)
        files.clear()  # a series may be as large as what was made of it
        scans, entry.notes = list(found.scans), found.notes
        at = entry
        for scan, source in zip(scans[1:], sources[1:]):
            at = _listed(shelf, at)
            if not at.reason:
                at.source = source
                _open(shelf, at, scan)
                if at.same_as:
                    entry.notes += (SAME_WITHIN,)
        entry.source = sources[0]
        _open(shelf, entry, scans[0])
    except UnreadableScan as reason:
        _end(entry, str(reason))
    except Exception:  # whatever it is, the next file is read
        log.exception("a file could not be read")
        _end(entry, "The file could not be read; the log says more.")


def _open(shelf: Shelf, entry: Entry, scan: Scan) -> None:
    same = next(
        (
            other
            for other in list(shelf.entries.values())
            if other.packed and other.packed.rest["sha256"] == scan.sha256 and not other.small.drawn_by
        ),
        None,
    )
    if same is not None:
        shelf.remove(entry.id)
        entry.same_as = same.id
        return entry.done.set()
    entry.name = f"{NAMES[scan.kind]} {entry.id.removeprefix('scan ')}"
    entry.open(OpenScan(entry.name, scan))
    detectors.measure(scan)
    if not SHELVES.has_room(shelf, 0):
        entry.pack()
    if not SHELVES.has_room(shelf, 0):
        entry.packed, entry.small, entry.thumbnail = None, None, b""
        return _end(entry, NO_ROOM)
    entry.done.set()
    entry.pack()  # whoever waits for the scan sees it meanwhile


def _end(entry: Entry, reason: str) -> None:
    entry.reason = reason
    entry.done.set()
