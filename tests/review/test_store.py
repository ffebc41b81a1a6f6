"""What was acknowledged is kept, nobody's work is overwritten, and who did what can be proved: on both databases."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from engine.review.cases import Conflict, Locked, merged
from engine.review.database import NotSaved
from engine.review.measurements import ScanFacts
from engine.review.records import UnusableRecord, new_id
from tests.places import ROOT
from tests.review.test_records import annotation, opinion, reading

SCAN, OTHER = "ab" * 32, "12" * 32
FACTS = ScanFacts((40, 60), "mammogram", (0.1, 0.1), "detector")


def kept(case):
    return [(one.id, one.revision, one.label, one.state) for one in case.annotations]


def test_a_case_comes_back_as_it_was_saved(store, open_store, url):
    assert store.case(SCAN).revision == 0 and store.case(SCAN).state == "draft"
    drawn = [annotation(kind) for kind in ("box", "brush", "polygon", "angle")]
    case = store.save(SCAN, drawn, base=0, reader="A", facts=FACTS)
    assert case.annotations == tuple(drawn) and case.revision == 1 and case.facts == FACTS
    assert open_store(url).case(SCAN) == case == store.case(SCAN)
    assert [known.scan_sha256 for known in store.cases()] == [SCAN]


def test_only_what_changed_gets_a_new_revision_and_an_entry(store):
    one, two, three = annotation(label="1"), annotation(label="2"), annotation(label="3")
    store.save(SCAN, [one, two], base=0, reader="A")
    case = store.save(SCAN, [replace(one, label="1b", reader="B"), three], base=1, reader="B")
    assert kept(case) == [(one.id, 2, "1b", "draft"), (three.id, 1, "3", "draft")]
    assert case.annotations[0].reader == one.reader, "who drew it first stays"
    assert [(entry.action, entry.reader, entry.subject) for entry in store.history(SCAN)] == [
        ("added", "A", one.id),
        ("added", "A", two.id),
        ("removed", "B", two.id),
        ("changed", "B", one.id),
        ("added", "B", three.id),
    ]
    assert store.save(SCAN, case.annotations, base=2, reader="B").revision == 2, "a save that changes nothing is none"
    assert len(store.history(SCAN)) == 5 and not store.history(OTHER)


def test_what_stood_at_an_earlier_revision_is_known_from_the_log(store):
    one, two = annotation(label="1"), annotation(label="2")
    store.save(SCAN, [one, two], base=0, reader="A")
    store.save(SCAN, [replace(one, label="1b")], base=1, reader="B")
    store.move(SCAN, "submitted", base=2, reader="B")
    assert store.annotations_at(SCAN, 1) == (one, two) and store.annotations_at(SCAN, 0) == ()
    assert [kept.label for kept in store.annotations_at(SCAN, 3)] == ["1b"]


def test_a_second_reviewer_gets_a_conflict_and_nobodys_edit_is_lost(store, open_store, url):
    other = open_store(url)
    one = annotation(label="both began from this")
    base = store.save(SCAN, [one], base=0, reader="A")
    theirs = store.save(SCAN, [replace(one, label="A's"), annotation(label="A's own")], base=1, reader="A")
    mine = [replace(one, label="B's"), annotation(label="B's own")]
    with pytest.raises(Conflict, match="A has saved this case") as conflict:
        other.save(SCAN, mine, base=1, reader="B")
    assert conflict.value.current == theirs == other.case(SCAN)
    both = merged(mine, base.annotations, theirs.annotations)
    case = other.save(SCAN, both, base=theirs.revision, reader="B")
    assert sorted(drawn.label for drawn in case.annotations) == ["A's", "A's own", "B's", "B's own"]
    with pytest.raises(Conflict):
        store.move(SCAN, "submitted", base=2, reader="A")


@pytest.mark.parametrize("shared", [False, True], ids=["a store each", "one store"])
def test_two_writers_at_once_lose_nothing_and_number_without_gaps(shared, store, open_store, url):
    """Each reads, adds one and saves, again when the other was faster."""
    done = []

    def draw(name):
        mine = store if shared else open_store(url)
        for _ in range(12):
            new = annotation(label=name)
            while True:
                case = mine.case(SCAN)
                try:
                    mine.save(SCAN, [*case.annotations, new], base=case.revision, reader=name)
                    break
                except Conflict:
                    continue
            done.append(new.id)

    readers = [threading.Thread(target=draw, args=(name,)) for name in "AB"]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(120)
    case = store.case(SCAN)
    assert len(done) == 24 and {one.id for one in case.annotations} == set(done) and case.revision == 24
    assert [entry.number for entry in store.history(SCAN)] == list(range(1, 25))
    assert store.verify().faults == ()


def test_a_case_goes_through_its_states_and_is_drawn_on_only_as_a_draft_or_returned(store):
    one = annotation()
    store.save(SCAN, [one], base=0, reader="A")
    case = store.move(SCAN, "submitted", base=1, reader="A")
    assert (case.state, case.revision, case.annotations[0].state) == ("submitted", 2, "submitted") and case.locked
    with pytest.raises(Locked, match="submitted"):
        store.save(SCAN, [], base=2, reader="B")
    with pytest.raises(UnusableRecord, match="why"):
        store.move(SCAN, "returned", base=2, reader="B")
    case = store.move(SCAN, "returned", base=2, reader="B", note="The other breast.")
    assert case.note == "The other breast." and case.changed_by == "B" and not case.locked
    store.save(SCAN, [replace(one, label="left")], base=3, reader="A")
    store.move(SCAN, "submitted", base=4, reader="A")
    case = store.move(SCAN, "accepted", base=5, reader="B")
    assert case.state == "accepted" and case.locked
    for wrong in ("submitted", "draft", "lost"):
        with pytest.raises(UnusableRecord, match="can be returned"):
            store.move(SCAN, wrong, base=6, reader="B")
    assert [entry.action for entry in store.history(SCAN)] == [
        "added",
        "submitted",
        "returned",
        "changed",
        "submitted",
        "accepted",
    ]
    assert store.verify().faults == ()


def test_who_submitted_a_case_neither_accepts_nor_returns_it(store):
    store.move(SCAN, "submitted", base=0, reader="A")
    for name in ("A", " A ", "a"):
        for state in ("accepted", "returned"):
            with pytest.raises(UnusableRecord, match=r"^A submitted this case, so another reader must .*\.$"):
                store.move(SCAN, state, base=1, reader=name, note="mine")
    store.move(SCAN, "accepted", base=1, reader="B")
    with pytest.raises(UnusableRecord, match="another reader"):
        store.move(SCAN, "returned", base=2, reader="A", note="mine")
    store.move(SCAN, "returned", base=2, reader="B", note="again")
    store.move(SCAN, "submitted", base=3, reader="B")
    assert store.move(SCAN, "accepted", base=4, reader="A").state == "accepted", "it is who submitted it last"
    assert [entry.action for entry in store.history(SCAN)].count("accepted") == 2 and store.verify().faults == ()


def test_a_case_without_a_drawing_can_be_submitted(store):
    assert store.move(SCAN, "submitted", base=0, reader="A").revision == 1


def test_readings_and_opinions_are_kept_all_or_none_and_once(store):
    answers = [reading(), reading(stage="after", aids=("pictures",)), opinion(agrees=False, reason="A rib.")]
    store.keep(answers)
    store.keep(answers)  # the same again: its acknowledgement was lost
    assert store.readings(SCAN) == tuple(answers[:2]) and store.opinions() == (answers[2],)
    assert store.read_by() == {SCAN: (answers[0].reader,)}
    assert store.readings(OTHER) == () and len(store.history(SCAN)) == 3
    with pytest.raises(UnusableRecord):
        store.keep([reading(), replace(answers[0], confidence=0.1)])
    assert len(store.readings()) == 2 and store.verify().faults == ()


def test_what_does_not_fit_is_refused_and_nothing_is_kept(store):
    one = annotation()
    store.save(SCAN, [one], base=0, reader="A", facts=FACTS)
    for scan, wrong, base in [
        (SCAN, [annotation(), replace(annotation(), scan_sha256=OTHER)], 1),
        (SCAN, [one, one], 1),
        (SCAN, [annotation(points=((0, 0), (41, 3)))], 1),
        (OTHER, [replace(one, scan_sha256=OTHER)], 0),
    ]:
        with pytest.raises(UnusableRecord):
            store.save(scan, wrong, base=base, reader="A", facts=FACTS)
    with pytest.raises(UnusableRecord):
        store.save(SCAN, [], base=1, reader=" ")
    assert store.case(SCAN).revision == 1 and store.case(OTHER).revision == 0 and len(store.history(SCAN)) == 1


def test_the_log_refuses_to_be_changed_or_shortened(store):
    store.save(SCAN, [annotation()], base=0, reader="A")
    for statement in ("UPDATE audit_log SET reader = 'B'", "DELETE FROM audit_log"):
        with pytest.raises(DBAPIError, match="append-only"), store.database._begin("write") as connection:
            connection.execute(text(statement))
    assert store.verify().faults == ()


TRICKS = {  # what somebody with the database's own tools may do: (statement, what is found)
    "another name in an entry": ("UPDATE audit_log SET reader = 'X' WHERE number = 2", "Entry 2 is not what"),
    "an entry less": ("DELETE FROM audit_log WHERE number = 2", "Between entries 1 and 3"),
    "the last entry less": ("DELETE FROM audit_log WHERE number = 4", "case abababababab is not what"),
    "a drawing changed": ("UPDATE annotations SET body = '{}'", "is not what the log says"),
    "a drawing removed": ("DELETE FROM annotations", "stands in the log and not in its table"),
    "a state changed": ("UPDATE cases SET state = 'accepted'", "is not what the log says"),
    "a reading changed": ("UPDATE answers SET body = '{}'", "is not what the log says"),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_whoever_changes_the_database_by_hand_is_found_out(trick, store):
    one = annotation()
    store.save(SCAN, [one], base=0, reader="A")
    store.save(SCAN, [one, annotation()], base=1, reader="B")
    store.keep([reading()])
    store.move(SCAN, "submitted", base=2, reader="A")
    before = store.verify()
    assert before.faults == () and before.entries == 4
    statement, found = TRICKS[trick]
    with store.database._begin("write") as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER ALL"))
        else:
            for name in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER audit_log_no_{name}"))
        connection.execute(text(statement))
    assert any(found in fault for fault in store.verify().faults), store.verify().faults
    if "entry less" in trick or "name" in trick:
        assert store.verify(head=before.head).faults


def test_a_log_cut_back_with_its_tables_is_found_out_by_a_noted_head(store):
    store.keep([reading()])
    early = store.verify().head
    store.keep([reading()])
    late = store.verify().head
    with store.database._begin("write") as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER ALL"))
        else:
            connection.execute(text("DROP TRIGGER audit_log_no_delete"))
        connection.execute(text("DELETE FROM audit_log WHERE number = 2"))
        connection.execute(text("DELETE FROM answers WHERE number = 2"))
    assert store.verify().faults == () and store.verify(head=early).faults == ()
    assert "cut off" in store.verify(head=late).faults[0]


SAVER = """
import sys
from dataclasses import replace
from engine.review.store import Store
from tests.review.test_records import annotation

store = Store(sys.argv[1])
case = store.case("ab" * 32)
while True:
    new = annotation(label=sys.argv[2])
    case = store.save("ab" * 32, [*case.annotations[-20:], new], base=case.revision, reader="A")
    print(new.id, case.revision, flush=True)
"""


@pytest.mark.parametrize("attempt", range(2))
def test_a_save_that_was_acknowledged_survives_the_kill_of_its_process(attempt, url, open_store):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    saver = subprocess.Popen(
        [sys.executable, "-c", SAVER, url, "x"], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )
    lines = [saver.stdout.readline()]
    killer = threading.Timer(random.Random(attempt).uniform(0.1, 0.6), saver.send_signal, [signal.SIGKILL])
    killer.start()
    lines += saver.stdout.readlines()
    saver.wait(20)
    acknowledged = [line.split() for line in lines if line.endswith("\n")]
    assert saver.returncode == -signal.SIGKILL and len(acknowledged) >= 2
    store = open_store(url)
    case = store.case(SCAN)
    saved = {entry.subject: entry.revision for entry in store.history(SCAN) if entry.action == "added"}
    assert all(saved[identity] == int(revision) for identity, revision in acknowledged)
    assert case.revision - int(acknowledged[-1][1]) in (0, 1), "at most the save whose acknowledgement was under way"
    assert acknowledged[-1][0] in {one.id for one in case.annotations[-2:]}
    assert store.verify().faults == ()
    store.save(SCAN, case.annotations[:1], base=case.revision, reader="B")


def test_a_save_that_was_acknowledged_survives_the_crash_of_the_server(postgresql, open_store):
    store = open_store(postgresql.database())
    case = store.save(SCAN, [annotation()], base=0, reader="A")
    postgresql.stop("immediate")  # its processes are killed where they stand
    with pytest.raises(NotSaved, match="^Nothing was saved: it is out of reach"):
        store.save(SCAN, [], base=1, reader="A")
    postgresql.start()
    assert store.case(SCAN) == case and store.verify().faults == ()
    assert store.save(SCAN, [], base=1, reader="A").revision == 2


@pytest.fixture
def tiny_disk(tmp_path):
    """A folder on a file system of 400 kB; where none can be mounted, one whose files may not grow further."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(folder)], capture_output=True
    ).returncode
    if mounted != 0:
        pytest.skip("A tiny file system can be mounted by root only.")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    """Leaves no byte free."""
    with open(folder / "filler", "wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


def check_full(store, make_room):
    """Saves until the disk refuses; then all that was acknowledged is there, nothing else, and the next save works."""
    case = store.save(SCAN, [annotation(label="first")], base=0, reader="A")
    with pytest.raises(NotSaved, match="^Nothing was saved: the disk is full\\.$"):
        for _ in range(400):
            drawn = [*case.annotations, annotation(comment="x" * 3000)]
            case = store.save(SCAN, drawn, base=case.revision, reader="A")
    assert store.case(SCAN) == case and store.verify().faults == ()
    make_room()
    after = store.save(SCAN, [*case.annotations, annotation()], base=case.revision, reader="A")
    assert after.revision == case.revision + 1 and store.verify().faults == ()


def test_on_a_full_disk_nothing_acknowledged_is_lost_and_the_save_says_so(tiny_disk, open_store):
    store = open_store(f"sqlite:///{tiny_disk / 'review.sqlite'}")
    filler = tiny_disk / "room"
    filler.write_bytes(b"x" * 60_000)
    check_full(store, filler.unlink)
    fill(tiny_disk)
    case = store.case(SCAN)
    with pytest.raises(NotSaved, match="the disk is full"):
        for _ in range(50):
            case = store.save(SCAN, [*case.annotations, annotation(comment="x" * 3000)], base=case.revision, reader="A")
    assert store.case(SCAN) == case and store.verify().faults == ()


def test_a_database_that_may_not_grow_refuses_in_one_sentence(tmp_path, open_store):
    from sqlalchemy import event

    store = open_store(f"sqlite:///{tmp_path / 'review.sqlite'}")
    pages = [40]

    @event.listens_for(store.database.engine, "begin")
    def limit(connection):
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages[0]}")

    check_full(store, lambda: pages.__setitem__(0, 4000))


def test_nothing_in_the_database_names_a_file_or_a_patient(store, url):
    """The columns are those that are known to hold none; a new one must be looked at here."""
    from engine.review.tables import METADATA

    assert {table.name: sorted(column.name for column in table.columns) for table in METADATA.sorted_tables} == {
        "assignments": ["assignee", "body", "id", "scan_sha256"],
        "answers": ["body", "id", "kind", "number", "reader", "scan_sha256"],
        "audit_log": sorted("number at reader action scan_sha256 subject revision body previous hash".split()),
        "cases": sorted("scan_sha256 revision state note changed changed_by facts".split()),
        "annotations": ["body", "id", "place", "scan_sha256"],
    }
    store.save(SCAN, [annotation()], base=0, reader="A", facts=FACTS)
    assert set(json.loads(store.history(SCAN)[0].body)) == {
        *("id", "scan_sha256", "kind", "points", "runs", "slice", "axis", "label", "comment", "reader"),
        *("created", "revision", "state"),
    }


def test_a_save_of_a_hundred_annotations_is_quick(store):
    drawn = [annotation("freehand", points=[(i, j % 7) for i in range(100)]) for j in range(100)]
    began = time.perf_counter()
    case = store.save(SCAN, drawn, base=0, reader="A")
    store.save(SCAN, [replace(case.annotations[0], label=new_id()), *case.annotations[1:]], base=1, reader="A")
    assert time.perf_counter() - began < 5
