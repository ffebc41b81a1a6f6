"""python -m engine laterality, on a miniature of the public layout."""

from __future__ import annotations

import json

import numpy as np

from tests.datasets.test_chestxray8 import write_folder


def test_it_writes_weights_numbers_and_a_card_that_says_how_they_were_made(engine, tmp_path):
    write_folder(tmp_path / "films", patients=30, grey=np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8))
    code, said, trouble = engine(
        *("laterality", "--root", tmp_path / "films", "--steps", 2, "--threads", 1, "--out", tmp_path / "out")
    )
    assert code == 0, trouble
    assert "specificity" in said and "sensitivity" in said and "60 films" in said
    numbers = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert numbers["n"] == 60 and numbers["limit"] < 0
    card = (tmp_path / "out" / "card.md").read_text()
    assert "python -m engine laterality --root DIR --steps 2" in card and "NIH" in card


def test_too_few_films_are_refused_in_a_sentence(engine, tmp_path):
    write_folder(tmp_path / "films", patients=10)
    code, _, trouble = engine("laterality", "--root", tmp_path / "films", "--out", tmp_path / "out")
    assert code != 0 and "needs at least 50" in trouble and "Traceback" not in trouble
