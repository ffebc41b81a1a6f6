"""Somebody else's model on the command line: adopted, explained, measured and tested as any other checkpoint."""

import json

import cv2
import numpy as np
import onnx
import pytest

from engine.checkpoints.resolve import open_checkpoint
from engine.methods.onnx.tiny import CARD, network

PHANTOM = ["--data", "phantom", "--option", "count=24", "--split", "all"]


@pytest.fixture
def files(tmp_path):
    onnx.save(network(), tmp_path / "theirs.onnx")
    (tmp_path / "card.json").write_text(
        json.dumps({**CARD, "findings": ["Cardiomegaly", "Effusion"], "collection": "phantom"})
    )
    return tmp_path


@pytest.fixture
def adopted(files, engine):
    code, out, err = engine(
        "adopt", files / "theirs.onnx", "--card", files / "card.json", "--name", "theirs", "--out", files / "out"
    )
    assert code == 0, err
    assert "Trained elsewhere" in out
    return files / "out" / "theirs"


def test_adopt_writes_a_checkpoint_that_opens_with_a_complete_card(adopted):
    checkpoint = open_checkpoint(adopted)
    assert checkpoint.method == "onnx" and checkpoint.config["data"]["collection"] == "phantom"
    assert (
        "0.5 was taken" in checkpoint.card and "python -m engine adopt theirs.onnx --card card.json" in checkpoint.card
    )
    assert str(adopted.parent.parent) not in checkpoint.card  # nobody who is handed the checkpoint learns where it lay
    assert sorted(path.name for path in adopted.iterdir()) == [
        "card.md",
        "config.json",
        "metrics.json",
        "weights.safetensors",
    ]


def test_adopt_says_in_one_sentence_what_does_not_fit(files, engine):
    (files / "card.json").write_text(json.dumps({**CARD, "input_size": 48}))
    code, _, err = engine(
        "adopt", files / "theirs.onnx", "--card", files / "card.json", "--name", "theirs", "--out", files / "out"
    )
    assert code == 1 and err.count("\n") == 1 and "but the network takes any x 1 x 32 x 32" in err
    assert not (files / "out").exists()


def test_explain_writes_a_map_and_no_counterfactual(adopted, engine, tmp_path):
    cv2.imwrite(str(tmp_path / "film.png"), np.random.default_rng(0).integers(0, 256, (50, 40)).astype(np.uint8))
    code, out, err = engine(
        "explain",
        tmp_path / "film.png",
        "--checkpoint",
        adopted,
        "--out",
        tmp_path / "why",
        "--json",
        tmp_path / "rows.json",
    )
    assert code == 0, err
    assert "UNLIKE the training pictures: theirs was trained on drawn pictures only" in out  # as its card says
    names = sorted(path.name for path in (tmp_path / "why").iterdir())
    assert names == [
        "cardiomegaly.npz",
        "cardiomegaly_evidence.png",
        "effusion.npz",
        "effusion_evidence.png",
        "explanation.json",
    ]
    assert np.load(tmp_path / "why" / "effusion.npz").files == ["attribution"]
    assert all(
        row["path"] is None and row["in_distribution"] is None
        for row in json.loads((tmp_path / "rows.json").read_text())["rows"]
    )


def test_evaluate_measures_it_and_says_that_the_pictures_may_be_known_to_it(adopted, engine, tmp_path):
    code, out, err = engine("evaluate", "onnx", "--checkpoint", adopted, *PHANTOM, "--json", tmp_path / "rows.json")
    assert code == 0, err
    assert "may have been part of it" in out
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert {"auc", "sensitivity", "specificity", "accuracy"} == {row["metric"] for row in rows}


def test_training_it_is_refused_in_a_sentence(engine):
    code, _, err = engine("train", "onnx", "--data", "phantom")
    assert code == 1 and "python -m engine adopt" in err and err.count("\n") == 1


def test_bias_tests_it_like_any_other(adopted, engine, tmp_path):
    data = ["--data", "phantom", "--option", "count=120", "--split", "all"]
    code, out, err = engine(
        "bias", "--checkpoint", adopted, *data, "--attribute", "view_position", "--json", tmp_path / "rows.json"
    )
    assert code == 0, err
    assert out.startswith("Would the answer change")
    effects = [row for row in json.loads((tmp_path / "rows.json").read_text())["rows"] if row["metric"] == "effect"]
    assert any(row["subject"].startswith("Effusion") for row in effects)
