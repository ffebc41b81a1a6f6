"""Diagnosis and marked region at once, which Liu et al. 2025 compare with as Rieger et al. 2020 (multi-task)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.methods.causal_alignment.network import Architecture, ImageNetwork, RegionClassifier
from engine.methods.causal_alignment.pictures import RegionBatch
from engine.methods.causal_alignment.presets import Preset
from engine.methods.causal_alignment.region_recipe import RegionRecipe

WEIGHT = 1.0  # of the region's cross-entropy


class MultiTaskNetwork(RegionClassifier):
    """The CNN with one more 1 x 1 convolution, which tells from the same features where the region is."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.image = ImageNetwork(1, architecture)
        self.region = nn.Conv2d(4 * architecture.width, 1, 1)

    def features(self, x: Tensor) -> Tensor:
        return self.image.features(x)

    def from_features(self, features: Tensor) -> tuple[Tensor, Tensor]:
        odds = self.image.from_features(features)
        return odds[:, :0], odds[:, 0]

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds of the diagnosis (B,), and of the region (B, 1, h, w) on the grid of the last features."""
        hidden = self.image.body(x)
        return self.from_features(self.image.attended(hidden))[1], self.region(hidden)


class MultiTaskRecipe(RegionRecipe):
    """Cross-entropy of the diagnosis and of every place of the region."""

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42):
        torch.manual_seed(seed)
        self.network = MultiTaskNetwork(preset.architecture)
        super().__init__(collection, preset, self.network, seed)

    def losses(self, batch: RegionBatch, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        odds, places = self.network.both(batch.x)
        region = F.interpolate(batch.region, size=places.shape[2:], mode="area")
        return {
            "diagnosis": self.diagnosis_loss(odds, batch.y),
            "region": WEIGHT * F.binary_cross_entropy_with_logits(places, region),
        }, {}
