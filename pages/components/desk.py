"""A reader's desk: the review of the scan on show, what the browser has drawn on it, and what could not be saved yet.

Nothing that was drawn is dropped: what could not be saved, because somebody else had saved meanwhile or the disk was
full, stays in `Desk.pending` until the reader decides or saves again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import streamlit as st

from engine.review.cases import Case, Conflict, Locked, merged
from engine.review.database import ADDRESS, FOLDER, MEMORY, NotSaved, UnusableStore, address
from engine.review.measurements import ScanFacts
from engine.review.records import Annotation, Opinion, Reading, UnusableRecord, checked_reader
from engine.review.store import Store
from viewer.marks import Drawn

UNNAMED = "no name given"
ASK_NAME = "Not kept yet: give your name, on the page Review, to keep it."
STATES_SAID = {"draft": "a draft", "submitted": "submitted", "accepted": "accepted", "returned": "returned"}
MOST_TOLD = 20  # lists that the browser was given and may still be drawing on
IN_MEMORY = (
    "Kept in memory only: what is drawn and said here is gone when this page is closed. To keep it, the administrator "
    f"sets {FOLDER} or {ADDRESS}."
)


@st.cache_resource(max_entries=4, show_spinner=False)
def _shared(url: str) -> Store:
    return Store(url)


def store() -> Store:
    """The store of reviews: the one that the environment names, for all readers, or one in this session's memory.

    Raises:
        UnusableStore: it cannot be opened; the message is one sentence.
    """
    url = address()
    if url != MEMORY:
        return _shared(url)
    if "reviews" not in st.session_state:
        st.session_state["reviews"] = Store()
    return st.session_state["reviews"]


def kept_how() -> str:
    """How long what is drawn and said is kept, in one line.

    Raises:
        UnusableStore: the store cannot be opened.
    """
    if store().in_memory:
        return "Assignments and reviews are in memory only, and gone when this page is closed."
    return "Assignments and reviews are kept in the database."


def reviews() -> Store | None:
    """The store, or None where it cannot be opened; whoever reviews is told why."""
    try:
        return store()
    except UnusableStore:
        return None


def reader() -> str:
    """The name that the reader of this session gave; empty before."""
    return st.session_state.get("reader", "")


def name_reader(name: str) -> str:
    """Takes the reader's name for this session; returns why not, or nothing.

    It is not verified: whoever sits there says who he is.
    """
    try:
        st.session_state["reader"] = checked_reader(name)
    except UnusableRecord as error:
        return str(error)
    return ""


@dataclass(eq=False)
class Desk:
    """One scan in one session.

    Attributes:
        store: where it is kept.
        facts: of the scan.
        case: the revision that is on show, and that the next save begins from.
        loaded: number of the list that the browser was given last; another one replaces what it shows.
        seen: number of the browser's latest message; `acked` of the latest that was saved.
        saved: when, in words.
        trouble: why the latest change is not saved; empty otherwise.
        refused: why the case did not get the state that the reader gave it last; empty otherwise.
        pending: what is drawn and not saved.
        theirs: what somebody else saved meanwhile, while the reader decides.
        told: the lists that the browser was given, by number.
        own: revisions that this reader saved or merged here: a decision on an earlier one is no conflict with them.
    """

    store: Store
    case: Case
    facts: ScanFacts
    loaded: int = field(default_factory=lambda: int(time.time() * 1000))
    seen: int = 0
    acked: int = 0
    saved: str = ""
    trouble: str = ""
    refused: str = ""
    pending: tuple[Annotation, ...] | None = None
    theirs: Case | None = None
    told: dict[int, tuple[Annotation, ...]] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)

    def __post_init__(self):
        self.told[self.loaded] = self.case.annotations

    @property
    def drawn(self) -> tuple[Annotation, ...]:
        """What is on show."""
        return self.case.annotations if self.pending is None else self.pending

    def look(self) -> None:
        """Takes over what others have saved since, unless something of this reader's is not saved yet."""
        now = self.store.case(self.case.scan_sha256)
        if now.revision != self.case.revision and self.pending is None:
            self._show(now)

    def receive(self, message: Drawn | None, name: str) -> None:
        """Saves what the browser sent, once."""
        if message is None or message.number <= self.seen or message.picture != self.case.scan_sha256:
            return
        self.seen = message.number
        try:
            began = self.told.get(message.loaded)
            if began is None:  # of a page that is older than this session: the server was started again
                began = self.store.annotations_at(self.case.scan_sha256, message.base)
            standing = {one.id: one for one in (*began, *self.drawn)}
            mine = message.annotations(standing, name or UNNAMED, self.facts)
        except UnusableRecord as error:
            self.trouble = f"Not saved: {error}"
            return
        if self.theirs is not None:  # the reader has not decided yet
            self.pending = mine
        elif not name:
            self.pending, self.trouble = mine, ASK_NAME
        elif message.loaded == self.loaded:
            self._save(mine, name)
        else:
            self._save(merged(mine, began, self.case.annotations), name, show=True)

    def save_again(self, name: str) -> None:
        """Tries once more to save what could not be saved."""
        if self.pending is not None and self.theirs is None and name:
            self._save(self.pending, name)

    def named(self, name: str) -> None:
        """Saves what was drawn before the reader gave a name."""
        if self.trouble == ASK_NAME:
            self.save_again(name)

    def keep_both(self, name: str) -> None:
        """After a conflict: saves what both drew."""
        if self.theirs is not None and self.pending is not None:
            both = merged(self.pending, self.case.annotations, self.theirs.annotations)
            self.own.add(self.theirs.revision)
            self.case, self.theirs = self.theirs, None
            self._save(both, name, show=True)

    def take_theirs(self) -> None:
        """After a conflict: shows what the other saved, and lets go of what this reader drew since."""
        if self.theirs is not None:
            theirs, self.theirs, self.pending = self.theirs, None, None
            self._show(theirs)

    def move(self, state: str, name: str, note: str = "", base: int | None = None) -> str:
        """Gives the case another state; returns why not, or nothing, and keeps it in `refused`.

        Args:
            base: the revision that the reader decided on; None for the one on show.
        """
        now, self.refused = self.case.revision, ""
        if base is None or self.own.issuperset(range(base + 1, now + 1)):
            base = now
        try:
            case = self.store.move(self.case.scan_sha256, state, base=base, reader=name, note=note)
        except Conflict as conflict:
            now = conflict.current
            self._show(now)
            self.refused = (
                f"Not {state}: {now.changed_by} has saved this case at {now.changed[11:19]} UTC, since you began from "
                f"it; meanwhile it is {STATES_SAID[now.state]}. Look at it again, and decide then."
            )
        except (UnusableRecord, UnusableStore, NotSaved) as error:
            self.refused = str(error)
        else:
            self._show(case)
        return self.refused

    def _save(self, annotations: Sequence[Annotation], name: str, show: bool = False) -> None:
        self.pending = tuple(replace(one, reader=name) if one.reader == UNNAMED else one for one in annotations)
        try:
            case = self.store.save(
                self.case.scan_sha256, self.pending, base=self.case.revision, reader=name, facts=self.facts
            )
        except Conflict as conflict:
            self.theirs = conflict.current
            self.trouble = (
                f"Not saved: {conflict.current.changed_by} has saved this case meanwhile. Decide at the right."
            )
            return
        except Locked as error:
            self.theirs = self.store.case(self.case.scan_sha256)
            self.trouble = f"Not saved: {error}"
            return
        except (NotSaved, UnusableRecord, UnusableStore) as error:
            self.trouble = f"{error} What you drew is still on this page."
            return
        self.pending, self.trouble, self.refused = None, "", ""
        self.acked = self.seen
        self.own.add(case.revision)
        at = f"{case.changed[11:19]} UTC" if case.changed else ""
        self.saved = f"{'In memory' if self.store.in_memory else 'Saved'}, {at}" if at else ""
        if show:
            self._show(case)
        else:
            self.case = case

    def _show(self, case: Case) -> None:
        """The browser is given another list."""
        self.case, self.trouble = case, ""
        self.loaded = max(self.loaded + 1, int(time.time() * 1000))
        self.acked = self.seen
        self.told[self.loaded] = case.annotations
        for number in sorted(self.told)[:-MOST_TOLD]:
            del self.told[number]


@dataclass(frozen=True)
class Kept:
    """What readers drew and said of one scan, as the store has it; `stamp` changes with it."""

    annotations: tuple[Annotation, ...] = ()
    readings: tuple[Reading, ...] = ()
    opinions: tuple[Opinion, ...] = ()

    @property
    def stamp(self) -> tuple:
        return (
            tuple((one.id, one.revision, one.state) for one in self.annotations),
            tuple(one.id for one in (*self.readings, *self.opinions)),
        )


def kept(scan_sha256: str) -> Kept:
    """What is kept of a scan; nothing where the store cannot be read, which the page Review says."""
    try:
        here = store()
        return Kept(here.case(scan_sha256).annotations, here.readings(scan_sha256), here.opinions(scan_sha256))
    except UnusableStore:
        return Kept()


def desk(scan_sha256: str, facts: Callable[[], ScanFacts]) -> Desk:
    """This session's desk for a scan.

    Raises:
        UnusableStore: the store cannot be opened or read.
    """
    desks: dict[str, Desk] = st.session_state.setdefault("desks", {})
    here = store()
    known = desks.get(scan_sha256)
    if known is None or known.store is not here:
        known = desks[scan_sha256] = Desk(here, here.case(scan_sha256), facts())
    return known


def known(scan_sha256: str) -> Desk | None:
    """This session's desk for a scan that was on show before; None for any other."""
    return st.session_state.get("desks", {}).get(scan_sha256)
