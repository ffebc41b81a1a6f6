"""How a classifier is trained on pictures whose region an expert marked: what all share that stand in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.datasets.identity import data_settings
from engine.methods.causal_alignment.network import RegionClassifier
from engine.methods.causal_alignment.pictures import RegionBatch, RegionPictures, symbol_scores
from engine.methods.causal_alignment.presets import Preset
from engine.preprocessing import Preprocessing
from engine.training.loop import PictureRecipe, descend, follow, total

if TYPE_CHECKING:
    from lightning.fabric import Fabric


class RegionRecipe(PictureRecipe):
    """A classifier of one finding on pictures whose region an expert marked.

    A subclass says what is learned from a batch.

    Args:
        collection: with one finding; its pictures carry `symbols` or none.
        net: the classifier.
        pictures: what it is shown, by the collection and the preprocessing.

    Raises:
        ValueError: another number of findings, or fewer training pictures than a batch.
    """

    def __init__(
        self,
        collection: Collection,
        preset: Preset,
        net: RegionClassifier,
        seed: int = 42,
        pictures: Callable[[Collection, Preprocessing], RegionPictures] = RegionPictures,
    ):
        if len(collection.findings) != 1:
            raise ValueError(
                f"causal alignment learns one diagnosis, got {', '.join(collection.findings)}; name one with --finding."
            )
        self.collection, self.preset, self.seed = collection, preset, seed
        self.steps, self.validate_every, self.keep_last = preset.steps, preset.validate_every, bool(preset.keep_last)
        self.net, self.average = net, deepcopy(net)
        self.pictures = pictures(
            collection,
            Preprocessing(preset.architecture.size, preset.percentile, preset.value_range, collection.grey_range),
        )
        self.films = self.pictures.films
        labels = collection.labels[self.pictures.train, 0]
        self.positive_weight = float((labels == 0).sum() / max((labels == 1).sum(), 1)) if preset.balanced else 1.0
        if len(self.pictures.train) < preset.batch:
            raise ValueError(
                f"a batch of {preset.batch} needs as many training pictures; there are {len(self.pictures.train)}."
            )
        self._optimiser = torch.optim.AdamW(net.parameters(), lr=preset.learning_rate, weight_decay=preset.weight_decay)

    def losses(self, batch: RegionBatch, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        """What is learned from a batch, and what else is logged."""
        return {"diagnosis": self.diagnosis_loss(self.net(batch.x)[1], batch.y)}, {}

    def diagnosis_loss(self, odds: Tensor, y: Tensor) -> Tensor:
        """Binary cross-entropy, both diagnoses weighing alike where the preset says so."""
        return F.binary_cross_entropy_with_logits(odds, y, pos_weight=odds.new_tensor(self.positive_weight))

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.net, "average": self.average}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"net": self._optimiser}

    def weights_to_keep(self) -> dict[str, Tensor]:
        return {f"net.{k}": v for k, v in self.average.state_dict().items()}

    def settings(self) -> dict:
        chosen = {k: v for k, v in asdict(self.preset).items() if k not in ("steps", "validate_every", "falling")}
        return chosen | {"findings": list(self.collection.findings)} | data_settings(self.collection)

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        try:
            for network in (self.net, self.average):
                network.load_state_dict({k.removeprefix("net."): v for k, v in weights.items() if k.startswith("net.")})
        except RuntimeError as error:
            raise ValueError("the weights to start from are of another network; train with its settings.") from error

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        if fabric.world_size > 1:
            raise ValueError("causal alignment trains on one device; leave --devices out.")
        p = self.preset
        share = min(1.0, (self.steps - step) / (p.falling * self.steps)) if p.falling else 1.0
        for group in self._optimiser.param_groups:
            group["lr"] = p.learning_rate * max(share, 0.02)
        batch = self.pictures.batch(self.draw("batch", step), p.batch, p.augmentation, bool(p.mirror)).to(fabric.device)
        losses, said = self.losses(batch, step)
        descend(total(losses), self._optimiser, fabric, longest=5.0)
        follow(self.average, self.net, p.averaging, step)
        return {name: float(loss.detach()) for name, loss in losses.items()} | said

    def validate(self, fabric: Fabric) -> dict[str, float]:
        """On validation pictures with random symbols: AUC, accuracy at even odds, CAM precision, and decisions that
        flip with the symbol; the score is the mean of AUC and precision.
        """
        self.average.to(fabric.device).eval()
        scores = symbol_scores(self.average, self.pictures, self.collection.split("validation"), fabric.device)
        return {"score": (scores["auc"] + scores["cam_precision"]) / 2, **scores}
