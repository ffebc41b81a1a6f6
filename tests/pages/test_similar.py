"""The page of similar cases: the scan first, then its neighbours, or one line that says what is missing."""

from types import SimpleNamespace

import numpy as np
import pytest

from engine.datasets import open_collection
from engine.registry import open_model
from engine.similar.index import FACTS, build
from tests.test_app import checkpoints, opened, settled, shown, texts, two_checkpoints

__all__ = ["checkpoints", "two_checkpoints"]  # fixtures
PAGE = "pages/similar.py"


@pytest.fixture
def index(checkpoints, tmp_path, monkeypatch):
    model = open_model(checkpoints / "attri-net-one", "cpu")
    made = build(model, open_collection("phantom", count=9), np.arange(9))
    made.save(tmp_path / "drawn")
    monkeypatch.setenv("OTHERWISE_INDEXES", str(tmp_path))
    return SimpleNamespace(made=made, folder=tmp_path / "drawn")


def test_neighbours_stand_beside_the_scan_on_one_scale(index):
    at = settled(opened(PAGE))
    assert not at.exception
    panels = shown(at, "similar view")["panels"]
    assert len(panels) == 6 and panels[0]["title"] == "This scan"
    assert all(panel["title"].startswith("Case ") for panel in panels[1:])
    assert len({panel["limit"] for panel in panels}) == 1
    similarity = [float(panel["title"].rsplit(" ", 1)[1]) for panel in panels[1:]]
    assert similarity == sorted(similarity, reverse=True)
    assert any("among 9 cases" in text for text in texts(at))


def test_the_reader_chooses_what_alike_means(index):
    at = settled(opened(PAGE))
    before = [panel["title"] for panel in shown(at, "similar view")["panels"]]
    (choice,) = at.segmented_control
    assert "Whole picture" in choice.options
    choice.select(index.made.spaces[-1])
    settled(at)
    assert not at.exception and len(shown(at, "similar view")["panels"]) == len(before)


def test_without_an_index_the_page_says_how_to_build_one(checkpoints):
    at = settled(opened(PAGE))
    assert not at.exception and any("python -m engine index" in text for text in texts(at))


def test_a_damaged_index_is_one_sentence(index):
    facts = (index.folder / FACTS).read_text()
    (index.folder / FACTS).write_text(facts.replace('"findings"', '"nothing"'))
    at = settled(opened(PAGE))
    assert not at.exception and any("is damaged" in text for text in texts(at))
