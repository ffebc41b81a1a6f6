"""The Worklist page without a browser: scans are assigned, taken back, exported together, and explained ahead."""

import io
import json
import time
import zipfile

import pytest
from streamlit.testing.v1 import AppTest

from engine.review.store import Store
from pages.components import assigning, common, exporting_several, shelf, worklist
from server import downloads
from tests.places import ROOT
from tests.tiny_checkpoints import tiny


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("OTHERWISE_DATABASE", raising=False)
    return tmp_path / "data"


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CHECKPOINTS", str(tmp_path / "checkpoints"))
    tiny(tmp_path / "checkpoints" / "attri-net-one")
    tiny(tmp_path / "checkpoints" / "attri-net-phantom", seed=1)  # by that name a drawn patient is open from the start


def page():
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run().switch_page("pages/worklist.py").run()


def entries():
    return list(shelf.SHELVES._shelves.values())[-1].entries


def asking(at, act, *ids):
    at.session_state["worklist asks"] = (act, ids)
    return at.run()


def button(at, label):
    return next(one for one in at.button if one.label == label)


def said(at):
    return [text.value for text in at.text]


def kept(data):
    store = Store(f"sqlite:///{data / 'review.sqlite'}")
    try:
        assert store.verify().faults == ()
        return sorted((one.scan_sha256, one.assignee, one.reader) for one in store.assignments())
    finally:
        store.close()


def test_scans_are_assigned_under_the_readers_name_and_it_is_undone(data, checkpoints):
    at = page()
    assert not at.exception and any("kept in the database" in line for line in said(at))
    first, second = entries().values()
    asking(at, "assign", first.id, second.id)
    assert any("Give your name first" in line for line in said(at)) and not [
        b for b in at.button if b.label == "Assign"
    ]
    at.text_input(key="reader name").set_value("Dr A").run()
    assert button(at, "Assign").disabled
    at.text_input(key="another assignee").set_value(" Dr B ").run()
    button(at, "Assign").click().run()
    assert kept(data) == sorted((one.sha256, "Dr B", "Dr A") for one in (first, second))
    assert first.assigned == second.assigned == ("Dr B",) and "worklist asks" not in at.session_state
    assert "2 scans assigned to Dr B." in said(at)
    button(at, "Undo").click().run()
    assert kept(data) == [] and first.assigned == () and not [b for b in at.button if b.label == "Undo"]


def test_what_is_assigned_can_be_taken_from_one_or_from_all_and_that_is_undone(data, checkpoints):
    at = page()
    at.session_state["reader"] = "Dr A"
    one = next(iter(entries().values()))
    store = Store(f"sqlite:///{data / 'review.sqlite'}")
    for name in ("Dr B", "Dr C"):
        store.assign([one.sha256], name, reader="Dr X")
    store.close()
    asking(at, "assign", one.id)
    button(at, "Take from everybody").click().run()
    assert kept(data) == [] and any("taken from Dr B, Dr C" in line for line in said(at))
    button(at, "Undo").click().run()
    assert [(name, by) for _, name, by in kept(data)] == [("Dr B", "Dr A"), ("Dr C", "Dr A")]


def test_without_a_folder_it_is_in_memory_and_the_page_says_so(checkpoints, monkeypatch):
    monkeypatch.delenv("OTHERWISE_DATA", raising=False)
    monkeypatch.delenv("OTHERWISE_DATABASE", raising=False)
    at = page()
    at.session_state["reader"] = "Dr A"
    one = next(iter(entries().values()))
    assert any("in memory only" in line for line in said(at))
    asking(at, "assign", one.id)
    assert any("gone when this page is closed" in line for line in said(at))
    at.text_input(key="another assignee").set_value("Dr B").run()
    button(at, "Assign").click().run()
    assert one.assigned == ("Dr B",)


def test_a_wish_that_no_table_could_have_sent_is_ignored(monkeypatch):
    state = {}
    monkeypatch.setattr(worklist.st, "session_state", state)
    for wrong in (None, 3, ["assign"], ["assign", 4], ["erase", ["a"]], ["assign", [None]], ["assign", ["unknown"]]):
        monkeypatch.setattr(worklist, "_sent", lambda name, wrong=wrong: wrong)
        monkeypatch.setattr(worklist.shelf, "mine", lambda: shelf.Shelf(None))
        worklist._ask()
        worklist._open()
        assert state == {}


def test_what_was_done_is_said_in_words():
    store = Store()
    made = store.assign(["ab" * 32, "12" * 32], "Dr B", reader="Dr A")
    assert assigning.said("assigned", made) == "2 scans assigned to Dr B."
    assert assigning.said("unassigned", made[:1]) == "1 scan taken from Dr B."


def until(at, there):
    for _ in range(240):
        if there(at):
            return at
        time.sleep(0.5)
        at.run()
    raise AssertionError(said(at))


def test_several_scans_leave_in_one_zip_and_the_list_says_so(data, checkpoints):
    at = page()
    chosen = list(entries().values())
    asking(at, "export", *(one.id for one in chosen))
    next(p for p in at.get("button_group") if p.key == "several forms" or "several forms" in str(p.proto.id))
    button(at, "Export").click().run()
    until(at, lambda at: any("scans exported" in line for line in said(at)))
    lent = [one.data for one in downloads.STORE._lent.values() if isinstance(one.data, bytes)][-1]
    archive = zipfile.ZipFile(io.BytesIO(lent))
    manifest = json.loads(archive.read("manifest.json"))
    assert [one["label"] for one in manifest["scans"]] == [one.title for one in chosen]
    for one, line in zip(chosen, manifest["scans"], strict=True):
        assert one.exported == line["exported"] and (line["folder"] == "") == bool(line["reason"])
        if not line["exported"]:
            assert any(line["reason"] in words for words in said(at))
    assert any(line["exported"] for line in manifest["scans"])
    assert not [job for job in common.worker()._finished if "export several" in str(job)]
    assert exporting_several.FILE.endswith(".zip")


def test_the_worklist_has_everything_explained_ahead(data, checkpoints):
    at = page()
    until(at, lambda at: all(one.state in ("explained", "held back", "open") for one in entries().values()))


def test_methods_are_compared_on_chosen_scans_and_the_list_can_be_ordered_by_it(data, checkpoints, tmp_path):
    for method in ("cx_gan", "va_gan"):
        tiny(tmp_path / "checkpoints" / f"{method}-one", method, collection="phantom")
    at = page()
    one = next(one for one in entries().values() if one.name.startswith("Phantom"))
    asking(at, "compare", one.id)
    button(at, "Compare").click().run()
    until(at, lambda at: any(line.startswith("Compared") for line in said(at)))
    assert one.disagreement is not None and 0 <= one.disagreement <= 1
