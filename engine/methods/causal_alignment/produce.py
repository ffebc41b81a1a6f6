"""From a training job to a checkpoint of causal alignment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor

from engine.checkpoints.card import placeholder_card
from engine.checkpoints.format import Checkpoint, save_checkpoint
from engine.explanation import fitting_change_limit
from engine.methods.causal_alignment.evaluate import evaluate
from engine.methods.causal_alignment.explain import CausalAlignmentModel
from engine.methods.causal_alignment.latent import LatentSpace
from engine.methods.causal_alignment.network import Architecture, CausalAlignmentNetwork
from engine.methods.causal_alignment.pictures import RegionPictures, operating_point
from engine.methods.causal_alignment.train import CausalAlignmentRecipe
from engine.preprocessing import Preprocessing
from engine.training import autoencoder
from engine.training.detector import detector_tensors
from engine.training.job import TrainingJob
from engine.training.loop import best_weights, facts_of, run
from engine.training.pipeline import RecipePipeline, run_pipeline

AUTOENCODER = "autoencoder"  # the folder of its training within the classifier's
MOST_SCALED = 100  # validation pictures whose counterfactuals say where the colour bars end
ALIGNED = (
    "Research and teaching: to see a classifier whose counterfactuals were held to the region that radiologists "
    "marked. How much of its map lies there, and how much its answer follows a symbol beside the lesion, stands in the "
    "table below. Not for diagnosis."
)
UNALIGNED = (
    "Research and teaching: beside a classifier of causal alignment, to see what the alignment does. This one was "
    "trained without any alignment. How much of its map lies in the marked region, and how much its answer follows a "
    "symbol beside the lesion, stands in the table below. Not for diagnosis."
)


class CausalAlignmentPipeline(RecipePipeline):
    """The classifier of causal alignment."""

    name = "causal_alignment"

    def recipe(self) -> CausalAlignmentRecipe:
        self.aligning = CausalAlignmentRecipe(self.job.collection, self.preset, self.job.seed)
        return self.aligning

    def fit(self, fabric: Fabric) -> None:
        p, minutes = self.preset, self.job.minutes
        if p.autoencoder_steps:
            share = p.autoencoder_steps / (p.autoencoder_steps + p.steps)
            self._learn_latent(fabric, None if minutes is None else minutes * share)
            minutes = None if minutes is None else minutes * (1 - share)
        run(self.trained, self.job.run_folder, fabric, resume=self.job.resume, minutes=minutes)

    def _learn_latent(self, fabric: Fabric, minutes: float | None) -> None:
        """Trains the autoencoder, or goes on training it, in a folder of the run's."""
        p, folder = self.preset, self.job.run_folder / AUTOENCODER
        wanted = autoencoder.Preset(
            p.latent_width, p.latent_channels, p.autoencoder_steps, max(p.autoencoder_steps // 3, 1)
        )
        wanted = replace(wanted, batch=min(wanted.batch, len(self.job.collection.split("train"))))
        recipe = autoencoder.AutoencoderRecipe(self.job.collection, self.films, wanted, self.job.seed, LatentSpace)
        run(recipe, folder, fabric, resume=self.job.resume, minutes=minutes)
        space = cast(LatentSpace, recipe.net)
        space.load_state_dict(best_weights(folder))
        self.aligning.latent = space.eval().requires_grad_(False)

    def spent(self) -> str:
        if not self.preset.autoencoder_steps:
            return super().spent()
        facts = facts_of(self.job.run_folder / AUTOENCODER)
        return f"autoencoder {facts['seconds'] / 60:.0f} minutes for {facts['step']} steps, {super().spent()}"

    def weights(self) -> Mapping[str, Tensor]:
        parts = {"scale": self.aligning.scale(self.preset.space), "attribute_scale": self._attribute_scale()}
        latent = {} if self.aligning.latent is None else self.aligning.latent.state_dict()
        scales = {name: scale for name, scale in parts.items() if scale is not None}
        return {**super().weights(), **{f"latent.{k}": v.cpu() for k, v in latent.items()}, **scales}

    def _attribute_scale(self) -> Tensor | None:
        return self.aligning.scale("attributes") if self._concepts else None

    @property
    def aligned(self) -> bool:
        return bool(self.preset.lambda_image or (self.preset.lambda_attributes and self._concepts))

    @property
    def _latent_sizes(self) -> dict[str, int]:
        return {"width": self.preset.latent_width, "channels": self.preset.latent_channels}

    @property
    def _concepts(self) -> list[str]:
        return list(self.job.collection.concepts) if self.preset.hierarchical else []

    def configuration(self) -> dict:
        table = self.aligning.table
        return {
            **({} if table is None else {"diagnosis_table": table.counts()}),
            "concepts": self._concepts,
            "crop": self.job.collection.crop,
            "counterfactual": {
                "alpha_image": self.preset.alpha_image,
                "alpha_attributes": self.preset.alpha_attributes,
                "alpha_latent": self.preset.alpha_latent,
                "distance": self.preset.distance,
                "space": self.preset.space,
                **({"latent": self._latent_sizes} if self.preset.autoencoder_steps else {}),
            },
            "scales": dict.fromkeys(self.job.collection.findings, 1.0),
        }

    def calibrated(self, model: CausalAlignmentModel) -> dict:
        """From validation pictures with random symbols: operating point by Youden's index, and colour scales."""
        collection, (finding,) = self.job.collection, model.findings
        chosen = collection.split("validation")
        chosen = chosen[~np.isnan(collection.labels[chosen, 0])]
        pictures = RegionPictures(collection, model.preprocessing)
        seen = pictures.random_symbols(chosen)
        threshold = operating_point(model.net, pictures, model.device)
        seen = seen[:: max(len(seen) // MOST_SCALED, 1)][:MOST_SCALED]
        otherwise, _ = model.counterfactuals(seen, np.zeros(len(seen)))
        span = 2 * model.preprocessing.value_range
        largest = float(np.median(np.abs(otherwise - seen).max(axis=(1, 2))) / span)  # few pixels change much
        return {
            "thresholds": {finding: round(threshold, 6)},
            "scales": {finding: float(f"{max(largest, 1e-6):.2g}")},
            "change_limit": fitting_change_limit(otherwise - seen, span),
        }

    def measured(self, model: CausalAlignmentModel):
        rows, remarks = evaluate(model, self.job.collection, self.job.collection.split("test"))
        return rows, remarks, []

    def intended(self) -> str:
        return ALIGNED if self.aligned else UNALIGNED


def produce(job: TrainingJob) -> Checkpoint | None:
    """Train (or go on training), choose the operating point on validation, measure on test, save.

    Raises:
        ValueError: guidance is asked for, several findings, or settings or a start that do not fit.
    """
    return run_pipeline(CausalAlignmentPipeline(job))


def tiny(folder: Path, seed: int = 0, concepts: tuple[str, ...] = ("margin", "spiculation")) -> Checkpoint:
    """A small checkpoint with random weights, for tests."""
    torch.manual_seed(seed)
    net = CausalAlignmentNetwork(len(concepts), Architecture(size=16, width=4, halvings=1, hidden=4))
    with torch.no_grad():
        net.image.last.weight.mul_(10)
    pictures = np.random.default_rng(seed).uniform(-0.9, 0.9, (40, 16, 16)).astype(np.float32)
    config = {
        "findings": ["Malignant"],
        "concepts": list(concepts),
        "crop": "whole",
        "counterfactual": {"alpha_image": 0.05, "alpha_attributes": 0.05},
        "network": asdict(net.architecture),
        "preprocessing": asdict(Preprocessing(16)),
        "data": {"collection": "lidc_implants", "kind": "unknown", "guidance": "none"},
        "thresholds": {"Malignant": 0.5},
        "scales": {"Malignant": 0.2},
    }
    detector = detector_tensors(pictures[:30], pictures[30:])
    weights = {f"net.{k}": v for k, v in net.state_dict().items()} | detector
    return save_checkpoint(folder, method="causal_alignment", config=config, weights=weights, card=placeholder_card())
