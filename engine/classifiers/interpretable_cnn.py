"""ICNN (Zhang et al. 2018): every filter of the last convolution answers to one part of an object, at one place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.datasets.collection import Collection
from engine.methods.causal_alignment.network import Architecture, ImageNetwork, RegionClassifier
from engine.methods.causal_alignment.pictures import RegionBatch
from engine.methods.causal_alignment.presets import Preset
from engine.methods.causal_alignment.region_recipe import RegionRecipe

BETA = 4.0  # how fast a template falls off, of the paper
WEIGHT = 0.1  # of the filter loss


class InterpretableNetwork(RegionClassifier):
    """The CNN whose last features are each multiplied by a template about their own strongest place (section 3)."""

    templates: Tensor

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        self.image = ImageNetwork(1, architecture)
        side = architecture.size // 2**architecture.halvings
        self.register_buffer("templates", templates(side), persistent=False)  # (side^2 + 1, side, side)

    def features(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.image.features(x))
        return F.relu(hidden * self.templates[:-1][hidden.flatten(2).argmax(2)])

    def from_features(self, features: Tensor) -> tuple[Tensor, Tensor]:
        odds = self.image.from_features(features)
        return odds[:, :0], odds[:, 0]


class InterpretableRecipe(RegionRecipe):
    """Cross-entropy and the filter loss; the marked region takes no part."""

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42):
        torch.manual_seed(seed)
        self.network = InterpretableNetwork(preset.architecture)
        super().__init__(collection, preset, self.network, seed)

    def losses(self, batch: RegionBatch, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        features = self.network.features(batch.x)
        odds = self.network.from_features(features)[1]
        filters = WEIGHT * filter_loss(features, self.network.templates)
        return {"diagnosis": self.diagnosis_loss(odds, batch.y), "filters": filters}, {}


def templates(side: int) -> Tensor:
    """(side^2 + 1, side, side): one about each place, max(1 - BETA |p - mu|_1 / side, -1), and one of nothing, all -1,
    in units of tau.
    """
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], 1)  # (side^2, 2)
    apart = (places[:, None] - places[None]).abs().sum(2).float()
    about = (1 - BETA * apart / side).clamp_min(-1).view(-1, side, side)
    return torch.cat([about, -torch.ones(1, side, side)])


def filter_loss(features: Tensor, patterns: Tensor) -> Tensor:
    """Minus the mutual information between the batch's feature maps and the templates, the mean over filters (Eq. 1 and
    2 of Zhang et al.).

    Args:
        features: (B, F, n, n), not negative. patterns: (n^2 + 1, n, n), see `templates`.
    """
    cells = patterns.shape[1] * patterns.shape[2]
    tau = 0.5 / cells
    fits = torch.einsum("bfhw,thw->ftb", features, patterns) * tau  # tr(x T)
    given = fits.softmax(2)  # p(x | T), over the pictures of the batch
    share = cells / (cells + 1)  # of the templates about a place
    prior = torch.full((len(patterns), 1), share / cells, device=features.device)
    prior[-1] = 1 - share
    of_x = (given * prior).sum(1, keepdim=True)  # p(x)
    information = (prior * given * (given.clamp_min(1e-12) / of_x.clamp_min(1e-12)).log()).sum((1, 2))
    return -information.mean()
