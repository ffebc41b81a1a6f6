"""Indexes that come with the app."""

import pytest

from engine.checkpoints.resolve import open_checkpoint
from engine.similar.index import open_index
from engine.similar.shipped import SHIPPED_FOLDER, index_folders, indexes
from tests.similar.test_index import made


def test_every_shipped_index_opens_belongs_to_a_shipped_checkpoint_and_holds_drawn_films_only():
    folders = [folder for folder in index_folders() if folder.parent == SHIPPED_FOLDER]
    assert folders
    for folder in folders:
        index = open_index(folder)
        assert open_checkpoint(index.checkpoint).identity == index.identity and len(index) >= 100
        assert index.collection == "phantom" and len(index.spaces) > len(index.findings)


def test_a_folder_of_the_environment_is_looked_into_too(tmp_path, monkeypatch):
    made(5).save(tmp_path / "mine")
    (tmp_path / "broken").mkdir()
    assert "identity" not in indexes()
    monkeypatch.setenv("OTHERWISE_INDEXES", str(tmp_path))
    assert indexes()["identity"] == [tmp_path / "mine"]


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_facts_that_are_none_belong_to_no_checkpoint(tmp_path, monkeypatch, text):
    made(5).save(tmp_path / "mine")
    (tmp_path / "mine" / "index.json").write_text(text)
    monkeypatch.setenv("OTHERWISE_INDEXES", str(tmp_path))
    assert "identity" not in indexes()
