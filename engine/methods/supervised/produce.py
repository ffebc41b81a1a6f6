"""From a training job to a checkpoint of the supervised U-Net."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from engine.checkpoints.card import chest_subgroups, placeholder_card
from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.datasets.collection import Collection
from engine.explanation import fitting_change_limit
from engine.methods.supervised.evaluate import evaluate, look
from engine.methods.supervised.explain import SupervisedModel
from engine.methods.supervised.train import Architecture, SupervisedRecipe, SupervisedUNet
from engine.metrics.classification import youden_threshold
from engine.preprocessing import Preprocessing
from engine.training.calibration import fitted_to_sizes
from engine.training.detector import detector_tensors
from engine.training.job import TrainingJob
from engine.training.pipeline import RecipePipeline, run_pipeline

INTENDED = (
    "Research and teaching: to see the map of a network that was trained on the true counterfactual of every picture. "
    "No labelled collection offers that. Not for diagnosis. Its probability is a function of the size of the map alone."
)


class SupervisedPipeline(RecipePipeline):
    """The U-Net: a logistic function of its change's size for each finding."""

    name = "supervised"

    def recipe(self) -> SupervisedRecipe:
        return SupervisedRecipe(self.job.collection, self.preset, self.job.seed, self.job.pairs)

    def configuration(self) -> dict:
        findings = self.job.collection.findings
        return {"calibration": {finding: [1.0, 0.0] for finding in findings}, "scales": dict.fromkeys(findings, 1.0)}

    def calibrated(self, model: SupervisedModel) -> dict:
        return _fitted(model, self.job.collection)

    def measured(self, model: SupervisedModel):
        collection, test = self.job.collection, self.job.collection.split("test")
        rows, remarks = evaluate(model, collection, test)
        return rows, remarks, chest_subgroups(collection, test, look(model, collection, test)[2])

    def intended(self) -> str:
        return INTENDED


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training), fit the probabilities on validation, measure on test, save."""
    return run_pipeline(SupervisedPipeline(job))


def _fitted(model: SupervisedModel, collection: Collection) -> dict:
    """From validation: each finding's logistic function, operating point by Youden's index, and colour scale."""
    chosen = collection.split("validation")
    _, maps, _ = look(model, collection, chosen)
    sizes = np.sqrt((maps.astype(np.float32) ** 2).mean(axis=(2, 3)))
    calibration, thresholds, scales = {}, {}, {}
    for c, finding in enumerate(model.findings):
        labels = collection.labels[chosen, c]
        known = ~np.isnan(labels)
        slope, middle, believed = fitted_to_sizes(sizes[known, c], labels[known])
        calibration[finding] = [round(slope, 6), round(middle, 6)]
        thresholds[finding] = round(float(youden_threshold(labels[known], believed, finding=finding)), 6)
        strength = np.abs(maps[labels == 1, c].astype(np.float32)) / (2 * model.preprocessing.value_range)
        scales[finding] = float(f"{max(float(np.quantile(strength, 0.995)), 1e-6):.2g}")
    limit = fitting_change_limit(maps, 2 * model.preprocessing.value_range)
    return {"calibration": calibration, "thresholds": thresholds, "scales": scales, "change_limit": limit}


def tiny(folder: Path, findings: tuple[str, ...] = ("Atelectasis", "Effusion"), seed: int = 0) -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    torch.manual_seed(seed)
    net = SupervisedUNet(len(findings), Architecture(size=32, width=4, levels=2))
    torch.nn.init.normal_(net.last.weight, std=0.05)
    pictures = np.random.default_rng(seed).uniform(-0.9, 0.9, (40, 32, 32)).astype(np.float32)
    config = {
        "findings": list(findings),
        "network": asdict(net.architecture),
        "preprocessing": asdict(Preprocessing(32)),
        "data": {"collection": "phantom", "kind": "radiograph", "guidance": "none"},
        "calibration": {finding: [1.0, -1.0] for finding in findings},
        "thresholds": dict.fromkeys(findings, 0.5),
        "scales": dict.fromkeys(findings, 0.2),
    }
    weights = {f"net.{k}": v for k, v in net.state_dict().items()} | detector_tensors(pictures[:30], pictures[30:])
    return save_checkpoint(folder, method="supervised", config=config, weights=weights, card=placeholder_card())
