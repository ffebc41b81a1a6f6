"""Where the classifier looks, with and without a symbol, and what its attributes account for."""

import json

import cv2
import numpy as np
import pytest

from engine.checkpoints.format import save_checkpoint
from engine.checkpoints.resolve import open_checkpoint
from engine.datasets.symbols import draw_symbol
from engine.methods.causal_alignment.ccce import DiagnosisTable
from engine.methods.causal_alignment.produce import tiny
from engine.registry import UnsuitableScan, open_model

SCAN = np.random.default_rng(0).normal(0, 50, (40, 40)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny") / "aligned"
    checkpoint = tiny(folder)
    config = json.loads(json.dumps(dict(checkpoint.config)))
    config["data"]["options"] = {"symbol": "plus_minus"}
    a, y = np.random.default_rng(1).integers(0, 2, (60, 2)), np.arange(60) % 2
    config["diagnosis_table"] = DiagnosisTable.fit(("margin", "spiculation"), a, y).counts()
    card = (checkpoint.folder / "card.md").read_text()
    save_checkpoint(folder, method="causal_alignment", config=config, weights=checkpoint.weights(), card=card)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return open_model(open_checkpoint(folder), "cpu")


def test_a_look_is_the_prediction_with_a_map_for_every_attribute(model):
    seen = model.look(SCAN)
    assert seen.probability == pytest.approx(float(model.predict_proba(SCAN)[0]), abs=1e-6)
    assert dict(seen.attributes) == pytest.approx(model.predict_attributes(SCAN), abs=1e-6)
    for cam in (seen.cam, *seen.attribute_cams.values()):
        assert cam.shape == (16, 16) and cam.min() >= 0 and cam.max() in (0, pytest.approx(1))


def test_a_symbol_changes_only_its_corner_of_the_scan(model):
    plain, plus, minus = (model.look(SCAN, symbol) for symbol in ("", "+", "-"))
    assert len({round(look.probability, 7) for look in (plain, plus, minus)}) == 3
    with pytest.raises(ValueError, match="a symbol is - or"):
        model.look(SCAN, "x")


def test_a_checkpoint_that_knew_no_symbols_draws_none(tmp_path):
    with pytest.raises(ValueError, match="trained without symbols"):
        open_model(tiny(tmp_path / "plain"), "cpu").look(SCAN, "+")


def test_effects_are_those_of_the_diagnosis_network_with_the_ratings_beside(model):
    values = {"margin": 0.9, "spiculation": 0.8}
    here = model.predict_from_attributes(values)
    positive = here > model.thresholds[0]
    if not positive:
        values = {"margin": 0.1, "spiculation": 0.2}
        here = model.predict_from_attributes(values)
    found = {e.attributes: e for e in model.attribute_effects(values)}
    one = values | {"margin": 0.0 if positive else 1.0}
    there = model.predict_from_attributes(one)
    share = 1 - there / here if positive else 1 - (1 - there) / (1 - here)
    assert found[("margin",)].effect == pytest.approx(share, abs=1e-5)
    assert all(e.in_ratings is not None for e in found.values())


def test_counts_that_are_damaged_are_left_out(folder, tmp_path):
    checkpoint = open_checkpoint(folder)
    config = dict(checkpoint.config) | {"diagnosis_table": {"cases": [1], "positives": [0]}}
    card = (checkpoint.folder / "card.md").read_text()
    damaged = save_checkpoint(
        tmp_path / "damaged", method="causal_alignment", config=config, weights=checkpoint.weights(), card=card
    )
    model = open_model(damaged, "cpu")
    assert all(e.in_ratings is None for e in model.attribute_effects({"margin": 0.9, "spiculation": 0.2}))


def test_other_methods_read_no_attributes(tmp_path):
    from engine.registry import method

    other = open_model(method("supervised").tiny(tmp_path / "supervised"), "cpu")
    for ask in (
        lambda: other.look(SCAN),
        lambda: other.predict_from_attributes({}),
        lambda: other.attribute_effects({}),
    ):
        with pytest.raises(UnsuitableScan, match="reads no attributes"):
            ask()


def test_a_checkpoint_of_the_first_version_sees_whole_pictures(folder, tmp_path, model):
    checkpoint = open_checkpoint(folder)
    config = {key: value for key, value in checkpoint.config.items() if key != "crop"}
    card = (checkpoint.folder / "card.md").read_text()
    first = save_checkpoint(
        tmp_path / "first", method="causal_alignment", config=config, weights=checkpoint.weights(), card=card
    )
    assert open_model(first, "cpu").look(SCAN).probability == model.look(SCAN).probability


def test_a_symbol_is_drawn_into_what_the_network_sees_of_a_scan(folder, tmp_path):
    checkpoint = open_checkpoint(folder)
    config = dict(checkpoint.config) | {"crop": "inside"}
    card = (checkpoint.folder / "card.md").read_text()
    cropped = open_model(
        save_checkpoint(
            tmp_path / "in", method="causal_alignment", config=config, weights=checkpoint.weights(), card=card
        ),
        "cpu",
    )
    pixels = np.random.default_rng(2).normal(0, 50, (200, 160)).astype(np.float32)
    one, other = (cropped.look(pixels, symbol) for symbol in "-+")
    rim = pixels.copy()
    rim[:3] = 0  # beside what is seen
    assert one.probability != other.probability
    assert cropped.look(rim, "+").probability == other.probability
    assert other.cam.shape == (17, 17)  # of the whole scan: 16 cells over the 188 x 150 pixels that are seen
    crop = cropped.crop_of(pixels)
    drawn = draw_symbol(crop.cut(pixels), None, "plus_minus", "+", white=float(pixels.max()), black=float(pixels.min()))
    seen = cropped.cams(cropped.preprocessing.apply(drawn)[None])[0]
    placed = cv2.resize(crop.put_back(seen), (17, 17), interpolation=cv2.INTER_AREA)
    assert np.allclose(other.cam, placed / placed.max(), atol=1e-5)


def test_the_map_of_a_look_lies_where_cam_precision_is_measured(model):
    (measured,) = model.cams(model.preprocess(SCAN)[None])
    assert np.allclose(model.look(SCAN).cam, measured / measured.max(), atol=1e-6)
