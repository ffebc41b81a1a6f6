"""The one way from a training job to a checkpoint."""

from dataclasses import replace

import numpy as np
import pytest

from engine.methods.attri_net.produce import AttriNetPipeline
from engine.methods.supervised.produce import SupervisedPipeline
from engine.training.job import TrainingJob
from engine.training.loop import Machine, leave
from engine.training.pipeline import run_pipeline
from tests.methods.attri_net.small import patients

CHANGES = {
    "size": "32",
    "width": "4",
    "levels": "2",
    "steps": "2",
    "validate_every": "2",
    "made_pairs": "4",
    "validated": "8",
}


@pytest.fixture
def job(tmp_path):
    return TrainingJob(
        name="tiny",
        collection=patients(),
        terms="Drawn.",
        preset="demo",
        changes=CHANGES,
        guidance=None,
        guidance_words="none",
        machine=Machine("cpu"),
        seed=0,
        command="python -m engine train supervised",
        destination=tmp_path / "checkpoints",
        runs=tmp_path / "runs",
    )


def test_minutes_that_are_none_are_refused_and_those_given_end_the_training(job):
    with pytest.raises(ValueError, match="minutes must be above 0, got 0"):
        replace(job, minutes=0)
    checkpoint = run_pipeline(SupervisedPipeline(replace(job, changes=CHANGES | {"steps": "5000"}, minutes=1e-4)))
    assert checkpoint is not None and checkpoint.config["training"]["steps_done"] == 1


def test_what_is_measured_is_the_calibrated_model_and_the_checkpoint_holds_both(job):
    class Watched(SupervisedPipeline):
        def calibrated(self, model):
            self.before = model.thresholds.copy()
            return super().calibrated(model)

        def measured(self, model):
            self.seen = model.thresholds.copy()
            return super().measured(model)

        def remarks(self):
            return ["Said by the method."]

    pipeline = Watched(job)
    checkpoint = run_pipeline(pipeline)
    kept = np.array([checkpoint.config["thresholds"][finding] for finding in job.collection.findings], np.float32)
    assert np.array_equal(pipeline.before, np.full(len(kept), 0.5, np.float32))
    assert np.array_equal(pipeline.seen, kept)
    assert checkpoint.config["training"]["steps_done"] == 2 and "calibration" in checkpoint.config
    assert "Said by the method." in checkpoint.card and "2 steps" in checkpoint.card


def test_guidance_is_refused_by_a_method_that_has_none_before_anything_is_trained(job):
    guided = replace(job, guidance=object(), guidance_words="drawn")
    with pytest.raises(ValueError, match="trained without guidance; leave --guidance out"):
        SupervisedPipeline(guided)
    assert AttriNetPipeline(replace(guided, changes={})).guided
    assert not job.run_folder.exists()


def test_pairs_that_the_devices_cannot_share_are_refused(job):
    with pytest.raises(ValueError, match="cannot be shared by 2 devices"):
        AttriNetPipeline(replace(job, changes={"pairs": "5"}, machine=Machine("cpu", devices=2)))


def test_one_process_has_no_group_to_leave(tmp_path):
    leave(Machine("cpu").fabric(tmp_path))
