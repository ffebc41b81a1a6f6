"""The collection of drawn heads: the same from the disk as drawn, parts by patient, and damaged files drawn anew."""

import numpy as np
import pytest

from engine.datasets import open_collection
from engine.datasets.identity import data_settings
from engine.datasets.stroke_phantom import TERRITORIES
from tests.datasets.test_stroke_phantom import write_atlas

SMALL = {"count": 24, "size": 32, "slices": 3}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("atlas")
    write_atlas(folder)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OTHERWISE_CACHE", str(tmp_path))
    return tmp_path / "stroke_phantom"


def test_a_head_from_the_disk_is_the_head_that_was_drawn(root, cache):
    drawn = open_collection("stroke-phantom", root, **SMALL)
    first = drawn.image(3)
    (file,) = cache.rglob("*.npz")
    again = open_collection("stroke_phantom", root, **SMALL)
    assert np.array_equal(first, again.image(3)) and again.image(3).shape == (3, 32, 32)
    file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(first, open_collection("stroke_phantom", root, **SMALL).image(3))


def test_what_is_said_of_a_patient_is_what_was_drawn(root, cache):
    heads = open_collection("stroke_phantom", root, **SMALL)
    for index in range(8):
        ill, side = heads.labels[index, 0] == 1, heads.attributes["side"][index]
        assert ill == (side != "none") == bool(heads.attributes["territory"][index])
        assert ill == (heads.mask(index, "Infarct", 32) is not None) == bool(heads.stroke_territories(index))
        if side in ("left", "right"):
            (place,) = heads.stroke_territories(index)
            assert TERRITORIES[place] == heads.attributes["territory"][index] and TERRITORIES[place].startswith(side)
    assert heads.territory_map(0).max() <= len(TERRITORIES) and len({*np.unique(heads.territory_map(0))}) > 3


def test_a_true_counterfactual_takes_the_infarct_away_or_adds_it(root, cache):
    heads = open_collection("stroke_phantom", root, **SMALL)
    ill, healthy = int(np.flatnonzero(heads.labels[:, 0])[0]), np.flatnonzero(heads.labels[:, 0] == 0)
    change = heads.image(ill) - heads.counterfactual(ill, without=("Infarct",))
    mask = heads.mask(ill, "Infarct", 32)
    assert not mask.any() or change[mask].mean() < -2
    assert np.array_equal(heads.counterfactual(healthy[0], without=("Infarct",)), heads.image(healthy[0]))
    added = [heads.counterfactual(well, with_=("Infarct",)) - heads.image(well) for well in healthy[:4]]
    assert min(change.min() for change in added) < -2  # some small ones lie between two slices
    with pytest.raises(ValueError, match="at once"):
        heads.counterfactual(ill, without=("Infarct",), with_=("Infarct",))


def test_a_training_can_say_what_it_learned_from(root, cache):
    known = data_settings(open_collection("stroke_phantom", root, **SMALL))
    assert known["data"] == ["stroke_phantom", 24] and known["pictures of the data"]
