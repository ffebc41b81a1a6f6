"""From a training to a checkpoint: complete card, fitted probability, and every measure that the pictures allow."""

import numpy as np
import pytest
import torch

from engine.checkpoints.resolve import open_checkpoint
from engine.datasets import registered_collection
from engine.datasets.selected_findings import SelectedFindings
from engine.methods.cx_gan.train import CxGanRecipe
from engine.methods.map_translation.evaluate import Predictions, evaluate, fixed_cut, measures
from engine.methods.map_translation.produce import intended
from engine.methods.va_gan.train import VaGanRecipe
from engine.registry import method, open_model
from engine.training.job import TrainingJob
from engine.training.loop import Machine, best_weights
from engine.training.presets import with_changes
from tests.methods.map_translation.small import pictures

RECIPES = {"cx_gan": CxGanRecipe, "va_gan": VaGanRecipe}
SMALL = {
    "cx_gan": {
        "size": "32",
        "width": "4",
        "levels": "3",
        "critic_width": "4",
        "pairs": "2",
        "steps": "2",
        "validate_every": "1",
        "validated": "4",
    },
    "va_gan": {
        "size": "32",
        "width": "4",
        "pairs": "2",
        "steps": "2",
        "validate_every": "1",
        "validated": "4",
        "warm_critic_steps": "1",
    },
}


def job(name, folder, **changes):
    settings = {
        "name": f"{name}-small",
        "collection": pictures(),
        "terms": registered_collection("vagan_synthetic").terms,
        "preset": "demo",
        "changes": SMALL[name],
        "guidance": None,
        "guidance_words": "none",
        "machine": Machine("cpu"),
        "seed": 1,
        "command": "python -m engine train",
        "destination": folder / "shipped",
        "runs": folder / "runs",
    }
    return TrainingJob(**{**settings, **changes})


@pytest.mark.parametrize("name", SMALL)
def test_a_training_leaves_a_checkpoint_that_opens_with_its_measures_on_its_card(name, tmp_path):
    made = method(name).train(job(name, tmp_path))
    model = open_model(open_checkpoint(tmp_path / "shipped" / f"{name}-small"), "cpu")
    assert made.method == name and model.findings == ("Lesion",) and model.slope > 0 and 0 < model.thresholds[0] < 1
    for metric in (
        "auc",
        "effectiveness",
        "composition",
        "iou",
        "dice",
        "ncc",
        "ssim",
        "non_resemblance",
        "recovery",
        "restraint",
    ):
        assert f"| {metric} |" in made.card
    rows, remarks = evaluate(model, pictures(), pictures().split("test"))
    assert {"Lesion, fixed", "Lesion, otsu", "Lesion, area-matched"} == {
        row.subject for row in rows if row.metric == "iou"
    }
    assert any(f"|M| is above {model.cut:g}" in remark for remark in remarks) and any(
        "32 x 32 pixels" in remark for remark in remarks
    )


@pytest.mark.parametrize("on_marks", [True, False], ids=["on the marks", "elsewhere"])
def test_a_model_that_heals_burned_in_marks_is_reported_as_such(on_marks, tmp_path):
    model = open_model(method("cx_gan").tiny(tmp_path / "tiny"), "cpu")
    side = model.preprocessing.size
    marks = np.zeros((side, side), bool)
    marks[:4, :4] = True
    drawn = np.where(marks == on_marks, 0.5, 0.0).astype(np.float32)
    marked = SelectedFindings(pictures(), ("Lesion",))
    marked.marks = lambda index, size: marks if index % 2 else np.zeros_like(marks)  # every second picture has none
    test = marked.split("test")
    flat = np.zeros(len(test), np.float32)
    seen = Predictions(
        flat + 0.5, flat, flat, np.repeat(drawn[None], len(test), 0), np.zeros((len(test), side, side), np.float32)
    )
    rows, remarks = measures(model, marked, test, seen)
    row = next(row for row in rows if row.subject == "map on burned-in marks")
    assert row.n == sum(index % 2 for index in test)
    assert any("it changes marks as well" in remark for remark in remarks) == on_marks


def test_guidance_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="without guidance"):
        method("cx_gan").train(job("cx_gan", tmp_path, guidance=object()))


@pytest.mark.parametrize("name", ["cx_gan", "va_gan"])
def test_a_training_goes_on_from_another_with_all_its_networks(name, tmp_path):
    method(name).train(job(name, tmp_path))
    first = job(name, tmp_path)
    recipe = RECIPES[name](first.collection, with_changes(method(name).presets()["demo"], first.changes), seed=7)
    kept = best_weights(first.run_folder)
    recipe.start_from(kept)
    assert {k.split(".")[0] for k in kept} == {"net", *recipe.training_networks} and len(recipe.training_networks) >= 1
    assert all(torch.equal(recipe.weights_to_keep()[k], v) for k, v in kept.items())
    recipe.start_from(open_checkpoint(tmp_path / "shipped" / f"{name}-small").weights())  # the map generator alone
    with pytest.raises(ValueError, match="of other networks"):
        recipe.start_from({"net.elsewhere": torch.zeros(1)})


def test_a_card_names_both_sets_of_pictures():
    assert "two sets of pictures, malignant and benign (none with neither)." in intended("Malignant", "Benign")
    assert "two sets of pictures, with and without the finding." in intended("Malignant", None)


def test_the_fixed_threshold_is_the_best_on_annotated_pictures():
    collection = pictures()
    abnormal = np.flatnonzero(collection.labels[:, 0])[:5]
    truth = np.stack([collection.lesion(int(i), size=32) for i in abnormal]).astype(np.float32)
    noise = np.random.default_rng(0).uniform(0, 0.3, truth.shape).astype(np.float32)
    assert 0.29 <= fixed_cut(collection, abnormal, np.maximum(truth * 0.8, noise)) < 0.8
    normal = np.flatnonzero(collection.labels[:, 0] == 0)[:5]
    assert fixed_cut(collection, normal, truth * 0.8) == pytest.approx(0.4)  # nobody annotated these


def test_effectiveness_is_told_of_all_pictures_with_the_finding_and_of_those_that_were_called(tmp_path):
    model, whole = open_model(method("cx_gan").tiny(tmp_path / "tiny"), "cpu"), pictures()
    test, side = whole.split("test"), model.preprocessing.size
    ill = np.flatnonzero(whole.labels[test, 0] == 1)
    before, flat = np.zeros(len(test), np.float32), np.zeros((len(test), side, side), np.float32)
    before[ill[: len(ill) // 2]] = 1  # above the threshold, and still above it after the map; the others never were
    rows, _ = measures(model, whole, test, Predictions(before, before, before, flat, flat))
    found = {row.subject: row for row in rows if row.metric == "effectiveness"}
    assert found["Lesion"].value == pytest.approx(1 - (len(ill) // 2) / len(ill))
    assert found["Lesion, of those called"].value == 0 and found["Lesion, of those called"].n == len(ill) // 2


def test_pictures_that_are_cut_otherwise_are_not_measured(tmp_path):
    model, cut = open_model(method("cx_gan").tiny(tmp_path / "tiny"), "cpu"), SelectedFindings(pictures(), ("Lesion",))
    cut.crop = "beam"
    with pytest.raises(ValueError, match="crop=whole, these are of crop=beam"):
        evaluate(model, cut, cut.split("test"))
