"""A small classifier that two CPU cores train in minutes: the black box that attribution methods explain."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from engine.classifiers import resnet50
from engine.classifiers.resnet50 import ResNet50Recipe
from engine.datasets.collection import Collection
from engine.metrics.classification import youden_threshold
from engine.metrics.measure import NotMeasurable
from engine.networks.augmentation import Augmentation
from engine.training.loop import Machine, best_weights, ended_in, train_in

WIDTH = 16  # channels of the first layer


class SmallClassifier(nn.Module):
    """Six convolutions, global average pooling and one linear layer; what CAM needs, and one ReLU a layer.

    Attributes:
        features: (B, 1, H, W) to (B, 8 * WIDTH, H / 8, W / 8), not negative.
        weigh: their means to log-odds.

    Shape:
        x (B, 1, H, W) -> log-odds (B, findings).
    """

    def __init__(self, findings: int, width: int = WIDTH):
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for channels, stride in ((1, 2), (2, 1), (4, 2), (4, 1), (8, 2), (8, 1)):
            after = channels * width
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            before = after
        self.features = nn.Sequential(*layers)
        self.weigh = nn.Linear(before, findings)

    def forward(self, x: Tensor) -> Tensor:
        return self.weigh(self.features(x).mean(dim=(2, 3)))


@dataclass(frozen=True)
class Preset(resnet50.Preset):
    """How it is trained: as the ResNet-50 is, for less long and faster."""

    size: int = 96
    steps: int = 900
    validate_every: int = 150
    batch: int = 32
    learning_rate: float = 2e-3
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(rotate=5, shift=0.03, scale=0.06, gamma=0.2)
    )


PRESETS: Mapping[str, Preset] = {"demo": Preset(), "paper": Preset(size=224, steps=30_000, validate_every=1000)}


class SmallRecipe(ResNet50Recipe):
    """The small classifier in place of the ResNet-50."""

    def network(self, findings: int) -> nn.Module:
        return SmallClassifier(findings)

    def settings(self) -> dict:
        return super().settings() | {"network": "small"}


@dataclass(frozen=True)
class Trained:
    """A trained classifier of one collection.

    Attributes:
        net: in evaluation mode, on the CPU, its parameters without gradients.
        thresholds: (C,) operating points by Youden's index on validation; 0.5 where that cannot be had.
        recipe: with the films that were read for it.
    """

    net: nn.Module
    thresholds: np.ndarray
    recipe: ResNet50Recipe


def trained(
    collection: Collection, preset: Preset, folder: Path, machine: Machine, seed: int, train: bool
) -> Trained | None:
    """The classifier of `folder`, trained there (or on) when it is not; None where it is not and `train` is False."""
    train_part = collection.split("train")
    recipe = SmallRecipe(collection, replace(preset, batch=min(preset.batch, max(len(train_part), 1))), seed)
    if not train and not ended_in(recipe, folder):
        return None
    fabric = train_in(recipe, folder, machine)
    recipe.net.load_state_dict(best_weights(folder))
    validation = collection.split("validation")
    scores = recipe.scores(validation, fabric)
    recipe.net.to("cpu").eval().requires_grad_(False)
    return Trained(recipe.net, _thresholds(collection, validation, scores), recipe)


def _thresholds(collection: Collection, indices: np.ndarray, scores: np.ndarray) -> np.ndarray:
    found = np.full(len(collection.findings), 0.5, np.float32)
    for c, finding in enumerate(collection.findings):
        labels = collection.labels[indices, c]
        known = ~np.isnan(labels)
        try:
            found[c] = youden_threshold(labels[known], scores[known, c], finding=finding)
        except NotMeasurable:
            continue  # one class only
    return found


def with_shuffled_weights(net: nn.Module, seed: int) -> nn.Module:
    """A copy whose every tensor of weights holds the same numbers in another order."""
    other = deepcopy(net)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            flat = parameter.flatten()
            parameter.copy_(flat[torch.randperm(len(flat), generator=generator)].view_as(parameter))
    return other
