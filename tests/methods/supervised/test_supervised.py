"""The ceiling: it learns from truth, needs truth, becomes a checkpoint with every measure, and resumes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from engine.datasets import registered_collection
from engine.methods.supervised.evaluate import evaluate
from engine.methods.supervised.produce import produce
from engine.methods.supervised.train import Architecture, Preset, SupervisedRecipe, SupervisedUNet
from engine.registry import open_model
from engine.training.job import TrainingJob
from engine.training.loop import Machine, run
from tests.methods.attri_net.small import PATIENTS, DrawnOnce, patients

SMALL = Preset(
    architecture=Architecture(size=32, width=8, levels=2), steps=60, validate_every=30, made_pairs=8, validated=20
)
CHANGES = {
    "size": "32",
    "width": "4",
    "levels": "2",
    "steps": "4",
    "validate_every": "2",
    "made_pairs": "4",
    "validated": "8",
}


def test_it_learns_to_undo_what_it_is_shown(tmp_path):
    recipe = SupervisedRecipe(patients(), SMALL)
    fabric = Machine("cpu").fabric(tmp_path)
    before = recipe.validate(fabric)["score"]
    losses = [recipe.step(step, fabric)["pairs"] for step in range(60)]
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])
    assert recipe.validate(fabric)["score"] > before


def test_a_killed_run_that_is_resumed_ends_with_the_same_weights(tmp_path):
    small = Preset(architecture=SMALL.architecture, steps=4, validate_every=2, made_pairs=4, validated=8)
    whole, halves = SupervisedRecipe(patients(), small), SupervisedRecipe(patients(), small)
    run(whole, tmp_path / "whole", Machine("cpu").fabric(tmp_path))
    halves.steps = 2
    run(halves, tmp_path / "halves", Machine("cpu").fabric(tmp_path))
    resumed = SupervisedRecipe(patients(), small)
    facts = run(resumed, tmp_path / "halves", Machine("cpu").fabric(tmp_path), resume=True)
    assert facts["step"] in (2, 4)
    first, second = whole.net.state_dict(), resumed.net.state_dict()
    assert max(float((first[k] - second[k]).abs().max()) for k in first) < 0.02  # the rate's fall knows all steps


def test_pairs_of_another_collection_can_teach_and_without_truth_there_is_nothing_to_learn():
    others = DrawnOnce(PATIENTS, seed=7)
    assert SupervisedRecipe(patients(), SMALL, pairs=others).teacher.collection is others
    films = patients()
    with pytest.raises(ValueError, match="busi knows no true counterfactuals"):
        SupervisedRecipe(
            films,
            SMALL,
            pairs=SimpleNamespace(name="busi", findings=films.findings, family=(), has_counterfactuals=False),
        )


@pytest.mark.parametrize("shape", [(32, 32), (48, 32)])
def test_every_finding_has_a_map_and_the_sum_stays_in_range(shape):
    torch.manual_seed(0)
    net, x = SupervisedUNet(3, Architecture(size=32, width=4, levels=2)), torch.rand(2, 1, *shape) * 1.8 - 0.9
    maps = net(x)
    assert maps.shape == (2, 3, *shape) and (x + maps).abs().max() < 1


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="levels must be 8 or less and size a multiple"):
        Architecture(size=100, levels=4)


def test_a_checkpoint_has_every_measure_of_the_ceiling(tmp_path):
    others = DrawnOnce(PATIENTS, seed=7)
    job = TrainingJob(
        name="small",
        collection=patients(),
        terms=registered_collection("phantom").terms,
        preset="demo",
        changes=CHANGES,
        guidance=None,
        guidance_words="none",
        machine=Machine("cpu"),
        seed=1,
        command="python -m engine train supervised",
        destination=tmp_path / "out",
        runs=tmp_path / "runs",
        pairs=others,
    )
    made = produce(job)
    assert made.config["data"]["pairs"] == "phantom" and "Also trained on" in made.card
    model = open_model(made, "cpu")
    rows, _ = evaluate(model, patients(), patients().split("all"))
    of = {(row.metric, row.subject): row for row in rows}
    for finding in patients().findings:
        for metric in ("auc", "recovery", "restraint", "hit_rate", "disease_sensitivity"):
            assert np.isfinite(of[metric, finding].value)
        assert np.isfinite(of["composition", f"pictures without {finding}"].value)
    means = [of["recovery", finding].value for finding in patients().findings]
    assert of["recovery", "mean over findings"].value == pytest.approx(np.mean(means))
