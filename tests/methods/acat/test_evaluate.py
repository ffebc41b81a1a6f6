"""A checkpoint of volumes on labelled slices: AUC, AUC among slices of one height, and where the saliency lies."""

import json
from importlib import import_module

import numpy as np
import pytest

from engine.datasets import open_collection
from engine.datasets.single_slices import SingleSlices
from engine.methods.acat.evaluate import evaluate
from engine.methods.acat.produce import tiny
from engine.registry import open_model
from tests.datasets.test_covid_ct_md import write_sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slices")
    write_sample(folder)
    return folder


def test_the_command_measures_labelled_slices(sample, tmp_path, capsys):
    tiny(tmp_path / "lungs", finding="Pneumonia", collection="lung_phantom")
    command = import_module("engine.commands.evaluate").evaluate
    command("acat", str(tmp_path / "lungs"), "covid_ct_md", sample, split="test", json=tmp_path / "rows.json")
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    found = {(row["metric"], row.get("variant", "")): row for row in rows}
    for wanted in (("auc", ""), ("auc_within_position", ""), ("auc_within_position", "baseline")):
        assert 0 <= found[wanted]["value"] <= 1, wanted
    inside = found["evidence_on_body", "saliency on the organ"]
    assert 0 < inside["value"] < 1 and 0 < inside["chance"] < 1
    assert "is measured on covid_ct_md" in capsys.readouterr().out


def test_the_auc_among_slices_of_one_height_takes_no_notice_of_the_height(sample, tmp_path, monkeypatch):
    """A model that knows nothing but how high a slice lies has a good AUC, and none among slices of one height."""
    collection = SingleSlices(open_collection("covid_ct_md", sample))
    model = open_model(tiny(tmp_path / "lungs", finding="Pneumonia", collection="lung_phantom"), "cpu")
    indices = collection.split("all")[::2]  # of every patient, well or ill
    heights = np.array([collection.position(int(i)) for i in indices])
    middle = np.exp(-((heights - 3.5) ** 2) / 8)
    looked = type("Looked", (), {})()
    looked.classes = np.stack([np.stack([1 - middle, middle], 1)] * 2).astype(np.float32)
    looked.probabilities = middle
    looked.saliency = np.zeros((len(indices), 1, 16, 16), np.float16)
    looked.changes, looked.reached = (
        np.zeros((2, len(indices), 1, 16, 16), np.float16),
        np.ones((2, len(indices)), bool),
    )
    monkeypatch.setattr("engine.methods.acat.evaluate.Looked.of", lambda *_: looked)
    rows, _ = evaluate(model, collection, indices)
    found = {(row.metric, row.variant): row.value for row in rows}
    assert found["auc", ""] > 0.7 and found["auc_within_position", ""] == pytest.approx(0.5)
