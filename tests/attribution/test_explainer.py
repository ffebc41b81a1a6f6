"""Explainers: every registered method answers through one interface as it does by itself, and a random map knows
nothing.
"""

import numpy as np
import pytest

from engine import registry
from engine.attribution.explainer import Explained, ModelExplainer, RandomMap, ShuffledCheckpoint, shuffled
from engine.metrics.measure import NotMeasurable
from engine.preprocessing import enlarged
from engine.registry import methods, open_model, register
from tests.contract.scans import film, kind_for, scan_of
from tests.contract.volume_method import VolumeMethod

PICTURES = sorted(name for name, entry in methods().items() if entry.dimensions == 2)


@pytest.fixture(scope="module", params=PICTURES)
def opened(request, tmp_path_factory):
    """(method, model, explainer) of a small checkpoint."""
    entry = methods()[request.param]
    model = open_model(entry.tiny(tmp_path_factory.mktemp(request.param) / "tiny"), "cpu")
    return entry, model, ModelExplainer(model)


def scan(entry, side, seed=0):
    return scan_of(entry, film(side, side, seed=seed))


def prepared(explainer, model, entry):
    return np.stack([model.preprocess(scan(entry, explainer.side, seed)) for seed in (0, 1)])


def test_a_picture_is_explained_as_the_scan_it_was_made_from(opened):
    entry, model, explainer = opened
    if kind_for(entry) == "unknown" and entry.kinds:
        pytest.skip("takes scans of no stated kind only")
    pictures = prepared(explainer, model, entry)
    assert np.allclose(explainer.predict(pictures)[0], model.predict_proba(scan(entry, explainer.side)), atol=1e-4)
    found = explainer.explain(pictures, 0)
    assert isinstance(found, Explained) and found.maps.shape == pictures.shape and found.maps.dtype == np.float32
    (record,) = model.explain(scan(entry, explainer.side), [model.findings[0]])
    own = np.abs(record.evidence) if record.both_signs else record.evidence
    size = max(float(np.abs(own).max()), 1e-6)
    assert np.allclose(found.maps[0], enlarged(own, pictures[0].shape), atol=0.02 * size)
    assert (found.counterfactuals is not None) == entry.counterfactuals == explainer.counterfactuals


def test_shuffled_weights_answer_otherwise_and_are_the_same_numbers(opened):
    entry, model, explainer = opened
    pictures = prepared(explainer, model, entry)
    try:
        ignorant = explainer.randomised(1)
    except NotMeasurable:
        assert entry.name == "onnx"
        return
    assert isinstance(ignorant.model.checkpoint, ShuffledCheckpoint)
    assert not np.allclose(ignorant.explain(pictures, 0).maps, explainer.explain(pictures, 0).maps)
    stored, mixed = model.checkpoint.arrays(), ignorant.model.checkpoint.arrays()
    for name, values in stored.items():
        assert np.array_equal(np.sort(values, axis=None), np.sort(mixed[name], axis=None))
        assert values.dtype == mixed[name].dtype and values.shape == mixed[name].shape


def test_shuffling_moves_the_numbers():
    assert not np.array_equal(shuffled(np.arange(50), np.random.default_rng(0)), np.arange(50))


def test_a_model_of_volumes_is_refused_by_name(tmp_path):
    register(VolumeMethod)
    try:
        model = open_model(methods()[VolumeMethod.name].tiny(tmp_path / "tiny"), "cpu")
        with pytest.raises(NotMeasurable, match="explains volumes"):
            ModelExplainer(model)
    finally:
        del registry._methods[VolumeMethod.name]


def test_a_random_map_predicts_alike_and_depends_on_picture_finding_and_seed_only(opened):
    entry, model, explainer = opened
    pictures = prepared(explainer, model, entry)
    drawn = RandomMap(explainer, change=0.02)
    first, again = drawn.explain(pictures, 0), RandomMap(explainer, change=0.02).explain(pictures, 0)
    assert np.array_equal(first.maps, again.maps) and np.array_equal(
        drawn.predict(pictures), explainer.predict(pictures)
    )
    assert np.abs(np.corrcoef(first.maps[0].ravel(), first.maps[1].ravel())[0, 1]) < 0.3
    assert not np.allclose(first.maps, drawn.randomised(0).explain(pictures, 0).maps)
    if explainer.counterfactuals:
        moved = np.abs(first.counterfactuals - pictures).mean(axis=(1, 2))
        assert np.allclose(moved, 0.02, rtol=0.15)  # less where it was clipped
