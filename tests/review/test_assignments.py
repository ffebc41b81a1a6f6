"""Who is to read which scan: kept with the audit log, by two writers at once, after a kill, on a full disk."""

import os
import random
import signal
import subprocess
import sys
import threading

import pytest
from sqlalchemy import text

from engine.review.database import NotSaved
from engine.review.records import Assignment, UnusableRecord, from_json, new_id, now, to_json
from tests.places import ROOT
from tests.review.test_records import annotation
from tests.review.test_store import fill, tiny_disk  # noqa: F401

SCANS = tuple(f"{number:064x}" for number in range(1, 41))


def standing(store):
    return sorted((one.scan_sha256, one.assignee) for one in store.assignments())


def test_scans_are_assigned_once_each_to_any_number_of_readers_and_taken_back(store, open_store, url):
    made = store.assign([*SCANS[:3], SCANS[0]], " Dr  B ", reader="Dr A")
    assert [(one.scan_sha256, one.assignee, one.reader) for one in made] == [(s, "Dr B", "Dr A") for s in SCANS[:3]]
    assert store.assign(SCANS[:4], "Dr B", reader="Dr C")[0].scan_sha256 == SCANS[3]  # the others are theirs already
    store.assign(SCANS[:1], "Dr A", reader="Dr A")
    assert standing(open_store(url)) == [
        (SCANS[0], "Dr A"),
        *((scan, "Dr B") for scan in SCANS[:4]),
    ]
    ended = store.unassign(SCANS[:2], "Dr B", reader="Dr A")
    assert {one.scan_sha256 for one in ended} == set(SCANS[:2])
    assert store.unassign(SCANS[:2], "Dr B", reader="Dr A") == ()
    assert len(store.unassign(SCANS[:1], None, reader="Dr A")) == 1, "from everybody"
    assert standing(store) == [(SCANS[2], "Dr B"), (SCANS[3], "Dr B")]
    actions = [(entry.action, entry.reader, entry.content()["assignee"]) for entry in store.history(SCANS[0])]
    assert actions == [
        ("assigned", "Dr A", "Dr B"),
        ("assigned", "Dr A", "Dr A"),
        ("unassigned", "Dr A", "Dr B"),
        ("unassigned", "Dr A", "Dr A"),
    ]
    assert store.readers() == ("Dr A", "Dr B", "Dr C") and store.verify().faults == ()


def test_an_assignment_raises_no_revision_so_that_whoever_draws_meets_no_conflict(store):
    case = store.save(SCANS[0], [annotation(scan_sha256=SCANS[0])], base=0, reader="A")
    store.assign(SCANS[:2], "B", reader="A")
    assert store.case(SCANS[0]) == case and store.case(SCANS[1]).revision == 0 and len(store.cases()) == 1
    assert store.save(SCANS[0], [], base=1, reader="A").revision == 2 and store.verify().faults == ()
    assert store.answered() == frozenset()


@pytest.mark.parametrize("to", ["", " ", "a\nb\x00", "x" * 81])
def test_a_name_that_is_none_assigns_nothing(to, store):
    for assign in (
        lambda: store.assign(SCANS[:1], to, reader="A"),
        lambda: store.assign(SCANS[:1], "B", reader=to),
        lambda: store.unassign(SCANS[:1], "B", reader=to),
    ):
        with pytest.raises(UnusableRecord):
            assign()
    with pytest.raises(UnusableRecord):
        store.assign([SCANS[0], "no scan"], "B", reader="A")
    assert store.assignments() == () and store.verify().entries == 0, "all or none"


def test_a_record_comes_back_from_its_json():
    one = Assignment(new_id(), SCANS[0], "B", "A", now())
    assert from_json(Assignment, to_json(one)) == one
    with pytest.raises(UnusableRecord):
        from_json(Assignment, {**to_json(one), "patient": "x"})


TRICKS = {
    "another reader": "UPDATE assignments SET body = replace(body, 'Dr B', 'Dr X')",
    "one less": "DELETE FROM assignments",
    "one more": "INSERT INTO assignments (id, scan_sha256, assignee, body) VALUES ('x', 'y', 'z', '{}')",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_whoever_changes_an_assignment_by_hand_is_found_out(trick, store):
    store.assign(SCANS[:1], "Dr B", reader="Dr A")
    with store.database.writing() as connection:
        connection.execute(text(TRICKS[trick]))
    assert any("The assignment" in fault for fault in store.verify().faults)


def test_two_writers_at_once_assign_each_scan_once_and_break_no_chain(store, open_store, url):
    made = []

    def assign(name):
        mine = open_store(url)
        for start in range(0, 40, 4):
            made.extend(mine.assign(SCANS[start : start + 4], "Dr B", reader=name))
            mine.unassign(SCANS[start : start + 1], "Dr B", reader=name)

    writers = [threading.Thread(target=assign, args=(name,)) for name in ("Dr A", "Dr C")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert {scan for scan, _ in standing(store)} >= {s for n, s in enumerate(SCANS) if n % 4}
    assert len(standing(store)) == len(set(standing(store))) and store.verify().faults == ()
    ended = sum(entry.action == "unassigned" for scan in SCANS for entry in store.history(scan))
    assert len(made) == len(standing(store)) + ended


ASSIGNER = """
import sys
from engine.review.store import Store

store = Store(sys.argv[1])
number = 0
while True:
    number += 1
    scan = f"{number:064x}"
    store.assign([scan], "Dr B", reader="Dr A")
    print(scan, flush=True)
"""


def test_an_assignment_that_was_acknowledged_survives_the_kill_of_its_process(url, open_store):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writer = subprocess.Popen(
        [sys.executable, "-c", ASSIGNER, url], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )
    lines = [writer.stdout.readline()]
    killer = threading.Timer(random.Random(3).uniform(0.1, 0.6), writer.send_signal, [signal.SIGKILL])
    killer.start()
    lines += writer.stdout.readlines()
    writer.wait(20)
    acknowledged = {line.strip() for line in lines if line.endswith("\n")}
    store = open_store(url)
    kept = {one.scan_sha256 for one in store.assignments()}
    assert writer.returncode == -signal.SIGKILL and acknowledged and acknowledged <= kept
    assert len(kept - acknowledged) <= 1 and store.verify().faults == ()


def test_on_a_full_disk_the_assignment_says_so_and_all_before_it_stand(tiny_disk, open_store):  # noqa: F811
    store = open_store(f"sqlite:///{tiny_disk / 'review.sqlite'}")
    store.assign(SCANS[:1], "first", reader="A")
    fill(tiny_disk)
    done = [(SCANS[0], "first")]
    with pytest.raises(NotSaved, match="the disk is full"):
        for number in range(200):
            store.assign(SCANS, f"Dr {number}", reader="A")
            done += [(scan, f"Dr {number}") for scan in SCANS]
    assert standing(store) == sorted(done) and store.verify().faults == ()
    (tiny_disk / "filler").unlink()
    store.assign(SCANS[:2], "after", reader="A")
    assert store.verify().faults == ()
