"""The guided tour: every stop shows its scan with its checkpoint, without typing, and leaves the app as it was."""

import tomllib

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from engine.review.records import Annotation, new_id, now
from engine.review.store import Store
from pages.components import open_scans, tour
from tests.places import ROOT
from tests.test_app import elements, on_show, settled, shown, texts
from tests.tiny_checkpoints import tiny


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    tiny(tmp_path / "attri-net-phantom")
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path))
    return tmp_path


def visit(tour_at=None):
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    if tour_at is not None:
        at.query_params["tour"] = tour_at
    return settled(at)


def buttons(at):
    return {button.label: button for button in at.button if button.key and button.key.startswith("tour")}


def test_every_stop_names_a_scan_that_there_is_and_a_shipped_checkpoint():
    for step in tour.STEPS:
        assert (ROOT / step.page).is_file() and (ROOT / "checkpoints" / step.checkpoint).is_dir()
        if step.scan:
            assert open_scans.drawn(step.scan).name == step.scan
        assert len(step.words) <= 220
    real = [step for step in tour.STEPS if step.scan == ""]
    assert real and any(step.scan == open_scans.IMPLANTED for step in tour.STEPS)


def test_the_truth_of_the_implanted_film_is_the_film_itself():
    opened, film = open_scans.implanted_film(), open_scans.sample()
    change = open_scans.true_change(opened, "Effusion")
    assert abs(opened.scan.pixels + change - film.scan.pixels).max() == 0 and (change != 0).mean() > 0.01
    assert not open_scans.true_change(opened, "Pneumonia").any()


def test_the_sides_that_are_named_are_those_of_the_truth():
    assert "patient's right base, on the left of the picture" in tour.STEPS[0].words
    change = np.abs(open_scans.true_change(open_scans.drawn(tour.STEPS[0].scan), "Effusion"))
    assert change[:, : change.shape[1] // 2].sum() > 0.99 * change.sum(), "a frontal film shows the right on the left"
    assert "effusion" not in str(open_scans.drawn(tour.STEPS[3].scan).truth).lower()
    tools = (ROOT / "viewer" / "modules" / "tools.js").read_text(encoding="utf-8")
    assert 'id: "truth",\n    key: "g"' in tools and all("press g" in step.words.lower() for step in tour.STEPS[:4])


def test_on_the_tour_nothing_that_readers_drew_lies_over_the_scan(checkpoints, tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("OTHERWISE_DATABASE", raising=False)
    sha256 = open_scans.drawn("Phantom patient 7").scan.sha256
    box = {"id": new_id(), "kind": "box", "points": ((10, 10), (90, 90)), "slice": None, "axis": 0}
    mark = Annotation(**box, scan_sha256=sha256, label="of another reader", comment="", reader="X", created=now())
    (tmp_path / "data").mkdir()
    store = Store(f"sqlite:///{tmp_path / 'data' / 'review.sqlite'}")
    store.save(sha256, [mark], base=0, reader="X")
    store.close()
    at = visit("1")
    assert on_show(at) == "Phantom patient 7"
    assert not [one for one in elements(at._tree) if "of another reader" in one]
    buttons(at)["End"].click()
    settled(at)
    assert [one for one in elements(at._tree) if "of another reader" in one]


def test_stops_whose_checkpoint_is_not_at_hand_are_left_out(checkpoints):
    at = visit("1")
    assert not at.exception and any(text.startswith("1 of 3. ") for text in texts(at))
    assert on_show(at) == "Phantom patient 7" and buttons(at)["Back"].disabled


def test_next_and_back_lead_through_it_and_the_end_leaves_the_scan_on_show(checkpoints):
    at = visit("1")
    buttons(at)["Next"].click()
    settled(at)
    assert on_show(at) == "Phantom patient 2" and at.query_params["tour"] == "2"
    buttons(at)["Back"].click()
    settled(at)
    assert on_show(at) == "Phantom patient 7" and shown(at)["findings"]
    buttons(at)["End"].click()
    settled(at)
    assert not at.exception and "tour" not in at.query_params and not buttons(at)
    assert on_show(at) == "Phantom patient 7"


def test_what_the_reader_does_at_a_stop_stands(checkpoints):
    at = visit("1")
    at.session_state["scan"] = next(iter(open_scan for open_scan in _entries(at) if open_scan != at.session_state.scan))
    settled(at)
    assert on_show(at) != "Phantom patient 7" and any(text.startswith("1 of 3. ") for text in texts(at))


def _entries(at):
    from pages.components import shelf

    return list(shelf.SHELVES.of(None, at.session_state.session).entries)


@pytest.mark.parametrize(("asked", "place"), [("0", "1 of"), ("99", "3 of"), ("x", "1 of")])
def test_a_stop_that_is_none_is_the_nearest_one(checkpoints, asked, place):
    assert any(text.startswith(place) for text in texts(visit(asked)))


def test_streamlits_own_list_of_scripts_is_off():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["client"]["showSidebarNavigation"] is False


def test_without_the_parameter_there_is_no_tour(checkpoints):
    assert not buttons(visit())
