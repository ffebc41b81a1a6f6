"""Right for the right reasons (Ross et al. 2017): input gradients outside the marked region are penalised."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.datasets.collection import Collection
from engine.methods.causal_alignment.network import CausalAlignmentNetwork
from engine.methods.causal_alignment.pictures import RegionBatch
from engine.methods.causal_alignment.presets import Preset
from engine.methods.causal_alignment.region_recipe import RegionRecipe

WEIGHT = 1.0  # of the penalty; they choose it so that both losses are of one size


class InputGradientRecipe(RegionRecipe):
    """Eq. 1 of Ross et al.: sum over pixels outside of (d/dx (log p + log (1 - p)))^2, beside the cross-entropy."""

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42):
        torch.manual_seed(seed)
        super().__init__(collection, preset, CausalAlignmentNetwork(0, preset.architecture), seed)

    def losses(self, batch: RegionBatch, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        x = batch.x.clone().requires_grad_()
        odds = self.net(x)[1]
        return {
            "diagnosis": self.diagnosis_loss(odds, batch.y),
            "input gradients": WEIGHT * input_gradient_penalty(odds, x, batch.region),
        }, {}


def input_gradient_penalty(odds: Tensor, x: Tensor, region: Tensor) -> Tensor:
    """The mean over pictures of the penalty.

    Args:
        odds: (B,) log-odds of x (B, 1, H, W), which requires its gradient. region: (B, 1, H, W), 1 inside.
    """
    both = F.logsigmoid(odds) + F.logsigmoid(-odds)
    (slope,) = torch.autograd.grad(both.sum(), x, create_graph=True)
    return (slope * (1 - region)).square().flatten(1).sum(1).mean()
