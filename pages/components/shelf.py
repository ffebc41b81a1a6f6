"""What each reader has open: scans in the server's memory, within a stated budget, for as long as the
reader may return.

A shelf belongs to a browser (its key stands in a cookie, see `server.readers`), so a reload or a second tab finds it
again; where nothing is to be kept, or a browser takes no cookies, it belongs to one session. It outlives its last page
by the retention.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from engine.memory import give_back
from engine.preprocessing import two_dimensional
from engine.scan import Scan
from engine.scan.source import SourceRecord
from server import readers, sessions
from server.doors import SETTINGS
from server.settings import MEGABYTE
from viewer.volume import VolumePixels

MOST = 1200  # scans of one reader
SMALL = 64  # pixels of a thumbnail's longer side
SHORT_BREAK = 20.0  # seconds in which a page whose connection broke finds its scans again, also where nothing is kept
STATES = ("reading", "waiting", "explained", "held back", "open", "refused")  # "open": no checkpoint here takes it
CASES = ("submitted", "accepted", "returned")  # states of a case that are said whatever else became of its scan
STEPS = ("new", "explained", "draft", "read", "exported", *CASES)


@dataclass(frozen=True, eq=False)
class OpenScan:
    """One scan of a reader.

    Attributes:
        name: given here or by the reader, never the file's.
        scan: with all its slices.
        drawn_by: the collection that drew it, "" for a scan of a person.
        truth: findings that it was drawn with.
        id: its place on the shelf.
        slices: how many the scan has, 1 for a single picture; 0 counts those of `scan`. A thumbnail keeps its scan's
            number.
    """

    name: str
    scan: Scan
    drawn_by: str = ""
    truth: tuple[str, ...] = ()
    id: str = ""
    slices: int = 0

    def __post_init__(self):
        if not self.slices:
            object.__setattr__(self, "slices", 1 if self.scan.pixels.ndim == 2 else len(self.scan.pixels))


@dataclass(frozen=True)
class Told:
    """What a checkpoint said of a scan, for the list.

    Attributes:
        above: findings above their operating points.
        flip: the smallest share of a finding that must be taken away to turn its positive call; None where none turns.
        unlike: the detector's score in shares of its limit, above 1 for a scan unlike those learned from; None where
            that is not known.
    """

    above: tuple[str, ...]
    flip: float | None
    unlike: float | None


@dataclass(frozen=True, eq=False)
class Packed:
    """A scan in half the memory where its values are whole numbers in a range of 65535, as most are; nothing is lost.

    Attributes:
        stored: (H, W) or (S, H, W) uint16, or float32 for other values; value = stored + zero.
        rest: the fields of the scan beside its pixels.
    """

    stored: np.ndarray
    zero: float
    rest: dict[str, Any]

    @classmethod
    def as_read(cls, scan: Scan) -> Packed:
        """The scan as it is, without a copy: for the moment in which a reader waits to see it."""
        rest = {field.name: getattr(scan, field.name) for field in fields(scan) if field.name != "pixels"}
        return cls(scan.pixels, 0.0, rest)

    @classmethod
    def of(cls, scan: Scan) -> Packed:
        pixels, rest = scan.pixels, cls.as_read(scan).rest
        low, high = float(pixels.min()), float(pixels.max())
        slabs = pixels if pixels.ndim == 3 else pixels[None]
        if (
            high - low > 65535
            or max(abs(low), abs(high)) >= 2**24
            or any((slab != np.rint(slab)).any() for slab in slabs)
        ):
            return cls(pixels, 0.0, rest)
        stored = np.empty(pixels.shape, np.uint16)
        for target, slab in zip(stored if stored.ndim == 3 else stored[None], slabs, strict=True):
            target[...] = slab - np.float32(low)
        return cls(stored, low, rest)

    @property
    def nbytes(self) -> int:
        return self.stored.nbytes

    @cached_property
    def volume(self) -> VolumePixels:
        """The voxels of a volume as a viewer shows them: the very same record every time, and no copy."""
        return VolumePixels.of(self.stored, self.zero, self.rest["sha256"])

    def scan(self) -> Scan:
        pixels = self.stored
        if pixels.dtype != np.float32:
            pixels = pixels.astype(np.float32)
            pixels += np.float32(self.zero)
            pixels.setflags(write=False)
        return Scan(pixels=pixels, **self.rest)


@dataclass(eq=False)
class Entry:
    """One line of a reader's list: a scan that is open, on its way, or refused with its reason.

    Attributes:
        id: its place on the shelf.
        name, label: what it is called here, and by the reader ("" until then).
        packed: the scan, None before it is read and when it was refused.
        small: the scan in the size of a thumbnail, to be asked for its kind.
        thumbnail: a PNG.
        reason: why it was refused, in one sentence.
        note: why no checkpoint explains it, although it is open.
        notes: what was left out or taken apart when it was read, a sentence each.
        wanted: identity of the checkpoint that it is to be explained with; `explained_with` has all that did,
            and `unlike` those of them that found it unlike what they were trained on.
        told: what a checkpoint said of it in numbers, by its identity.
        reviewed: one of CASES; before that "read" (a reading or an opinion is kept), "draft" (only drawn), or "".
        exported: whether what a checkpoint says of it was exported.
        disagreement: how far methods disagree about where, in [0, 1]; None before they were compared.
        assigned, read_by: names of the readers who are to read it, and of those who gave readings of it.
        drop: which drop of files it came with, from 1; 0 for a drawn picture and the sample.
        source: the study that it came from, None without one; read by exports, and to know a patient's earlier scans.
        shown_anyway: (sha256 of the scan or slice, identity) of results held back that the reader asked for.
    """

    id: str
    name: str
    label: str = ""
    packed: Packed | None = None
    small: OpenScan | None = None
    thumbnail: bytes = b""
    reason: str = ""
    note: str = ""
    notes: tuple[str, ...] = ()
    wanted: str = ""
    explained_with: set[str] = field(default_factory=set)
    unlike: set[str] = field(default_factory=set)
    shown_anyway: set[tuple[str, str]] = field(default_factory=set)
    told: dict[str, Told] = field(default_factory=dict)
    reviewed: str = ""
    exported: bool = False
    disagreement: float | None = None
    assigned: tuple[str, ...] = ()
    read_by: tuple[str, ...] = ()
    drop: int = 0
    source: SourceRecord | None = field(default=None, repr=False)
    same_as: str = ""  # id of the entry that held the same scan already
    done: threading.Event = field(default_factory=threading.Event)  # read or refused

    @property
    def title(self) -> str:
        return self.label or self.name

    @property
    def sha256(self) -> str:
        """Of the scan; "" before it is read and where it was refused."""
        return "" if self.packed is None else self.packed.rest["sha256"]

    @property
    def state(self) -> str:
        """One of STATES."""
        if self.reason:
            return "refused"
        if not self.done.is_set():
            return "reading"
        if self.note:
            return "open"
        if self.wanted not in self.explained_with:
            return "waiting"
        shown_on_request = any(identity == self.wanted for _, identity in self.shown_anyway)
        return "held back" if self.wanted in self.unlike and not shown_on_request else "explained"

    @property
    def step(self) -> str:
        """How far work on it has come: one of STEPS."""
        explained = "explained" if self.state in ("explained", "held back") else "new"
        exported = self.exported and self.reviewed not in CASES
        return "exported" if exported else self.reviewed or explained

    def explained_by(self, identity: str, unlike: bool, told: Told | None = None) -> None:
        """A checkpoint has explained it, or the slice of it that is on show."""
        if told is not None:
            self.told[identity] = told
        (self.unlike.add if unlike else self.unlike.discard)(identity)
        self.explained_with.add(identity)

    @property
    def nbytes(self) -> int:
        return (self.packed.nbytes if self.packed else 0) + len(self.thumbnail)

    def open(self, opened: OpenScan) -> None:
        """Takes the scan as it was read; its name and place stay the entry's. `pack` then halves its memory."""
        packed, pixels = Packed.as_read(opened.scan), thumbnail_pixels(opened.scan)
        small = replace(opened.scan, pixels=pixels, spacing_mm=None, affine=None)
        self.thumbnail = thumbnail(pixels, opened.scan.window)
        self.small = replace(opened, scan=small, name=self.name, id=self.id)
        self.packed = packed  # last: who finds it finds the others too

    def pack(self) -> None:
        """Keeps the scan in as little memory as it needs; of a volume that takes longer than to show a slice."""
        if self.packed is not None:
            self.packed = Packed.of(self.packed.scan())

    def opened(self) -> OpenScan:
        """The scan at full size; raises ValueError for one that is not open."""
        if self.packed is None or self.small is None:
            raise ValueError(f"{self.title} is not open")
        return replace(self.small, scan=self.packed.scan(), name=self.title)


def thumbnail_pixels(scan: Scan) -> np.ndarray:
    """(h, w) float32: the picture, or the middle slice, with at most SMALL pixels along its longer side and 16 along
    the other.
    """
    pixels = scan.pixels if scan.pixels.ndim == 2 else scan.pixels[len(scan.pixels) // 2]
    height, width = pixels.shape
    height *= scan.pixel_aspect
    scale = SMALL / max(height, width)
    size = max(16, round(width * scale)), max(16, round(height * scale))
    return np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.float32)


def thumbnail(pixels: np.ndarray, window: tuple[float, float]) -> bytes:
    """A PNG of `pixels` (H, W) under a (centre, width); a volume is refused with a ValueError."""
    two_dimensional(pixels, "a thumbnail")
    centre, width = window
    grey = np.clip((pixels - (centre - width / 2)) / width, 0, 1)
    return cv2.imencode(".png", np.rint(255 * grey).astype(np.uint8))[1].tobytes()


class Shelf:
    """All scans of one reader, in the order they were opened. Its list may be read from any thread.

    Attributes:
        token: under which its list can be asked for, see `scan_list`.
        reader: whose requests are answered; None for a browser that takes no cookies.
        started: the sample has been put on it.
        chosen: what was last on show, for a page that opens later.
        closed: (place, entry) of the scan closed last.
        blind: nothing is said of what models find in a scan before the reader has read it.
        seen: the scans, by their sha256, of which a model's answer was shown.
        kept_as: name of its folder, where open scans are kept on disk (`kept_scans`); "" elsewhere.
    """

    def __init__(self, reader: str | None):
        self.token, self.reader = secrets.token_urlsafe(18), reader
        self.entries: dict[str, Entry] = {}
        self.started = False
        self.chosen: str | None = None
        self.closed: tuple[int, Entry] | None = None
        self.taken = 0
        self.drops = 0
        self.blind = False
        self.seen: set[str] = set()
        self.kept_as = ""
        self.sessions: set[str] = set()
        self.left: float | None = None

    @property
    def nbytes(self) -> int:
        return sum(entry.nbytes for entry in (*list(self.entries.values()), *([self.closed[1]] if self.closed else [])))

    def add(self, entry: Entry, place: int | None = None) -> None:
        items = list(self.entries.items())
        items.insert(len(items) if place is None else place, (entry.id, entry))
        self.entries = dict(items)

    def remove(self, identity: str) -> None:
        self.entries = {key: entry for key, entry in self.entries.items() if key != identity}


class Shelves:
    """Every reader's shelf, within one budget.

    Args:
        limit: bytes of all shelves together; one reader may have half of them.
        retention: seconds that a shelf outlives its last page; 0 gives every session a shelf of its own.
        clock: seconds that only rise.
    """

    def __init__(self, limit: float, retention: float, clock: Callable[[], float] = time.monotonic):
        self.limit, self.retention, self._clock = limit, retention, clock
        self.told_when_one_goes: list[Callable[[Shelf], None]] = []
        self.told_when_one_comes: list[Callable[[Shelf, str], None]] = []  # with the key of its reader
        self._shelves: dict[str, Shelf] = {}
        self._lock = threading.RLock()

    def of(self, reader: str | None, session: str) -> Shelf:
        """The shelf of this reader, or of this session where nothing is kept; new when there is none."""
        key = f"reader {reader}" if reader and self.retention > 0 else f"session {session}"
        with self._lock:
            if (shelf := self._shelves.get(key)) is None:
                shelf = self._shelves[key] = Shelf(reader)
                for tell in self.told_when_one_comes if reader and self.retention > 0 else ():
                    tell(shelf, reader)
            shelf.sessions.add(session)
            shelf.left = None
            return shelf

    def all(self) -> list[Shelf]:
        """Those that are there now."""
        with self._lock:
            return list(self._shelves.values())

    def by_token(self, token: str, reader: str | None) -> Shelf | None:
        with self._lock:
            return next(
                (shelf for shelf in self._shelves.values() if shelf.token == token and shelf.reader == reader), None
            )

    @property
    def nbytes(self) -> int:
        with self._lock:
            return sum(shelf.nbytes for shelf in self._shelves.values())

    def has_room(self, shelf: Shelf, nbytes: int) -> bool:
        """Whether `shelf` may grow by so many bytes; those of readers who have left are dropped for it, who
        left first first.
        """
        if shelf.nbytes + nbytes > self.limit / 2:
            return False
        with self._lock:
            gone = sorted(
                (item for item in self._shelves.items() if item[1].left is not None), key=lambda item: item[1].left
            )
            for key, _ in gone:
                if self.nbytes + nbytes <= self.limit:
                    break
                self._drop(key)
            return self.nbytes + nbytes <= self.limit

    def _drop(self, key: str) -> None:
        gone = self._shelves.pop(key)
        for tell in self.told_when_one_goes:
            tell(gone)

    def sweep(self, present: Callable[[str], bool]) -> int:
        """Drops shelves whose readers have been away for longer than the retention; how many.

        Args:
            present: whether a session has a page open.
        """
        now, before = self._clock(), len(self._shelves)
        with self._lock:
            for key, shelf in list(self._shelves.items()):
                if any(present(session) for session in shelf.sessions):
                    shelf.left = None
                elif shelf.left is None:
                    shelf.left = now
                elif now - shelf.left >= max(self.retention, SHORT_BREAK):
                    self._drop(key)
            return before - len(self._shelves)


SHELVES = Shelves(SETTINGS.scans_megabytes * MEGABYTE, 60 * SETTINGS.retention_minutes)


@sessions.at_every_look
def sweep() -> None:
    """Closes the scans of sessions that have left, and gives their memory back."""
    if SHELVES.sweep(sessions.present):
        give_back()


def mine() -> Shelf:
    """The shelf of whoever runs this script."""
    return SHELVES.of(readers.current(), sessions.current())
