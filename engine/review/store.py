"""The store of reviews: cases, annotations, readings and opinions, and who did what.

A scan is named by the sha256 of its pixels; no file name and nothing of a patient is kept. A save that returned is on
the disk. Whoever saves says which revision he began from: if somebody else has saved since, nothing is written and
`Conflict` says what stands now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, insert, select

from engine.review import log
from engine.review.cases import (
    BY_ANOTHER,
    NEXT,
    Case,
    Conflict,
    Locked,
    case_of,
    read_case,
    write_annotations,
    write_case,
)
from engine.review.database import MEMORY, Database
from engine.review.measurements import ScanFacts, check_place
from engine.review.records import (
    LONGEST_COMMENT,
    Annotation,
    Assignment,
    Opinion,
    Reading,
    UnusableRecord,
    checked_reader,
    from_json,
    new_id,
    now,
    to_json,
)
from engine.review.tables import ANSWERS, ASSIGNMENTS, CASES, LOG

MOST_ANNOTATIONS = 2000  # of one case


class Store:
    """The reviews in one database; see `Database` for `url`."""

    def __init__(self, url: str = MEMORY):
        self.database = Database(url)
        self.in_memory = self.database.in_memory

    def close(self) -> None:
        """Lets go of the database."""
        self.database.close()

    def case(self, scan_sha256: str) -> Case:
        """The review of a scan; revision 0 where there is none."""
        with self.database.reading() as connection:
            return read_case(connection, scan_sha256)

    def cases(self) -> tuple[Case, ...]:
        """Every case without its annotations, the latest first."""
        with self.database.reading() as connection:
            rows = connection.execute(select(CASES).order_by(CASES.c.changed.desc()))
            return tuple(case_of(row, ()) for row in rows)

    def all_cases(self) -> tuple[Case, ...]:
        """Every case with its annotations, the latest first."""
        with self.database.reading() as connection:
            names = connection.scalars(select(CASES.c.scan_sha256).order_by(CASES.c.changed.desc())).all()
            return tuple(read_case(connection, name) for name in names)

    def save(
        self,
        scan_sha256: str,
        annotations: Sequence[Annotation],
        *,
        base: int,
        reader: str,
        facts: ScanFacts | None = None,
    ) -> Case:
        """Makes `annotations` all that is drawn on the scan; what is not among them is removed.

        Their revision and state are set here, and who drew one first stays; a save that changes nothing is none.

        Args:
            base: the revision that the reader began from.
            facts: of the scan, kept with the case; every annotation must lie within it.

        Raises:
            Conflict: another revision stands.
            Locked: the case was submitted or accepted.
            NotSaved: the database did not take it.
            UnusableRecord: too many, two of one id, or of another scan.
        """
        reader = checked_reader(reader)
        wanted = {annotation.id: annotation for annotation in annotations}
        if len(wanted) != len(annotations) or len(wanted) > MOST_ANNOTATIONS:
            raise UnusableRecord(f"A case has at most {MOST_ANNOTATIONS} annotations, each with an id of its own.")
        for annotation in annotations:
            if annotation.scan_sha256 != scan_sha256:
                raise UnusableRecord("An annotation belongs to another scan.")
            if facts is not None:
                check_place(annotation, facts)
        with self.database.writing() as connection:
            case = self._begun(connection, scan_sha256, base)
            if case.locked:
                raise Locked(f"The case is {case.state}; return it before drawing on it again.")
            return write_annotations(connection, case, wanted, reader, facts)

    def move(self, scan_sha256: str, state: str, *, base: int, reader: str, note: str = "") -> Case:
        """Gives a case another state: submitted, accepted or returned.

        Args:
            note: why; a case that is returned has one.

        Raises:
            Conflict, NotSaved: as `save`.
            UnusableRecord: the case cannot get that state from its own, is returned without a note, or is accepted or
                returned by the reader who submitted it.
        """
        reader, note = checked_reader(reader), note.strip()
        if len(note) > LONGEST_COMMENT or not note.replace("\n", " ").isprintable():
            raise UnusableRecord(f"A note is text of at most {LONGEST_COMMENT} characters.")
        with self.database.writing() as connection:
            case = self._begun(connection, scan_sha256, base)
            if state not in NEXT[case.state]:
                can = " or ".join(NEXT[case.state])
                raise UnusableRecord(f"A case that is {case.state} can be {can}, not {state}.")
            submitter = log.submitter(log.entries(connection, scan_sha256))
            if state in BY_ANOTHER and reader.casefold() == submitter.casefold():
                raise UnusableRecord(f"{submitter} submitted this case, so another reader must accept or return it.")
            if state == "returned" and not note:
                raise UnusableRecord("Say why the case is returned.")
            at = now()
            write_case(connection, replace(case, revision=case.revision + 1, state=state, note=note), reader, at)
            log.append(
                connection,
                reader=reader,
                action=state,
                scan_sha256=scan_sha256,
                subject="",
                revision=case.revision + 1,
                content={"note": note, "annotations": [annotation.id for annotation in case.annotations]},
            )
            return read_case(connection, scan_sha256)

    def keep(self, answers: Iterable[Reading | Opinion]) -> None:
        """Keeps readings and opinions, all or none. They are never changed: a later one of the same reader stands
        beside the earlier.

        Raises:
            NotSaved: the database did not take them.
        """
        with self.database.writing() as connection:
            for answer in answers:
                kind, body = type(answer).__name__.lower(), to_json(answer)
                stands = connection.scalar(select(ANSWERS.c.body).where(ANSWERS.c.id == answer.id))
                if stands is not None:
                    if stands != log.packed(body):
                        raise UnusableRecord("Another reading or opinion has this id.")
                    continue  # the same was kept before, and its answer was lost on the way
                entry = log.append(
                    connection,
                    reader=answer.reader,
                    action=kind,
                    scan_sha256=answer.scan_sha256,
                    subject=answer.id,
                    revision=read_case(connection, answer.scan_sha256).revision,
                    content=body,
                )
                connection.execute(
                    insert(ANSWERS).values(
                        id=answer.id,
                        number=entry.number,
                        scan_sha256=answer.scan_sha256,
                        kind=kind,
                        reader=answer.reader,
                        body=entry.body,
                    )
                )

    def readings(self, scan_sha256: str | None = None) -> tuple[Reading, ...]:
        """Those of one scan, or all, from the oldest on."""
        return tuple(from_json(Reading, body) for body in self._answers("reading", scan_sha256))

    def read_by(self) -> dict[str, tuple[str, ...]]:
        """Who gave readings of each scan, by its sha256."""
        rows = select(ANSWERS.c.scan_sha256, ANSWERS.c.reader).where(ANSWERS.c.kind == "reading").distinct()
        found: dict[str, tuple[str, ...]] = {}
        with self.database.reading() as connection:
            for scan_sha256, reader in connection.execute(rows.order_by(ANSWERS.c.reader)):
                found[scan_sha256] = (*found.get(scan_sha256, ()), reader)
        return found

    def opinions(self, scan_sha256: str | None = None) -> tuple[Opinion, ...]:
        """Those of one scan, or all, from the oldest on."""
        return tuple(from_json(Opinion, body) for body in self._answers("opinion", scan_sha256))

    def assign(self, scans: Iterable[str], to: str, *, reader: str) -> tuple[Assignment, ...]:
        """Has a reader read the scans, by their sha256, beside whoever they are assigned to already; all or none.

        A case's revision does not rise with it, so that whoever draws meanwhile meets no conflict.

        Returns:
            The new assignments; a scan that is theirs already gets none.

        Raises:
            NotSaved: the database did not take it.
            UnusableRecord: a name or a scan that is none.
        """
        reader, to = checked_reader(reader), checked_reader(to)
        with self.database.writing() as connection:
            theirs = set(connection.scalars(select(ASSIGNMENTS.c.scan_sha256).where(ASSIGNMENTS.c.assignee == to)))
            made = []
            for scan in dict.fromkeys(scans):
                if scan not in theirs:
                    made.append(Assignment(new_id(), scan, to, reader, now()))
                    self._write_assignment(connection, made[-1], reader, "assigned")
            return tuple(made)

    def unassign(self, scans: Iterable[str], to: str | None, *, reader: str) -> tuple[Assignment, ...]:
        """Takes the scans from a reader, or from everybody; all or none. Returns the assignments that ended.

        Raises:
            NotSaved: the database did not take it.
            UnusableRecord: a name that is none.
        """
        reader, wanted = checked_reader(reader), set(scans)
        with self.database.writing() as connection:
            ended = [
                one
                for one in _assignments(connection)
                if one.scan_sha256 in wanted and (to is None or one.assignee == to)
            ]
            for one in ended:
                self._write_assignment(connection, one, reader, "unassigned")
            return tuple(ended)

    def assignments(self) -> tuple[Assignment, ...]:
        """All that stand, those of one scan from the oldest on."""
        with self.database.reading() as connection:
            return tuple(_assignments(connection))

    def readers(self) -> tuple[str, ...]:
        """Every name that was given for a reader or assigned to, in the order of the alphabet."""
        with self.database.reading() as connection:
            names = {*connection.scalars(select(LOG.c.reader).distinct())}
            names |= {*connection.scalars(select(ASSIGNMENTS.c.assignee).distinct())}
            return tuple(sorted(names, key=str.casefold))

    def answered(self) -> frozenset[str]:
        """The scans of which there are readings or opinions."""
        with self.database.reading() as connection:
            return frozenset(connection.scalars(select(ANSWERS.c.scan_sha256).distinct()))

    def history(self, scan_sha256: str) -> tuple[log.Entry, ...]:
        """Who did what on a scan, from the oldest entry on."""
        with self.database.reading() as connection:
            return tuple(log.entries(connection, scan_sha256))

    def annotations_at(self, scan_sha256: str, revision: int) -> tuple[Annotation, ...]:
        """What was drawn on a scan at an earlier revision, from the log."""
        standing: dict[str, Annotation] = {}
        for entry in self.history(scan_sha256):
            if entry.revision > revision:
                break
            if entry.action == "removed":
                standing.pop(entry.subject, None)
            elif entry.action in ("added", "changed"):
                standing[entry.subject] = from_json(Annotation, entry.content())
        return tuple(standing.values())

    def verify(self, head: str | None = None) -> log.Verification:
        """See `engine.review.log.verify`."""
        with self.database.reading() as connection:
            return log.verify(connection, head)

    def _answers(self, kind: str, scan_sha256: str | None) -> list[dict]:
        rows = select(ANSWERS.c.body).where(ANSWERS.c.kind == kind).order_by(ANSWERS.c.number)
        if scan_sha256 is not None:
            rows = rows.where(ANSWERS.c.scan_sha256 == scan_sha256)
        with self.database.reading() as connection:
            return [json.loads(body) for body in connection.scalars(rows)]

    @staticmethod
    def _write_assignment(connection: Connection, one: Assignment, reader: str, action: str) -> None:
        entry = log.append(
            connection,
            reader=reader,
            action=action,
            scan_sha256=one.scan_sha256,
            subject=one.id,
            revision=read_case(connection, one.scan_sha256).revision,
            content=to_json(one),
        )
        if action == "assigned":
            row = {"id": one.id, "scan_sha256": one.scan_sha256, "assignee": one.assignee, "body": entry.body}
            connection.execute(insert(ASSIGNMENTS).values(row))
        else:
            connection.execute(delete(ASSIGNMENTS).where(ASSIGNMENTS.c.id == one.id))

    @staticmethod
    def _begun(connection: Connection, scan_sha256: str, base: int) -> Case:
        case = read_case(connection, scan_sha256)
        if case.revision != base:
            raise Conflict(case, base)
        return case


def _assignments(connection: Connection) -> list[Assignment]:
    bodies = connection.scalars(select(ASSIGNMENTS.c.body))
    return sorted((from_json(Assignment, json.loads(body)) for body in bodies), key=lambda one: (one.created, one.id))
