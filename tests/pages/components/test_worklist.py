"""How far work on a scan has come, and the numbers that the list of scans is ordered by."""

import numpy as np
import pytest

from engine.review.store import Store
from engine.scan import Scan
from pages.components import scan_list
from pages.components.explaining import Explained
from pages.components.shelf import STEPS, Entry, OpenScan, Shelf, Told
from tests.review import test_records as records
from viewer import FindingView

CHANGE = np.zeros((4, 4), np.float32)


def view(name, probability, after=0.1, unsure=False):
    steps, probabilities = np.array([0, 1.0]), np.array([probability, after])
    return FindingView(
        name, probability, 0.4, "", "", CHANGE + 1, 1.0, "u", steps, probabilities, CHANGE + 1, unsure=unsure
    )


def entry(**more):
    made = Entry("scan 1", "Scan 1", wanted="me", **more)
    made.done.set()
    return made


def test_what_is_told_counts_sure_calls_and_finds_the_nearest_flip():
    views = view("A", 0.8, 0.2), view("B", 0.5, 0.3), view("C", 0.9, unsure=True), view("D", 0.2)
    told = Explained(views, (3.0, 2.0), True, None).told
    assert told.above == ("A", "B") and told.unlike == 1.5
    assert told.flip == pytest.approx(0.5)  # B falls from 0.5 to 0.4 half way


def test_without_counterfactual_or_detector_there_is_no_number():
    one = FindingView("A", 0.8, 0.4, "", "", CHANGE + 1, 1.0, "u")
    assert Explained((one,), None, False, None).told == Told(("A",), None, None)


def test_work_on_a_scan_goes_from_new_to_exported():
    scan = entry()
    found = [scan.step]
    scan.explained_by("me", False, Told(("A",), 0.3, 0.5))
    found.append(scan.step)
    for reviewed in ("draft", "read"):
        scan.reviewed = reviewed
        found.append(scan.step)
    scan.exported = True
    found.append(scan.step)
    for reviewed in ("submitted", "accepted", "returned"):  # said although it was exported
        scan.reviewed = reviewed
        found.append(scan.step)
    assert tuple(found) == STEPS


def test_the_state_is_that_of_the_case_and_read_is_what_was_kept_of_a_reading(monkeypatch):
    shelf, scan, store = Shelf(None), entry(exported=True), Store()
    scan.open(OpenScan("Scan 1", Scan.of(np.eye(32, dtype=np.float32), "radiograph")))
    shelf.add(scan)
    monkeypatch.setattr(scan_list.desk, "reviews", lambda: store)
    monkeypatch.setattr(scan_list.shelf, "mine", lambda: shelf)

    def state():
        scan_list.look_up_reviews()
        return scan.reviewed, scan_list.described(shelf)[0]["step"]

    assert state() == ("", "exported")
    case = store.save(scan.sha256, [records.annotation(scan_sha256=scan.sha256)], base=0, reader="A")
    assert state() == ("draft", "exported"), "one box is no reading"
    store.keep([records.reading(scan_sha256=scan.sha256)])
    assert state() == ("read", "exported")
    for to, note in (("submitted", ""), ("accepted", ""), ("returned", "the side is wrong")):
        case = store.move(scan.sha256, to, base=case.revision, reader="A" if to == "submitted" else "B", note=note)
        assert state() == (to, to) and scan_list.described(shelf)[0]["exported"]


def test_the_list_holds_numbers_of_the_checkpoint_on_show_and_none_of_what_is_held_back():
    shelf, scan = Shelf(None), entry()
    shelf.add(scan)
    scan.explained_by("another", False, Told(("A", "B"), 0.1, 0.2))
    assert scan_list.described(shelf)[0]["above"] is None
    scan.explained_by("me", False, Told(("A",), 0.3, 0.5))
    scan.disagreement = 0.7
    (line,) = scan_list.described(shelf)
    assert (line["above"], line["flip"], line["unlike"], line["disagreement"]) == (1, 0.3, 0.5, 0.7)
    scan.explained_by("me", True, Told(("A",), 0.3, 2.5))
    (line,) = scan_list.described(shelf)
    assert line["state"] == "held back" and (line["above"], line["flip"], line["unlike"]) == (None, None, 2.5)
