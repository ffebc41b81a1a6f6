"""BagNet (Brendel and Bethge 2019): a bag of small patches, each of which votes by itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.methods.causal_alignment.network import Architecture, RegionClassifier, ScaledSiLU, StandardisedConv
from engine.methods.causal_alignment.presets import Preset
from engine.methods.causal_alignment.region_recipe import RegionRecipe


class PointConv(nn.Module):
    """A 1 x 1 convolution with SiLU: it sees no further than its own place."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution, self.active = nn.Conv2d(inputs, outputs, 1), ScaledSiLU()
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="linear")

    def forward(self, x: Tensor) -> Tensor:
        return self.active(self.convolution(x))


class BagNet(RegionClassifier):
    """Seven layers as in the others, of which three are 3 x 3 and the rest 1 x 1: patches of 15 pixels, whose log-odds
    are averaged.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        w = architecture.width
        self.body = nn.Sequential(
            StandardisedConv(1, w, 2),
            ScaledSiLU(),
            PointConv(w, w),
            StandardisedConv(w, 2 * w, 2),
            ScaledSiLU(),
            PointConv(2 * w, 2 * w),
            StandardisedConv(2 * w, 4 * w, 1),
            ScaledSiLU(),
            PointConv(4 * w, 4 * w),
            PointConv(4 * w, 4 * w),
        )
        self.last = nn.Linear(4 * w, 1)

    def features(self, x: Tensor) -> Tensor:
        return self.body(x)

    def from_features(self, features: Tensor) -> tuple[Tensor, Tensor]:
        odds = self.last(features.mean((2, 3)))  # the mean of the patches' log-odds, since the layer is linear
        return odds[:, :0], odds[:, 0]


class BagNetRecipe(RegionRecipe):
    """Cross-entropy alone; the marked region takes no part."""

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42):
        torch.manual_seed(seed)
        super().__init__(collection, preset, BagNet(preset.architecture), seed)
