"""From a training job to a checkpoint with a complete card."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from engine.checkpoints.card import chest_subgroups, placeholder_card
from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.explanation import fitting_change_limit
from engine.methods.attri_net.evaluate import look, measures
from engine.methods.attri_net.explain import AttriNetModel
from engine.methods.attri_net.network import Architecture, AttriNet
from engine.methods.attri_net.train import AttriNetRecipe
from engine.metrics.classification import youden_threshold
from engine.preprocessing import Preprocessing
from engine.training.detector import detector_tensors
from engine.training.job import TrainingJob
from engine.training.pipeline import RecipePipeline, run_pipeline

FAINTEST_SCALE = 0.01  # log-odds per cell: evidence below that moves no call, and a scale that fits it would shout
INTENDED = (
    "Research and teaching: to see what an inherently interpretable classifier looks at. Not for diagnosis. It knows "
    "its findings only, on frontal chest radiographs like those it was trained on; other scans are marked as such. A "
    "counterfactual shows what would change this model's answer. It does not show what the patient would look like in "
    "health."
)


class AttriNetPipeline(RecipePipeline):
    """Attri-Net: thresholds by Youden's index (3.7), a colour scale for each finding."""

    name = "attri_net"
    guided = True

    def recipe(self) -> AttriNetRecipe:
        job = self.job
        return AttriNetRecipe(job.collection, self.preset, job.guidance, job.seed, job.compiled, job.pairs)

    def configuration(self) -> dict:
        return {"scales": dict.fromkeys(self.job.collection.findings, 1.0)}

    def calibrated(self, model: AttriNetModel) -> dict:
        return _operating_points(model, self.job.collection)

    def measured(self, model: AttriNetModel):
        collection, test = self.job.collection, self.job.collection.split("test")
        seen = look(model, collection, test)
        rows, remarks = measures(model, collection, test, seen)
        return rows, remarks, chest_subgroups(collection, test, seen.probabilities)

    def intended(self) -> str:
        return INTENDED


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training), choose operating points on validation, measure on test, save.

    Returns:
        the checkpoint; None in all but the first of several processes.
    """
    return run_pipeline(AttriNetPipeline(job))


def _operating_points(model: AttriNetModel, collection) -> dict:
    """Thresholds by Youden's index (3.7), one colour scale a finding and one for changes, from validation."""
    chosen = collection.split("validation")
    seen, labels = look(model, collection, chosen), collection.labels[chosen]
    thresholds, scales = {}, {}
    for c, finding in enumerate(collection.findings):
        known = ~np.isnan(labels[:, c])
        thresholds[finding] = round(
            float(youden_threshold(labels[known, c], seen.probabilities[known, c], finding=finding)), 6
        )
        positive = np.abs(seen.weighted[labels[:, c] == 1, c].astype(np.float32))
        scales[finding] = float(f"{max(np.quantile(positive, 0.995), FAINTEST_SCALE):.2g}")
    return {
        "thresholds": thresholds,
        "scales": scales,
        "change_limit": fitting_change_limit(seen.maps, 2 * model.preprocessing.value_range),
    }


def tiny(folder: Path, findings: tuple[str, ...] = ("Atelectasis", "Cardiomegaly"), seed: int = 0) -> Checkpoint:
    """A small Attri-Net with random weights, for tests."""
    torch.manual_seed(seed)
    architecture = Architecture(size=32, width=4, residual_blocks=1, critic_layers=4, pool=8, code_repeat=4)
    net = AttriNet(findings, architecture)
    torch.nn.init.normal_(net.generator.last.weight, std=0.05)
    torch.nn.init.normal_(net.classifiers.weight)
    torch.nn.init.normal_(net.centres.value, std=0.1)
    pictures = np.random.default_rng(seed).uniform(-0.9, 0.9, (40, 32, 32)).astype(np.float32)
    return save_checkpoint(
        folder,
        method="attri_net",
        config={
            "findings": list(findings),
            "network": asdict(architecture),
            "preprocessing": asdict(Preprocessing(32)),
            "data": {"collection": "phantom", "kind": "radiograph", "guidance": "none"},
            "thresholds": dict.fromkeys(findings, 0.5),
            "scales": dict.fromkeys(findings, 0.2),
        },
        weights={f"net.{k}": v for k, v in net.state_dict().items()} | detector_tensors(pictures[:30], pictures[30:]),
        card=placeholder_card(),
    )
