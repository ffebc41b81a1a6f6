"""From a training job to a checkpoint of CX-GAN."""

from __future__ import annotations

from pathlib import Path

from engine.checkpoints.format import Checkpoint
from engine.methods.cx_gan.network import Architecture, MapGenerator
from engine.methods.cx_gan.train import CxGanRecipe
from engine.methods.map_translation import produce as map_translation
from engine.training.job import TrainingJob
from engine.training.pipeline import run_pipeline


class CxGanPipeline(map_translation.MapTranslationPipeline):
    """CX-GAN's recipe; the rest is what map translations share."""

    name = "cx_gan"
    recipe_class = CxGanRecipe


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training), fit the probability on validation, measure on test, save.

    Raises:
        ValueError: guidance is asked for, which the method does not have, or settings or a start that do not fit.
    """
    return run_pipeline(CxGanPipeline(job))


def tiny(folder: Path) -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    architecture = Architecture(size=32, width=4, levels=3, critic_width=4)
    return map_translation.tiny(folder, "cx_gan", MapGenerator(architecture), architecture)
