"""The audit log: who did what, each entry chained to the one before by its hash, and what checks the chain.

An entry's hash is sha256 over all its other fields and the hash of the entry before, so that an entry that is changed,
removed or put between others breaks the chain. Entries that are cut off its end leave the tables ahead of the log, and
the head's hash, noted elsewhere, is then not found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import Connection, func, insert, select

from engine.review.records import now
from engine.review.tables import ANNOTATIONS, ANSWERS, ASSIGNMENTS, CASES, LOG

FIRST = "0" * 64  # what stands before the first entry
ACTIONS = (
    *("added", "changed", "removed", "submitted", "accepted", "returned"),
    *("reading", "opinion", "assigned", "unassigned"),
)
MOST_FAULTS = 20


@dataclass(frozen=True)
class Entry:
    """One thing that was done.

    Attributes:
        number: 1, 2, 3 ... without a gap.
        at: when, as `engine.review.records.now` writes it.
        reader: the name that the reader gave. It is not verified.
        action: one of ACTIONS.
        scan_sha256: of the scan that it was done on.
        subject: id of the annotation, reading, opinion or assignment; empty for the case itself.
        revision: of the case, once it was done.
        body: JSON of what stands afterwards: the record (of one that was removed or unassigned, what it was), or the
            case's note.
        previous, hash: of the entry before, and of this one.
    """

    number: int
    at: str
    reader: str
    action: str
    scan_sha256: str
    subject: str
    revision: int
    body: str
    previous: str
    hash: str

    def content(self) -> dict[str, Any]:
        """The body."""
        return json.loads(self.body)

    def expected_hash(self) -> str:
        """The hash that belongs to the other fields."""
        return hashlib.sha256(packed(list(astuple(self)[:-1])).encode()).hexdigest()


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        entries: how many the log has.
        head: hash of the last one; noted elsewhere, it proves later that nothing was cut off.
        faults: one sentence each, at most MOST_FAULTS; none when log and tables are as they were written.
    """

    entries: int
    head: str
    faults: tuple[str, ...]


def packed(content: object) -> str:
    """JSON that is the same text for the same content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def append(
    connection: Connection,
    *,
    reader: str,
    action: str,
    scan_sha256: str,
    subject: str,
    revision: int,
    content: Mapping[str, Any],
) -> Entry:
    """Writes the next entry; the caller holds a transaction that is alone among writers."""
    last = connection.execute(select(LOG.c.number, LOG.c.hash).order_by(LOG.c.number.desc()).limit(1)).first()
    number, previous = (last.number + 1, last.hash) if last else (1, FIRST)
    entry = Entry(number, now(), reader, action, scan_sha256, subject, revision, packed(content), previous, "")
    entry = Entry(*astuple(entry)[:-1], hash=entry.expected_hash())
    connection.execute(insert(LOG).values(entry.__dict__))
    return entry


def entries(connection: Connection, scan_sha256: str | None = None) -> list[Entry]:
    """Of one case, or all, from the oldest on."""
    rows = select(LOG).order_by(LOG.c.number)
    if scan_sha256 is not None:
        rows = rows.where(LOG.c.scan_sha256 == scan_sha256)
    return [Entry(*row) for row in connection.execute(rows)]


def submitter(of_scan: Iterable[Entry]) -> str:
    """The reader who submitted the case last, from the entries of its scan; empty where nobody did."""
    return next((entry.reader for entry in reversed([*of_scan]) if entry.action == "submitted"), "")


def verify(connection: Connection, head: str | None = None) -> Verification:
    """Checks every hash, and that the tables hold what the log says and nothing else.

    Args:
        head: a hash that was noted earlier as the log's last one; the log must still hold it.
    """
    faults: list[str] = []
    previous, number, hashes = FIRST, 0, set()
    annotations: dict[str, str] = {}
    answers: dict[str, str] = {}
    assigned: dict[str, str] = {}
    cases: dict[str, tuple[int, str]] = {}
    for row in connection.execute(select(LOG).order_by(LOG.c.number)):
        entry = Entry(*row)
        if entry.number != number + 1:
            faults.append(f"Between entries {number} and {entry.number} something is missing.")
        if entry.previous != previous:
            faults.append(f"Entry {entry.number} does not follow the entry before it.")
        if entry.hash != entry.expected_hash():
            faults.append(f"Entry {entry.number} is not what was written.")
        previous, number = entry.hash, entry.number
        hashes.add(entry.hash)
        _replay(entry, annotations, answers, assigned, cases)
    if head is not None and head not in hashes and head != FIRST:
        faults.append("The log does not hold the entry whose hash was noted; entries were cut off or exchanged.")
    faults += _unlike("annotation", annotations, connection.execute(select(ANNOTATIONS.c.id, ANNOTATIONS.c.body)))
    faults += _unlike("reading or opinion", answers, connection.execute(select(ANSWERS.c.id, ANSWERS.c.body)))
    faults += _unlike("assignment", assigned, connection.execute(select(ASSIGNMENTS.c.id, ASSIGNMENTS.c.body)))
    standing = connection.execute(select(CASES.c.scan_sha256, CASES.c.revision, CASES.c.state))
    faults += _unlike("case", cases, [(row[0], (row[1], row[2])) for row in standing])
    count = connection.scalar(select(func.count()).select_from(LOG)) or 0
    return Verification(count, previous, tuple(faults[:MOST_FAULTS]))


def _replay(
    entry: Entry,
    annotations: dict[str, str],
    answers: dict[str, str],
    assigned: dict[str, str],
    cases: dict[str, tuple[int, str]],
) -> None:
    """Does to the dictionaries what the entry says was done to the tables."""
    state = cases.get(entry.scan_sha256, (0, "draft"))[1]
    if entry.action in ("reading", "opinion"):
        answers[entry.subject] = entry.body
        return
    if entry.action in ("assigned", "unassigned"):
        if entry.action == "assigned":
            assigned[entry.subject] = entry.body
        else:
            assigned.pop(entry.subject, None)
        return
    if entry.action == "removed":
        annotations.pop(entry.subject, None)
    elif entry.action in ("added", "changed"):
        annotations[entry.subject] = entry.body
    else:
        state = entry.action
    cases[entry.scan_sha256] = (entry.revision, state)


def _unlike(what: str, logged: Mapping[str, object], standing: Iterable[Any]) -> list[str]:
    faults, found = [], dict(map(tuple, standing))
    for key in sorted({*logged, *found}):
        if key not in found:
            faults.append(f"The {what} {key[:12]} stands in the log and not in its table.")
        elif key not in logged:
            faults.append(f"The {what} {key[:12]} stands in its table and not in the log.")
        elif logged[key] != found[key]:
            faults.append(f"The {what} {key[:12]} is not what the log says.")
    return faults
