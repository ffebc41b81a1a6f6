"""A case: the review of one scan, how it is read and written, and how two readers' drawings are brought together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from engine.review import log
from engine.review.measurements import ScanFacts
from engine.review.records import Annotation, UnusableRecord, from_json, new_id, now, to_json
from engine.review.tables import ANNOTATIONS, CASES

NEXT = {  # state -> those that a reader can give the case
    "draft": ("submitted",),
    "submitted": ("accepted", "returned"),
    "returned": ("submitted",),
    "accepted": ("returned",),
}
BY_ANOTHER = ("accepted", "returned")  # states that a case gets from another reader than the one who submitted it


@dataclass(frozen=True)
class Case:
    """The review of one scan, as it stands.

    Attributes:
        scan_sha256: of the scan.
        revision: 0 before anything was saved, and one more with each save.
        state: draft, submitted, accepted or returned.
        note: what was said when it got that state; may be empty.
        changed, changed_by: when, and the name of the reader, who is not verified; empty before the first save.
        annotations: in the order of drawing, all in the case's state.
        facts: of the scan; None where nobody said.
    """

    scan_sha256: str
    revision: int = 0
    state: str = "draft"
    note: str = ""
    changed: str = ""
    changed_by: str = ""
    annotations: tuple[Annotation, ...] = ()
    facts: ScanFacts | None = None

    @property
    def locked(self) -> bool:
        """Whether it must be returned before anybody draws on it again."""
        return self.state in ("submitted", "accepted")


class Conflict(ValueError):
    """Somebody else has saved since; nothing was written. `current` is the case as it stands now."""

    def __init__(self, current: Case, base: int):
        self.current, self.base = current, base
        super().__init__(
            f"{current.changed_by or 'Somebody'} has saved this case since you began from it; your changes were not "
            "saved over that."
        )


class Locked(ValueError):
    """The case was submitted or accepted, and is not drawn on before it was returned."""


def merged(
    mine: Sequence[Annotation], base: Sequence[Annotation], theirs: Sequence[Annotation]
) -> tuple[Annotation, ...]:
    """What two readers drew who both began from `base`, with nothing of either lost.

    What only one of them added, changed or removed is so. What both changed differently is kept twice, mine under a new
    id; what one changed and the other removed is kept.
    """
    began, own, there = ({one.id: one for one in part} for part in (base, mine, theirs))
    kept: list[Annotation] = []
    for key in dict.fromkeys([*there, *own]):
        b, m, t = (None if key not in part else drawn(part[key]) for part in (began, own, there))
        if t is not None and (m in (t, b) or t != b):
            kept.append(there[key])
        if m is not None and m not in (b, t):
            kept.append(replace(own[key], id=new_id()) if t is not None and t != b else own[key])
    return tuple(kept)


def drawn(annotation: Annotation) -> Annotation:
    """Without what only the store sets."""
    return replace(annotation, revision=1, state="draft")


def read_case(connection: Connection, scan_sha256: str) -> Case:
    """The case as it stands; revision 0 where there is none."""
    row = connection.execute(select(CASES).where(CASES.c.scan_sha256 == scan_sha256)).first()
    if row is None:
        return Case(scan_sha256)
    bodies = connection.scalars(
        select(ANNOTATIONS.c.body).where(ANNOTATIONS.c.scan_sha256 == scan_sha256).order_by(ANNOTATIONS.c.place)
    )
    return case_of(row, tuple(from_json(Annotation, json.loads(body)).moved_to(row.state) for body in bodies))


def case_of(row: Any, annotations: tuple[Annotation, ...]) -> Case:
    """The case of a row of its table."""
    facts = ScanFacts(**json.loads(row.facts)) if row.facts else None
    return Case(row.scan_sha256, row.revision, row.state, row.note, row.changed, row.changed_by, annotations, facts)


def write_case(connection: Connection, case: Case, reader: str, at: str) -> None:
    """Writes its row, for revision 1 the first time; the annotations stay as they are."""
    values = {
        "revision": case.revision,
        "state": case.state,
        "note": case.note,
        "changed": at,
        "changed_by": reader,
        "facts": log.packed(case.facts.to_json()) if case.facts else "",
    }
    if case.revision == 1:
        connection.execute(insert(CASES).values(scan_sha256=case.scan_sha256, **values))
    else:
        connection.execute(update(CASES).where(CASES.c.scan_sha256 == case.scan_sha256).values(values))


def write_annotations(
    connection: Connection, case: Case, wanted: dict[str, Annotation], reader: str, facts: ScanFacts | None
) -> Case:
    """Writes what differs between `case` and `wanted`, and the entries that say so."""
    standing = {annotation.id: annotation for annotation in case.annotations}
    removed = [one for one in case.annotations if one.id not in wanted]
    changed = [
        replace(one, reader=standing[one.id].reader, created=standing[one.id].created) if one.id in standing else one
        for one in wanted.values()
    ]
    changed = [one for one in changed if one.id not in standing or drawn(one) != drawn(standing[one.id])]
    if not removed and not changed:
        return case
    added = [one.id for one in changed if one.id not in standing]
    if connection.scalar(select(func.count()).where(ANNOTATIONS.c.id.in_(added))):
        raise UnusableRecord("An annotation of another scan has this id.")
    revision, at = case.revision + 1, now()
    write_case(connection, replace(case, revision=revision, facts=facts or case.facts), reader, at)
    last = connection.scalar(select(func.max(ANNOTATIONS.c.place)).where(ANNOTATIONS.c.scan_sha256 == case.scan_sha256))
    places = count(0 if last is None else last + 1)

    def entry(action: str, annotation: Annotation) -> log.Entry:
        return log.append(
            connection,
            reader=reader,
            action=action,
            scan_sha256=case.scan_sha256,
            subject=annotation.id,
            revision=revision,
            content=to_json(annotation),
        )

    for annotation in removed:
        entry("removed", annotation)
        connection.execute(delete(ANNOTATIONS).where(ANNOTATIONS.c.id == annotation.id))
    for annotation in changed:
        before = standing.get(annotation.id)
        annotation = replace(annotation, revision=before.revision + 1 if before else 1, state=case.state)
        body = entry("changed" if before else "added", annotation).body
        if before:
            connection.execute(update(ANNOTATIONS).where(ANNOTATIONS.c.id == annotation.id).values(body=body))
        else:
            row = {"id": annotation.id, "scan_sha256": case.scan_sha256, "place": next(places), "body": body}
            connection.execute(insert(ANNOTATIONS).values(row))
    return read_case(connection, case.scan_sha256)
