"""From a training job to a checkpoint of a discrepancy map with a complete card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from engine.checkpoints.card import chest_subgroups, placeholder_card
from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.explanation import fitting_change_limit
from engine.methods.map_translation.evaluate import fixed_cut, look, measures
from engine.methods.map_translation.explain import DiscrepancyModel
from engine.methods.map_translation.train import DiscrepancyRecipe
from engine.metrics.classification import youden_threshold
from engine.preprocessing import Preprocessing
from engine.training.calibration import fitted_to_sizes
from engine.training.detector import detector_tensors
from engine.training.pipeline import RecipePipeline

INTENDED = (
    "Research and teaching: to see what a picture would look like {instead}, and every pixel of the difference. Not "
    "for diagnosis. It was trained on two sets of pictures, {sets}. Its map also shows whatever else differs between "
    "the two sets. Its probability is a function of the size of the map alone."
)


class MapTranslationPipeline(RecipePipeline):
    """What CX-GAN and VA-GAN share: a logistic function of the map's size, an operating point, a colour
    scale and a cut.
    """

    recipe_class: ClassVar[Callable[..., DiscrepancyRecipe]]
    trained: DiscrepancyRecipe

    def recipe(self) -> DiscrepancyRecipe:
        job = self.job
        pairs = {} if job.pairs is None else {"pairs": job.pairs}
        return type(self).recipe_class(job.collection, self.preset, job.seed, **pairs)

    def configuration(self) -> dict:
        (finding,) = self.job.collection.findings
        return {
            "contrast_class": self.trained.contrast_class,
            "calibration": {"slope": 1.0, "middle": 0.0},
            "crop": self.job.collection.crop,
            "cut": 0.1,
            "scales": {finding: 1.0},
        }

    def calibrated(self, model: DiscrepancyModel) -> dict:
        return _fitted(model, self.job.collection)

    def measured(self, model: DiscrepancyModel):
        collection, test = self.job.collection, self.job.collection.split("test")
        seen = look(model, collection, test)
        rows, remarks = measures(model, collection, test, seen)
        return rows, remarks, chest_subgroups(collection, test, seen.probabilities[:, None])

    def intended(self) -> str:
        return intended(self.job.collection.findings[0], self.trained.contrast_class)


def intended(finding: str, contrast_class: str | None) -> str:
    """What a checkpoint for `finding` is for, in a card's words; `contrast_class` as in `DiscrepancyModel`."""
    if contrast_class is None:
        return INTENDED.format(instead=f"without {finding.lower()}", sets="with and without the finding")
    disease, other = finding.lower(), contrast_class.lower()
    sets = f"{disease} and {other} (none with neither)"
    return INTENDED.format(instead=f"with {other} instead of {disease}", sets=sets)


def _fitted(model, collection) -> dict:
    """From validation: the probability's logistic function, the operating point by Youden's index, and one
    colour scale.
    """
    chosen, finding = collection.split("validation"), collection.findings[0]
    chosen = chosen[~np.isnan(collection.labels[chosen, 0])]
    seen, labels = look(model, collection, chosen), collection.labels[chosen, 0]
    slope, middle, probabilities = fitted_to_sizes(seen.sizes, labels)
    strength = np.abs(seen.maps[labels == 1].astype(np.float32))
    limit = max(float(np.quantile(strength, 0.995)), 1e-6) / (2 * model.preprocessing.value_range)
    return {
        "calibration": {"slope": round(slope, 6), "middle": round(middle, 6)},
        "cut": fixed_cut(collection, chosen[labels == 1], strength),
        "thresholds": {finding: round(float(youden_threshold(labels, probabilities, finding=finding)), 6)},
        "scales": {finding: float(f"{limit:.2g}")},
        "change_limit": fitting_change_limit(seen.maps, 2 * model.preprocessing.value_range),
    }


def tiny(
    folder: Path, method: str, net: torch.nn.Module, architecture: Any, finding: str = "Lesion", seed: int = 0
) -> Checkpoint:
    """A small checkpoint with random weights, for tests; `architecture` is the net's."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * (0.3 if parameter.ndim > 1 else 0.05))
    size = architecture.size
    pictures = np.random.default_rng(seed).uniform(-0.9, 0.9, (40, size, size)).astype(np.float32)
    return save_checkpoint(
        folder,
        method=method,
        config={
            "findings": [finding],
            "network": asdict(architecture),
            "preprocessing": asdict(Preprocessing(size)),
            "data": {"collection": "vagan_synthetic", "kind": "unknown", "guidance": "none"},
            "calibration": {"slope": 1.0, "middle": -1.0},
            "crop": "whole",
            "cut": 0.1,
            "thresholds": {finding: 0.5},
            "scales": {finding: 0.2},
        },
        weights={f"net.{k}": v for k, v in net.state_dict().items()} | detector_tensors(pictures[:30], pictures[30:]),
        card=placeholder_card(),
    )
