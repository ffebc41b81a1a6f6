"""From a training job to a checkpoint of VA-GAN."""

from __future__ import annotations

from pathlib import Path

from engine.checkpoints.format import Checkpoint
from engine.methods.map_translation import produce as map_translation
from engine.methods.va_gan.train import Architecture, MapGenerator, VaGanRecipe
from engine.training.job import TrainingJob
from engine.training.pipeline import run_pipeline


class VaGanPipeline(map_translation.MapTranslationPipeline):
    """VA-GAN's recipe; the rest is what map translations share."""

    name = "va_gan"
    recipe_class = VaGanRecipe


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training), fit the probability on validation, measure on test, save.

    Raises:
        ValueError: guidance is asked for, which the method does not have, or settings or a start that do not fit.
    """
    return run_pipeline(VaGanPipeline(job))


def tiny(folder: Path) -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    architecture = Architecture(size=32, width=4)
    return map_translation.tiny(folder, "va_gan", MapGenerator(architecture), architecture)
