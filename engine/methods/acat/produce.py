"""From a training job to a checkpoint of ACAT: Algorithm 1 of Fontanella et al. 2023 as one command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric

from engine.checkpoints.card import placeholder_card
from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.explanation import fitting_change_limit
from engine.methods.acat.counterfactual import Search
from engine.methods.acat.evaluate import Looked, evaluate
from engine.methods.acat.explain import ACATModel
from engine.methods.acat.maps import identity, keep_saliency, read_saliency, together
from engine.methods.acat.network import ACAT
from engine.methods.acat.train import (
    Architecture,
    AttentionPhase,
    AutoencoderPhase,
    BaselinePhase,
    Networks,
    TrainingData,
)
from engine.metrics.classification import youden_threshold
from engine.networks.fused import fused
from engine.preprocessing import Preprocessing
from engine.training.job import TrainingJob
from engine.training.pipeline import PhasedPipeline, run_pipeline

INTENDED = (
    "Research and teaching: to see what would have to change in a volume for a classifier to change its mind, and how "
    "a map of that steers a second classifier. Not for diagnosis. The counterfactual is sought in the latent space of "
    "an autoencoder and shows what the classifiers react to; that need not be all of a lesion. A scan whose slices lie "
    "otherwise than those of the training scans is not comparable."
)
CALIBRATED = 200  # validation scans that operating point and scales rest on


class ACATPipeline(PhasedPipeline):
    """Baseline and autoencoder, counterfactuals of all training scans, and ACAT that starts from the baseline."""

    name = "acat"
    nets: Networks
    phases = ("baseline", "autoencoder", "attention")

    def prepare(self) -> None:
        job = self.job
        if job.start_from:
            raise ValueError("ACAT is trained from the beginning; leave --start-from out.")
        if self.preset.batch % job.machine.devices:
            raise ValueError(f"batches of {self.preset.batch} cannot be shared by {job.machine.devices} devices.")
        self.preset = self.preset.suited_to(job.collection)
        architecture = self.preset.architecture
        self.data = TrainingData(job.collection, self.preset)
        torch.manual_seed(job.seed)
        self.nets, self.learning = Networks(architecture), Networks(architecture)
        self.reached = 0.0

    def fit(self, fabric: Fabric) -> None:
        job, preset, data, nets = self.job, self.preset, self.data, self.nets
        data.films.read(np.concatenate([*data.parts.values()]))
        learning = self.learning
        self._learn("baseline", BaselinePhase(data, preset, learning.baseline, nets.baseline, job.seed), fabric)
        self._learn(
            "autoencoder", AutoencoderPhase(data, preset, learning.autoencoder, nets.autoencoder, job.seed), fabric
        )
        maps, self.reached = self._saliency(fabric)
        learning.acat = ACAT.from_baseline(nets.baseline, **preset.architecture.classifier)
        self._learn("attention", AttentionPhase(data, preset, learning.acat, nets.acat, maps, job.seed), fabric)

    def _learn(self, name: str, phase: BaselinePhase | AutoencoderPhase, fabric: Fabric) -> None:
        phase.average.load_state_dict(self.learn(name, phase, fabric))
        phase.average.to(fabric.device).eval().requires_grad_(False)

    def _saliency(self, fabric: Fabric) -> tuple[Mapping[int, np.ndarray], float]:
        """Of training and validation scans, from the baseline."""
        nets, search = self.nets, self.preset.search
        folder = self.job.run_folder / f"saliency-{identity(search, nets.baseline, nets.autoencoder)}"
        indices = np.concatenate([self.data.parts[part] for part in ("train", "validation")])
        parts = together(indices)
        own = slice(fabric.global_rank, None, fabric.world_size)
        folded, read = fused(nets), self.data.films.batch
        keep_saliency(read, parts, folded.baseline, folded.autoencoder, search, folder, fabric.device, own)
        fabric.barrier()
        return read_saliency(folder, len(parts))

    def configuration(self) -> dict[str, Any]:
        finding = self.job.collection.findings[0]
        return {
            "slices": self.preset.slices,
            "search": asdict(self.preset.search),
            "scales": {finding: 1.0},
            "change_limit": 0.5,
        }

    def calibrated(self, model: ACATModel) -> dict[str, Any]:
        collection, finding = self.job.collection, self.job.collection.findings[0]
        chosen = self.data.parts["validation"][:CALIBRATED]
        looked = Looked.of(model, collection, chosen)
        threshold = youden_threshold(collection.labels[chosen, 0], looked.probabilities, finding=finding)
        span = 2 * model.preprocessing.value_range
        largest = np.abs(looked.changes).mean(0).reshape(len(chosen), -1).max(1) / span
        return {
            "thresholds": {finding: round(float(threshold), 6)},
            "scales": {finding: float(f"{max(float(np.quantile(largest, 0.9)), 1e-4):.2g}")},
            "change_limit": fitting_change_limit(looked.changes[0], span),
        }

    def measured(self, model: ACATModel):
        rows, remarks = evaluate(model, self.job.collection, self.job.collection.split("test"))
        return rows, remarks, []

    def intended(self) -> str:
        return INTENDED

    def remarks(self) -> Sequence[str]:
        return [f"Of training and validation scans {100 * self.reached:.1f} % of counterfactuals reached their target."]


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training) all three networks, measure on test, save.

    Raises:
        ValueError: single pictures, or several findings.
    """
    return run_pipeline(ACATPipeline(job))


def tiny(folder: Path, seed: int = 0, finding: str = "Infarct", collection: str = "stroke_phantom") -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    torch.manual_seed(seed)
    classes = 4 if collection == "stroke_phantom" else 2
    backbone = "seven_layers" if classes == 4 else "small_resnet"
    architecture = Architecture(size=16, classes=classes, backbone=backbone, width=4, autoencoder_width=4, latent=2)
    nets = Networks(architecture).eval()
    return save_checkpoint(
        folder,
        method="acat",
        config={
            "findings": [finding],
            "network": asdict(architecture),
            "preprocessing": asdict(Preprocessing(architecture.size)),
            "slices": 3,
            "search": asdict(Search(steps=3, step_size=1.0, alpha=0.1)),
            "data": {"collection": collection, "kind": "CT"},
            "thresholds": {finding: 0.5},
            "scales": {finding: 0.2},
            "change_limit": 0.5,
        },
        weights=nets.state_dict(),
        card=placeholder_card(),
    )
