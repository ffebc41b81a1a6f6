"""Blind until read holds on every page, is asked of the server, and a reading after the model's answer says so."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from engine.review.agreement import pairs, seen_before
from engine.review.store import Store
from pages.components import agreement_picture, blind_reading, common, scan_list, shelf, worklist
from tests.pages.test_review import KEEP, button, named, said, settled
from tests.places import ROOT
from tests.review.test_records import reading
from tests.tiny_checkpoints import tiny


@pytest.fixture
def data(tmp_path, monkeypatch, inference_here):
    monkeypatch.setenv("OTHERWISE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("OTHERWISE_DATABASE", raising=False)
    tiny(tmp_path / "models" / "attri-net-one")
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path / "models"))
    return tmp_path / "data"


def app(page, blind):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    at.session_state["blind until read"] = blind
    return at.run().switch_page(page).run()


def kept(data):
    return Store(f"sqlite:///{data / 'review.sqlite'}")


def read_first(at):
    at.button_group(key="review mode").set_value("Read first").run()
    button(at, "The rest: absent").click().run()
    button(at, KEEP).click().run()
    return settled(at)


def explained(at):
    """The page once the model has answered."""
    for _ in range(60):
        if blind_reading_of_latest().seen:
            return at
        time.sleep(0.5)
        at.run()
    raise AssertionError(said(at))


def blind_reading_of_latest():
    return list(shelf.SHELVES._shelves.values())[-1]


@pytest.mark.parametrize("page", ["pages/explain.py", "pages/compare.py", "pages/similar.py"])
def test_the_page_of_an_unread_scan_shows_one_line_instead_of_results(page, data):
    at = settled(app(page, True))
    assert not at.exception and blind_reading.LINE in said(at)
    mine = blind_reading_of_latest()
    assert not mine.seen and not [one for one in at.get("bidi_component") if "viewer" in str(one.proto)]
    sha256 = next(iter(mine.entries.values())).sha256
    store = kept(data)
    store.keep([reading(scan_sha256=sha256, reader="Dr B")])
    assert blind_reading.LINE in said(at.run()), "another reader's reading is not this one's"
    at.session_state["reader"] = "Dr A"
    store.keep([reading(scan_sha256=sha256, reader="Dr A")])
    assert blind_reading.LINE not in said(at.run())
    at.session_state["reader"] = "Dr C"
    assert blind_reading.LINE in said(at.run())
    at.session_state["blind until read"] = False
    assert blind_reading.LINE not in said(at.run())


def test_review_keeps_the_models_findings_back_and_read_first_is_one_button_away(data):
    at = named(app("pages/review.py", True))
    assert blind_reading.LINE in said(at) and not [one for one in at.toggle if one.key == "show model"]
    at = app("pages/explain.py", True)
    button(at, "Read it first").click().run()
    assert at.session_state["review mode"] == "Read first" and not at.exception


def test_a_reading_after_the_models_answer_is_kept_with_that_and_counts_in_nothing(data):
    at = explained(app("pages/explain.py", False))
    at.switch_page("pages/review.py").run()
    named(at)
    at.button_group(key="review mode").set_value("Read first").run()
    assert any("You have seen a model's answer of this scan" in line for line in said(at))
    button(read_first(at), "Keep this as my final reading").click().run()
    readings = kept(data).readings()
    left_out = [one for one in readings if one.stage == "before"]
    assert left_out and all(one.saw_model for one in left_out)
    assert pairs(readings) == [] and 0 < len(seen_before(readings)) <= len(left_out)
    at.button_group(key="review mode").set_value("Agreement").run()
    assert agreement_picture.left_out_words(len(seen_before(readings))) in said(at)


def test_a_reading_before_any_answer_counts(data):
    at = read_first(named(app("pages/review.py", True)))
    button(at, "Keep this as my final reading").click().run()
    readings = kept(data).readings()
    assert not any(one.saw_model for one in readings) and pairs(readings) and seen_before(readings) == []


def test_the_lists_are_told_and_a_title_opens_read_first(data, monkeypatch):
    at = app("pages/worklist.py", True)
    mine = blind_reading_of_latest()
    (line,) = scan_list.described(mine)
    assert line["readBy"] == []
    state = {"blind until read": True, "scan": line["id"]}
    monkeypatch.setattr(worklist.st, "session_state", state)
    monkeypatch.setattr(shelf, "mine", lambda: mine)
    monkeypatch.setattr(worklist.open_scans, "turn_to", lambda identity: None)
    monkeypatch.setattr(worklist, "_sent", lambda name: [line["id"], "explain"])
    worklist._open()
    assert state["worklist opens"] == "pages/review.py" and state["review mode"] == "Read first"
    monkeypatch.setattr(worklist, "_sent", lambda name: False)
    worklist._blind()
    assert not blind_reading.on() and not mine.blind
    monkeypatch.setattr(worklist, "_sent", lambda name: [line["id"], "explain"])
    worklist._open()
    assert state["worklist opens"] == "pages/explain.py"
    monkeypatch.setattr(worklist, "_sent", lambda name: "yes")
    worklist._blind()
    assert not blind_reading.on(), "what is no yes or no is ignored"
    assert not at.exception and common.usable()
