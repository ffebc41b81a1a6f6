"""From a training job to a checkpoint of the supervised U-Net."""

from __future__ import annotations

from pathlib import Path

from engine.checkpoints.format import Checkpoint
from engine.methods.supervised import explain
from engine.registry import methods
from engine.training.job import TrainingJob


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training), fit the probabilities on validation, measure on test, save."""
    return explain.produce(job, methods()["supervised"])


def tiny(folder: Path) -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    return explain.tiny(folder, "supervised")
