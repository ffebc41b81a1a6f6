"""Algorithm 1 as one command: three trainings one after the other become a checkpoint with every measure, and a run
that was stopped goes on.
"""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from engine.checkpoints.changes import with_detector
from engine.datasets import open_collection, registered_collection
from engine.methods.acat.maps import identity
from engine.methods.acat.produce import ACATPipeline, produce
from engine.methods.acat.train import DEMO, Architecture, Networks, TrainingData, sides_known, targets
from engine.ood import TENSORS
from engine.registry import open_model
from engine.scan import Scan
from engine.training.job import TrainingJob
from engine.training.loop import Machine, best_weights
from tests.datasets.lidc_small import chest_pixels
from tests.datasets.test_stroke_phantom import write_atlas
from tests.methods.acat.small import CHANGES, heads


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the atlas, and the cache in it."""
    folder = tmp_path_factory.mktemp("acat")
    write_atlas(folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OTHERWISE_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture
def job(place, tmp_path):
    return TrainingJob(
        name="acat-tiny",
        collection=heads(place),
        terms=registered_collection("stroke_phantom").terms,
        preset="demo",
        changes=CHANGES,
        guidance=None,
        guidance_words="none",
        machine=Machine("cpu"),
        seed=0,
        command="python -m engine train acat --data stroke_phantom",
        destination=tmp_path / "checkpoints",
        runs=tmp_path / "runs",
    )


def test_one_command_makes_a_checkpoint_with_every_measure(job):
    checkpoint = produce(job)
    model = open_model(checkpoint.folder, "cpu")
    found = {(row.metric, row.variant.split(",")[0]) for row in checkpoint.metrics.rows}
    for network in ("baseline", "ACAT"):
        for metric in ("auc", "accuracy", "sensitivity", "specificity", "effectiveness", "recovery", "restraint"):
            assert (metric, network) in found, (metric, network)
        assert {("hit_rate", network), ("iou", network), ("dice", network)} <= found
        assert ("preactivation_variance", network) in found
    assert ("effect", "accuracy") in found and "reached their target" in checkpoint.card
    collection = job.collection
    said = model.predict_proba([collection.image(0), collection.image(1)])
    assert said.shape == (2, 1) and ((said >= 0) & (said <= 1)).all()
    assert checkpoint.config["network"]["classes"] == 4 and checkpoint.config["slices"] == 3


def test_a_stopped_training_goes_on_where_it_was(job):
    whole = produce(job)
    assert whole is not None
    kept = {name: best_weights(job.run_folder / name) for name in ("baseline", "autoencoder", "attention")}
    maps = {file: file.stat().st_mtime_ns for file in job.run_folder.rglob("saliency-*/*.npz")}
    again = produce(replace(job, resume=True))
    assert maps and maps == {file: file.stat().st_mtime_ns for file in job.run_folder.rglob("saliency-*/*.npz")}
    for name, weights in kept.items():
        assert all(torch.equal(value, best_weights(job.run_folder / name)[key]) for key, value in weights.items())
    assert all(torch.equal(value, again.weights()[key]) for key, value in whole.weights().items())


def test_attention_starts_from_the_baseline(job):
    pipeline = ACATPipeline(replace(job, changes=CHANGES | {"fine_tuning_rate": "0", "weight_decay": "0"}))
    pipeline.prepare()
    pipeline.fit(job.machine.fabric(job.run_folder))
    own, theirs = dict(pipeline.nets.acat.image.named_parameters()), dict(pipeline.nets.baseline.named_parameters())
    assert all(torch.equal(value, theirs[name]) for name, value in own.items())


def test_other_weights_or_another_search_have_other_maps(job):
    pipeline = ACATPipeline(job)
    search, nets = pipeline.preset.search, Networks(Architecture(size=16, width=4, autoencoder_width=4))
    first = identity(search, nets.baseline)
    assert first == identity(search, nets.baseline) != identity(replace(search, alpha=search.alpha + 1), nets.baseline)
    with torch.no_grad():
        next(nets.baseline.parameters()).add_(1)
    assert first != identity(search, nets.baseline)


def test_classes_are_sides_where_they_are_known_and_else_absence_and_presence(place):
    collection = heads(place)
    assert sides_known(collection) and {*np.unique(targets(collection))} <= {0, 1, 2, 3}
    collection.attributes = {}
    assert not sides_known(collection) and np.array_equal(targets(collection), collection.labels[:, 0])
    collection.labels[3] = np.nan
    assert targets(collection)[3] == -1


def test_single_pictures_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="volumes are needed"):
        TrainingData(open_collection("vagan_synthetic", count=50), DEMO)


def test_a_checkpoint_knows_scans_unlike_those_it_learned_from(job, place):
    """Heads of other patients are alike; a chest, and the same heads with the slices across, are not."""
    checkpoint = produce(job)
    model = open_model(checkpoint, "cpu")
    scores = [model.alike(model.preprocess(job.collection.image(index))) for index in range(10)]
    assert np.mean([score <= limit for score, limit in scores]) >= 0.8
    chest = Scan.of(chest_pixels(20, 3), kind="CT")
    (record,) = model.explain(chest)
    assert record.like_training is False
    tensors = {name for name in checkpoint.arrays() if name.startswith(TENSORS)}
    without = with_detector(checkpoint, {}, "python -m engine detector acat-tiny")
    assert tensors and open_model(without, "cpu").explain(chest)[0].in_distribution is None


def test_the_detector_of_volumes_can_be_fitted_again(job, monkeypatch, capsys):
    checkpoint = produce(job)
    bare = with_detector(checkpoint, {}, "python -m engine detector acat-tiny")
    command = import_module("engine.commands.detector")
    monkeypatch.setattr(command, "opened", lambda *_, **__: job.collection)
    command.detector(str(bare.folder))
    assert "unlike its training pictures" in capsys.readouterr().out
    again = open_model(bare.folder, "cpu").detector
    assert again.limit == pytest.approx(open_model(checkpoint.folder, "cpu").detector.limit)
