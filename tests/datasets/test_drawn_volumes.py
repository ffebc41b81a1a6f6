"""Drawn volumes are drawn once, kept, and drawn anew where what was kept is damaged."""

from types import MappingProxyType

import numpy as np
import pytest

from engine.datasets.drawn_volumes import TOGETHER, DrawnVolumes
from engine.datasets.pictures import resized_slices


class Boxes(DrawnVolumes):
    name, findings = "boxes", ("Box",)
    masks = MappingProxyType({"mask": bool, "place": np.uint8})
    drawn_so_far = 0
    kept_as = "1-3x8"

    def drawn(self, index):
        type(self).drawn_so_far += 1
        volume = np.full((3, 8, 9), index, np.float32)
        return volume, {"mask": volume > 4, "place": np.full(volume.shape, 7, np.uint8)}

    def split(self, name):
        return np.arange(4)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CACHE", str(tmp_path))
    Boxes.drawn_so_far = 0
    return tmp_path


def test_neighbours_are_drawn_together_and_found_again(cache):
    assert (Boxes().image(5) == 5).all() and Boxes.drawn_so_far == TOGETHER
    again = Boxes()
    assert (again.image(9) == 9).all() and Boxes.drawn_so_far == TOGETHER
    assert again.kept_mask("mask", 9).all() and not again.kept_mask("mask", 3).any()
    assert again.kept_mask("mask", 9).shape == (3, 8, 9) and (again.kept_mask("place", 0) == 7).all()


def test_a_damaged_file_is_drawn_anew(cache):
    Boxes().image(0)
    (file,) = cache.rglob("*.npz")
    file.write_bytes(file.read_bytes()[:40])
    assert (Boxes().image(2) == 2).all() and Boxes.drawn_so_far == 2 * TOGETHER


def test_another_drawing_is_kept_elsewhere(cache, monkeypatch):
    Boxes().image(0)
    monkeypatch.setattr(Boxes, "drawing", 2)
    Boxes().image(0)
    assert Boxes.drawn_so_far == 2 * TOGETHER


def test_slices_are_resized_each_for_itself():
    volume = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((3, 8, 8), np.float32)
    assert resized_slices(volume, None) is volume and resized_slices(volume, 4).shape == (3, 4, 4)
    assert resized_slices(volume, 4)[2].mean() == 2
