"""From a training job to a checkpoint of VA-GAN."""

from __future__ import annotations

from pathlib import Path

from engine.checkpoints.format import Checkpoint
from engine.methods.map_translation import produce as shared
from engine.methods.va_gan.train import PRESETS, Architecture, MapGenerator, VaGanRecipe
from engine.registry import methods
from engine.training.job import TrainingJob


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training), measure and save, as `map_translation.produce` does it."""
    return shared.produce(job, methods()["va_gan"], PRESETS, VaGanRecipe)


def tiny(folder: Path) -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    return shared.tiny(folder, "va_gan", MapGenerator(Architecture(size=32, width=4)))
