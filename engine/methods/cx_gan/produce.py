"""From a training job to a checkpoint of CX-GAN."""

from __future__ import annotations

from pathlib import Path

from engine.checkpoints.format import Checkpoint
from engine.methods.cx_gan.network import Architecture, MapGenerator
from engine.methods.cx_gan.train import PRESETS, CxGanRecipe
from engine.methods.map_translation import produce as shared
from engine.registry import methods
from engine.training.job import TrainingJob


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training), measure and save, as `map_translation.produce` does it."""
    return shared.produce(job, methods()["cx_gan"], PRESETS, CxGanRecipe)


def tiny(folder: Path) -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    return shared.tiny(folder, "cx_gan", MapGenerator(Architecture(size=32, width=4, levels=3, critic_width=4)))
