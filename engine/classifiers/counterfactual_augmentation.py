"""Robust classification by counterfactual and invariant data (Chang et al. 2021): pictures with the background
replaced, and with the marked region filled in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.datasets.collection import Collection
from engine.methods.causal_alignment.network import CausalAlignmentNetwork
from engine.methods.causal_alignment.pictures import RegionBatch
from engine.methods.causal_alignment.presets import Preset
from engine.methods.causal_alignment.region_recipe import RegionRecipe


class CounterfactualAugmentationRecipe(RegionRecipe):
    """Cross-entropy on the pictures, on factual ones (another background, the same label) and on counterfactual ones
    (no region; whatever the label was, it is not that).
    """

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42):
        torch.manual_seed(seed)
        super().__init__(collection, preset, CausalAlignmentNetwork(0, preset.architecture), seed)

    def losses(self, batch: RegionBatch, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        random = self.draw("fill", step)
        order = torch.from_numpy(random.permutation(len(batch.x)))
        factual = other_background(batch.x, batch.region, batch.x[order])
        counterfactual = filled_region(batch.x, batch.region)
        odds = self.net(torch.cat([batch.x, factual, counterfactual]))[1]
        plain, invariant, without = odds.chunk(3)
        target = 1 - batch.y  # - log (1 - p_y), their loss of a picture that is not y
        return {
            "diagnosis": self.diagnosis_loss(plain, batch.y),
            "factual": self.diagnosis_loss(invariant, batch.y),
            "counterfactual": F.binary_cross_entropy_with_logits(without, target),
        }, {}


def other_background(x: Tensor, region: Tensor, other: Tensor) -> Tensor:
    """The region of x (B, 1, H, W) on the picture `other` of the batch (their "mixed-rand")."""
    return x * region + other * (1 - region)


def filled_region(x: Tensor, region: Tensor) -> Tensor:
    """x (B, 1, H, W) with its region filled with the mean grey of what is outside (their "grey")."""
    outside = 1 - region
    mean = (x * outside).sum((2, 3), keepdim=True) / outside.sum((2, 3), keepdim=True).clamp_min(1)
    return x * outside + mean * region
