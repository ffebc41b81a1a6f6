"""A ResNet-50 (He et al. 2016) trained on the same films as Attri-Net: what a black box makes of them (4.3 of Sun et
al. 2025).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.datasets.identity import agree, data_settings
from engine.files import write_whole
from engine.metrics.classification import validation_score
from engine.networks.augmentation import Augmentation
from engine.networks.films import Films
from engine.preprocessing import Preprocessing
from engine.training.loop import Machine, Recipe, best_weights, facts_of, train_in

if TYPE_CHECKING:
    from lightning.fabric import Fabric

SCORES = "scores.json"


@dataclass(frozen=True)
class Preset:
    """How the baseline is trained. Rate and decay are the paper's (4.3); its authors' code has batches of 4.

    Attributes:
        size, percentile, value_range, augmentation: of the films; take them from the model that is compared.
        steps: 865,000 batches of 4 are the paper's 50 epochs of ChestX-ray8's 69,200 training films.
    """

    size: int = 320
    steps: int = 865_000
    validate_every: int = 5000
    batch: int = 4
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    percentile: float = 1.0
    value_range: float = 0.9
    augmentation: Augmentation = field(default_factory=Augmentation)


PRESETS: Mapping[str, Preset] = {
    "paper": Preset(),
    "gpu": Preset(size=224, steps=4000, validate_every=250, batch=32),
    "demo": Preset(size=96, steps=700, validate_every=100, batch=32),
}


class ResNet50Recipe(Recipe):
    """A ResNet-50 from random weights, one log-odds a finding; labels that are NaN take no part in the loss.

    It trains on one device: batch normalisation sees the batch of one process.
    """

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42):
        self.collection, self.preset, self.seed = collection, preset, seed
        self.steps, self.validate_every = preset.steps, preset.validate_every
        torch.manual_seed(seed)
        self.net = self.network(len(collection.findings)).to(memory_format=torch.channels_last)
        self.films = Films(collection, Preprocessing(preset.size, preset.percentile, preset.value_range))
        self.train = collection.split("train")
        if len(self.train) < preset.batch:
            raise ValueError(f"a batch of {preset.batch} needs as many training pictures; there are {len(self.train)}.")
        self._optimiser = None

    def network(self, findings: int) -> nn.Module:
        """What is trained, with random weights: (B, 1, size, size) to (B, findings) log-odds."""
        return network(findings)

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.net}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        if self._optimiser is None:
            p = self.preset
            self._optimiser = torch.optim.Adam(self.net.parameters(), lr=p.learning_rate, weight_decay=p.weight_decay)
        return {"net": self._optimiser}

    def weights_to_keep(self) -> dict[str, Tensor]:
        return self.net.state_dict()

    def settings(self) -> dict:
        return _settings(self.collection, self.preset)

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        if fabric.world_size > 1:
            raise ValueError("the ResNet-50 baseline trains on one device; leave --devices out.")
        pictures, labels = (part.to(fabric.device) for part in self.batch(step))
        self.net.train()
        optimiser = self.optimisers()["net"]
        optimiser.zero_grad()
        with fabric.autocast():
            logits = self.net(pictures.contiguous(memory_format=torch.channels_last))
        loss = masked_loss(logits.float(), labels)
        fabric.backward(loss)
        optimiser.step()
        return {"classification": float(loss.detach())}

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Augmented pictures (B, 1, H, W) and labels (B, C) with NaN for unknown; every epoch in an order
        of its own.
        """
        p, count = self.preset, len(self.train)
        epochs, places = np.divmod(np.arange(step * p.batch, (step + 1) * p.batch), count)
        orders = {epoch: self.draw("order", epoch).permutation(self.train) for epoch in np.unique(epochs).tolist()}
        chosen = np.array([orders[epoch][place] for epoch, place in zip(epochs.tolist(), places.tolist())])
        changes = torch.from_numpy(self.draw("batch", step).uniform(-1, 1, (p.batch, 5)).astype(np.float32))
        pictures, _ = p.augmentation(self.films.batch(chosen), changes, p.value_range)
        return pictures, torch.from_numpy(self.collection.labels[chosen])

    def validate(self, fabric: Fabric) -> dict[str, float]:
        chosen = self.collection.split("validation")
        return validation_score(self.collection.labels[chosen], self.scores(chosen, fabric), self.collection.findings)

    @torch.no_grad()
    def scores(self, indices: np.ndarray, fabric: Fabric, batch: int = 64) -> np.ndarray:
        """Probabilities (N, C) for the pictures at `indices`."""
        self.net.to(fabric.device).eval()
        found = []
        for start in range(0, len(indices), batch):
            pictures = self.films.batch(indices[start : start + batch]).to(fabric.device)
            with fabric.autocast():
                logits = self.net(pictures.contiguous(memory_format=torch.channels_last))
            found.append(torch.sigmoid(logits.float()).cpu().numpy())
        return np.concatenate(found)


def network(findings: int) -> nn.Module:
    """torchvision's ResNet-50 with random weights, one grey channel in and one log-odds a finding out."""
    net = torchvision.models.resnet50(weights=None, num_classes=findings)
    net.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision does
    return net


def masked_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy, the mean over the known labels; (B, C) each, NaN is unknown."""
    known = ~labels.isnan()
    losses = F.binary_cross_entropy_with_logits(logits, labels.nan_to_num(), reduction="none")
    return (losses * known).sum() / known.sum().clamp_min(1)


def scores_on_test(
    collection: Collection, preset: Preset, folder: Path, machine: Machine, seed: int = 42, train: bool = True
) -> np.ndarray | None:
    """Probabilities (N, C) on the test part; from `folder / SCORES` where the same training has left them there.

    Args:
        train: whether to train, or go on with a stopped training, where there are none; else the answer is None.
    """
    test = collection.split("test")
    digest = hashlib.sha256(
        b"".join(np.ascontiguousarray(part).tobytes() for part in (collection.labels[test], collection.patients[test]))
    )
    settings = json.loads(
        json.dumps(_settings(collection, preset) | {"steps": preset.steps, "seed": seed, "test": digest.hexdigest()})
    )
    if (folder / SCORES).is_file():
        stored = json.loads((folder / SCORES).read_text(encoding="utf-8"))
        if stored["settings"].keys() == settings.keys() and all(
            agree(name, stored["settings"][name], value) for name, value in settings.items()
        ):
            return np.array(stored["scores"], np.float32)
    if not train:
        return None
    recipe = ResNet50Recipe(collection, preset, seed)
    fabric = train_in(recipe, folder, machine)
    recipe.net.load_state_dict(best_weights(folder))
    scores, facts = recipe.scores(test, fabric), facts_of(folder)
    text = json.dumps(
        {"settings": settings, "best": facts["best"], "seconds": facts["seconds"], "scores": scores.round(6).tolist()}
    )
    write_whole(folder / SCORES, text + "\n")
    return scores


def _settings(collection: Collection, preset: Preset) -> dict:
    chosen = {name: value for name, value in asdict(preset).items() if name not in ("steps", "validate_every")}
    return chosen | {"findings": list(collection.findings)} | data_settings(collection)
