"""Uploaded files become scans in the background, one after the other, every reader's in turn."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence

from engine.scan import UnreadableScan, read_scan
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

_waiting: OrderedDict[str, deque[tuple[Shelf, Entry, bytes]]] = (
    OrderedDict()
)  # by shelf; whoever was served goes to the end
_changed = threading.Condition()
_threads: list[threading.Thread] = []


def take(shelf: Shelf, files: Sequence[bytes]) -> list[Entry]:
    """Lists the files on the shelf at once and has them read; returns their entries."""
    entries = []
    for data in files:
        shelf.taken += 1
        entry = Entry(f"scan {shelf.taken}", f"Scan {shelf.taken}")
        if len(shelf.entries) >= MOST:
            _end(entry, f"{MOST} scans are open; close some to open others.")
        shelf.add(entry)
        entries.append(entry)
        if not entry.reason:
            with _changed:
                _waiting.setdefault(shelf.token, deque()).append((shelf, entry, data))
                _changed.notify()
    with _changed:
        while len(_threads) < THREADS:
            _threads.append(threading.Thread(target=_serve, name="reading", daemon=True))
            _threads[-1].start()
    return entries


def _serve() -> None:
    while True:
        with _changed:
            while not _waiting:
                _changed.wait()
            token, queue = next(iter(_waiting.items()))
            shelf, entry, data = queue.popleft()
            _waiting.move_to_end(token)
            if not queue:
                del _waiting[token]
        if entry.id in shelf.entries:  # not closed meanwhile
            _read(shelf, entry, data)
        del data


def _read(shelf: Shelf, entry: Entry, data: bytes) -> None:
    try:
        scan = read_scan(data)
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
            entry.packed, entry.small, entry.thumbnail = None, None, b""
            return _end(entry, NO_ROOM)
        entry.done.set()
    except UnreadableScan as reason:
        _end(entry, str(reason))
    except Exception:  # whatever it is, the next file is read
        log.exception("a file could not be read")
        _end(entry, "The file could not be read; the log says more.")


def _end(entry: Entry, reason: str) -> None:
    entry.reason = reason
    entry.done.set()
