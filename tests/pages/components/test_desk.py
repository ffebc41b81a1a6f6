"""Nothing that the browser drew is lost: another saves meanwhile, the disk is full, the server starts again."""

from dataclasses import replace

import pytest

from engine.review.database import NotSaved
from engine.review.measurements import ScanFacts
from engine.review.records import to_json
from engine.review.store import Store
from pages.components.desk import Desk
from tests.review.test_records import annotation
from viewer.blob import BadState
from viewer.marks import FIELDS, Drawn, checked_drawn

SCAN = "ab" * 32
FACTS = ScanFacts((40, 60), "mammogram", (0.1, 0.1), "detector")


@pytest.fixture
def kept(tmp_path):
    opened = Store(f"sqlite:///{tmp_path / 'review.sqlite'}")
    yield opened
    opened.close()


def at(store):
    return Desk(store, store.case(SCAN), FACTS)


def sent(desk, *marks, number=None, loaded=None, base=None):
    """What the browser sends after a change: everything that is drawn."""
    raw = {
        "picture": SCAN,
        "loaded": desk.loaded if loaded is None else loaded,
        "base": desk.case.revision if base is None else base,
        "number": desk.seen + 1 if number is None else number,
        "marks": [{name: to_json(mark)[name] for name in FIELDS} for mark in marks],
    }
    return checked_drawn(raw)


def labels(store):
    return sorted(one.label for one in store.case(SCAN).annotations)


def test_what_is_drawn_is_saved_once_and_under_the_readers_name(kept):
    desk, mark = at(kept), annotation(label="new")
    message = sent(desk, mark)
    desk.receive(message, "A")
    desk.receive(message, "A")  # the page ran again
    case = kept.case(SCAN)
    assert case.revision == 1 and case.annotations[0].reader == "A" and case.facts == FACTS
    assert desk.acked == message.number and desk.saved.startswith("Saved, ") and not desk.trouble
    desk.receive(sent(desk, replace(mark, label="mine now")), "B")
    assert kept.case(SCAN).annotations[0].reader == "A" and kept.case(SCAN).changed_by == "B"


def test_a_second_reader_sees_a_conflict_and_both_drawings_can_be_kept(kept):
    first, second = at(kept), at(kept)
    first.receive(sent(first, annotation(label="A's")), "A")
    second.receive(sent(second, annotation(label="B's")), "B")
    assert "A has saved this case meanwhile" in second.trouble and second.acked == 0
    assert labels(kept) == ["A's"] and [one.label for one in second.drawn] == ["B's"]
    before = second.loaded
    second.receive(sent(second, *second.drawn, annotation(label="B's second")), "B")  # he goes on drawing
    second.keep_both("B")
    assert labels(kept) == ["A's", "B's", "B's second"] and not second.trouble and second.loaded > before
    assert second.acked == second.seen and second.pending is None
    first.look()
    assert len(first.drawn) == 3


def test_theirs_can_be_taken_instead(kept):
    first, second = at(kept), at(kept)
    first.receive(sent(first, annotation(label="A's")), "A")
    second.receive(sent(second, annotation(label="B's")), "B")
    second.take_theirs()
    assert [one.label for one in second.drawn] == ["A's"] == labels(kept) and not second.trouble


def test_on_a_full_disk_the_drawing_stays_and_is_saved_when_there_is_room(kept, monkeypatch):
    desk = at(kept)
    with monkeypatch.context() as full:
        full.setattr(
            kept, "save", lambda *a, **k: (_ for _ in ()).throw(NotSaved("Nothing was saved: the disk is full."))
        )
        desk.receive(sent(desk, annotation(label="kept")), "A")
        assert "the disk is full" in desk.trouble and desk.acked == 0
        desk.look()
        assert [one.label for one in desk.drawn] == ["kept"]
    desk.save_again("A")
    assert labels(kept) == ["kept"] and not desk.trouble and desk.acked == desk.seen


def test_a_browser_that_outlived_the_server_saves_what_it_had(kept):
    before = at(kept)
    one, two = annotation(label="1"), annotation(label="2")
    before.receive(sent(before, one), "A")
    after = at(kept)  # another process, which knows nothing of that browser
    after.receive(sent(after, one, two, number=before.seen + 1, loaded=before.loaded, base=1), "A")
    assert labels(kept) == ["1", "2"]
    other = annotation(label="another's")
    kept.save(SCAN, [*kept.case(SCAN).annotations, other], base=2, reader="B")
    late = at(kept)
    three = annotation(label="3")
    late.receive(sent(late, one, two, three, number=9, loaded=before.loaded, base=2), "A")
    assert labels(kept) == ["1", "2", "3", "another's"]


def test_a_case_that_was_submitted_meanwhile_takes_no_drawing_and_loses_none(kept):
    desk = at(kept)
    kept.move(SCAN, "submitted", base=0, reader="B")
    desk.receive(sent(desk, annotation(label="late")), "A")
    assert desk.trouble and [one.label for one in desk.drawn] == ["late"]
    kept.move(SCAN, "returned", base=1, reader="C", note="again")
    desk.theirs = kept.case(SCAN)
    desk.keep_both("A")
    assert labels(kept) == ["late"]


def test_a_state_is_given_to_what_was_seen_and_not_to_what_came_since(kept):
    first, second = at(kept), at(kept)
    first.receive(sent(first, annotation()), "A")
    assert "meanwhile" in second.move("submitted", "B") and kept.case(SCAN).state == "draft"
    assert second.refused.startswith("Not submitted: A has saved this case at")
    assert second.move("submitted", "B") == second.refused == "" and kept.case(SCAN).state == "submitted"
    assert "why" in second.move("returned", "A") and second.move("returned", "A", "not yet") == ""


def test_a_decision_on_an_earlier_revision_than_the_one_on_show_is_refused(kept):
    desk = at(kept)
    kept.move(SCAN, "submitted", base=0, reader="A")
    kept.move(SCAN, "returned", base=1, reader="C", note="again")
    kept.move(SCAN, "submitted", base=2, reader="A")
    desk.look()
    assert "A has saved" in desk.move("accepted", "B", base=1) and "meanwhile it is submitted" in desk.refused
    assert kept.case(SCAN).state == "submitted" and desk.move("accepted", "B") == ""


def test_what_no_browser_could_have_sent_is_not_taken(kept):
    desk = at(kept)
    good = {"picture": SCAN, "loaded": desk.loaded, "base": 0, "number": 1, "marks": []}
    for wrong in (
        None,
        {**good, "more": 1},
        {**good, "picture": "film.dcm"},
        {**good, "number": -1},
        {**good, "number": float("inf")},
        {**good, "number": True},
        {**good, "marks": "text"},
        {**good, "marks": [{"id": "1"}]},
        {**good, "marks": [{}] * 2001},
    ):
        with pytest.raises(BadState):
            checked_drawn(wrong)
    mark = {name: to_json(annotation())[name] for name in FIELDS}
    for wrong in (
        {"points": 3},
        {"points": [[1, 2], [300, 4]]},
        {"id": 7},
        {"kind": "x"},
        {"runs": [[1]]},
        {"label": 3},
    ):
        desk.receive(Drawn(SCAN, desk.loaded, 0, desk.seen + 1, ({**mark, **wrong},)), "A")
        assert desk.trouble.startswith("Not saved: ") and kept.case(SCAN).revision == 0
    desk.receive(Drawn("cd" * 32, desk.loaded, 0, 99, ()), "A")
    assert desk.seen < 99


def test_what_is_drawn_before_a_name_is_given_is_kept_under_it_later(kept):
    desk = at(kept)
    desk.receive(sent(desk, annotation(label="early")), "")
    assert "give your name" in desk.trouble and not kept.cases() and len(desk.drawn) == 1
    desk.named("Dr A")
    (one,) = kept.case(SCAN).annotations
    assert (one.label, one.reader) == ("early", "Dr A") and not desk.trouble and desk.acked == desk.seen
