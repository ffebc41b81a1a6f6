"""CAM (Zhou et al. 2016): a classifier that averages its last features, and the map that its weights draw from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.methods.map_translation.train import DiscrepancyRecipe, Schedule
from engine.training.loop import Machine, best_weights, descend, ended_in, train_in

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(frozen=True)
class Architecture:
    """Sizes of the classifier, those of CX-GAN's discriminator (section 4 of Zia et al.).

    Attributes:
        size: side of the square input in pixels.
        width: channels of the first layer, doubled at each level.
        levels: how often the grid is halved.
    """

    size: int = 112
    width: int = 64
    levels: int = 4


class Classifier(nn.Module):
    """CX-GAN's discriminator with its last layer replaced by global average pooling and one linear layer.

    Shape:
        x (B, 1, H, W) -> log-odds (B,).
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        widths = [architecture.width * 2**level for level in range(architecture.levels)]
        layers: list[nn.Module] = []
        for before, after in zip([1, *widths], widths):
            layers += [nn.Conv2d(before, after, 4, 2, 1, padding_mode="reflect"), nn.LeakyReLU(0.2)]
            layers += [nn.GroupNorm(1, after)] if before > 1 else []
        self.features = nn.Sequential(*layers)
        self.weigh = nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.weigh(self.features(x).mean(dim=(2, 3)))[:, 0]


@dataclass(frozen=True)
class Preset(Schedule):
    """How the classifier is trained: Adam, balanced batches."""

    architecture: Architecture = field(default_factory=Architecture)
    patience: int = 5
    pairs: int = 8
    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.999


PRESETS: Mapping[str, Preset] = {
    "paper": Preset(steps=20_000, validate_every=1000),
    "gpu": Preset(architecture=Architecture(width=16), steps=5000, validate_every=250, learning_rate=5e-4),
    "demo": Preset(architecture=Architecture(width=16), steps=1000, validate_every=100, learning_rate=5e-4),
}


class ClassifierRecipe(DiscrepancyRecipe[Classifier]):
    """The classifier on one collection with one finding; it shares the batches of the maps it is compared with."""

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42):
        torch.manual_seed(seed)
        super().__init__(collection, preset, Classifier(preset.architecture), Classifier(preset.architecture), seed)
        adam = {"lr": preset.learning_rate, "betas": (preset.beta1, preset.beta2)}
        self._optimiser = torch.optim.Adam(self.map_generator.parameters(), **adam)

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.map_generator, "average": self.average}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"net": self._optimiser}

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        self.pace(step)
        normal, abnormal = self.batch("batch", step, fabric)
        with fabric.autocast():
            logits = self.map_generator(torch.cat([normal, abnormal])).float()
        truth = torch.cat([torch.zeros(len(normal)), torch.ones(len(abnormal))]).to(logits)
        loss = F.binary_cross_entropy_with_logits(logits, truth)
        descend(loss, self._optimiser, fabric)
        self.follow(step)
        return {"classification": float(loss.detach())}

    def reconstruction(self, abnormal: Tensor, generated_normal: Tensor) -> None:
        return None

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        self.average.to(fabric.device).eval()
        scores, labels = [], []
        for label, pool in enumerate(self.parts["validation"]):
            for start in range(0, len(pool), 64):
                x = self.films.batch(pool[start : start + 64]).to(fabric.device)
                scores += self.average(x).float().tolist()
            labels += [label] * len(pool)
        return {"score": float(roc_auc_score(labels, scores))}


def trained(
    collection: Collection, size: int, preset: str, folder: Path, machine: Machine, seed: int, train: bool
) -> ClassifierRecipe | None:
    """The classifier of `folder`, trained there (or on) when it is not; None where it is not and `train` is False."""
    chosen = PRESETS[preset]
    recipe = ClassifierRecipe(collection, replace(chosen, architecture=replace(chosen.architecture, size=size)), seed)
    if not train and not ended_in(recipe, folder):
        return None
    train_in(recipe, folder, machine)
    recipe.average.load_state_dict({k.removeprefix("net."): v for k, v in best_weights(folder).items()})
    recipe.average.to("cpu").eval().requires_grad_(False)
    return recipe


@torch.no_grad()
def cam(classifier: Classifier, x: Tensor) -> np.ndarray:
    """Maps (B, H, W), not negative: the features weighed as the last layer weighs them, enlarged bilinearly."""
    features = classifier.features(x)
    drawn = torch.einsum("bchw,c->bhw", features, classifier.weigh.weight[0])[:, None]
    return F.interpolate(drawn, x.shape[2:], mode="bilinear", align_corners=False)[:, 0].clamp_min(0).numpy()
