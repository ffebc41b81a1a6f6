"""Heads of a stroke trial, by the table beside them."""

from pathlib import Path

import numpy as np
import pytest

from engine.datasets.collection import UnusableCollection
from engine.datasets.ist3 import IST3
from engine.datasets.stroke_phantom import TERRITORIES
from tests.datasets.test_mosmed import save

LINES = (
    ("a", "none", ""),
    ("b", "left", "left MCA"),
    ("c", "right", "right PCA"),
    ("d", "both", "left ACA; right MCA"),
)


def write_folder(root: Path, times: int = 6) -> None:
    rows = ["patient,scan,side,territory"]
    for n in range(times):
        for name, side, territory in LINES:
            volume = np.random.default_rng(n).integers(10, 60, (8, 48, 48)).astype(np.int16)
            volume[:, :6] = -1000
            save(root / "scans" / f"{name}{n}.nii.gz", volume)
            rows.append(f"{name}{n},scans/{name}{n}.nii.gz,{side},{territory}")
    (root / "scans.csv").write_text("\n".join(rows) + "\n")


def test_sides_and_territories_are_those_of_the_table(tmp_path):
    write_folder(tmp_path, 2)
    collection = IST3(tmp_path, slices=4)
    assert collection.labels[:4, 0].tolist() == [0, 1, 1, 1] and collection.image(1, 32).shape == (4, 32, 32)
    assert [TERRITORIES[t] for t in collection.stroke_territories(3)] == ["left ACA", "right MCA"]
    assert collection.attributes["territory"][:3].tolist() == ["", "left MCA", "right PCA"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "holds no scans.csv"),
        ("patient,scan,side\na,b,left\n", "no column territory"),
        ("patient,scan,side,territory\n", "lists no scans"),
        ("patient,scan,side,territory\na,b,up,\n", "sides are none, left, right, both"),
        ("patient,scan,side,territory\na,b,left,left leg\n", "territories left MCA"),
    ],
)
def test_a_table_that_is_none_is_refused_in_a_sentence(tmp_path, text, words):
    if text is not None:
        (tmp_path / "scans.csv").write_text(text)
    with pytest.raises(UnusableCollection, match=words):
        IST3(tmp_path)
