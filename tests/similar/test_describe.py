"""What an index compares: maps on a coarse grid, and an embedding from the network itself."""

import numpy as np
import pytest

from engine.registry import open_model
from engine.scan import Scan
from engine.similar.describe import GRID, describe, embed, on_grid


@pytest.fixture(scope="module")
def model():
    return open_model("attri-net-phantom", "cpu")


def scan(seed: int) -> Scan:
    random = np.random.default_rng(seed)
    return Scan.of((random.random((96, 96)) * 200 + np.linspace(0, 300, 96)).astype(np.float32), "radiograph")


def test_maps_are_means_over_cells_and_slices():
    half = np.zeros((64, 64), np.float32)
    half[:, 32:] = 4
    grid = on_grid(half)
    assert grid.shape == (GRID, GRID) and (grid[:, :8] == 0).all() and (grid[:, 8:] == 4).all()
    assert np.allclose(on_grid(np.stack([half, 3 * half])), 2 * grid) and on_grid(half[:8, :8]).shape == (GRID, GRID)


def test_the_embedding_comes_from_the_coarsest_layer_and_is_the_same_every_time(model):
    prepared = model.preprocess(scan(1))
    first, layer = embed(model, prepared)
    again, same = embed(open_model("attri-net-phantom", "cpu"), prepared)
    assert layer == same and first.ndim == 1 and len(first) >= 16 and np.allclose(first, again, atol=1e-5)
    named, _ = embed(model, prepared, layer)
    other, _ = embed(model, model.preprocess(scan(2)), layer)
    assert np.allclose(named, first, atol=1e-5) and not np.allclose(other, first, atol=1e-3)
    with pytest.raises(ValueError, match="no layer 'net.gone'"):
        embed(model, prepared, "net.gone")


def test_every_shipped_network_that_explains_can_be_looked_into(model):
    for name in ("cx-gan-phantom", "va-gan-phantom"):
        opened = open_model(name, "cpu")
        size = opened.preprocessing.size
        assert len(embed(opened, np.zeros((size, size), np.float32))[0]) >= 16


def test_a_description_holds_every_finding_in_the_order_of_the_model(model):
    described = describe(model, scan(3))
    assert described.evidence.shape == (len(model.findings), GRID, GRID)
    assert np.allclose(described.probabilities, model.predict_proba(scan(3)), atol=1e-3)
    records = model.explain(scan(3))
    assert np.allclose(described.evidence[2], on_grid(records[2].evidence), atol=1e-4)
