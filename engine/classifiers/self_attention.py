"""SeAtt of Fontanella et al. 2023 (appendix E): self-attention modules of SAGAN (Zhang et al. 2019) in the baseline."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.classifiers.steered import SteeredClassifier, channels_after

FEWER = 8  # channels of queries and keys are this many times fewer
PLACES = {"seven_layers": (1, 2)}  # after the third and fifth convolution
RESIDUAL_PLACES = (2, 3)  # after the third and fourth block


class SelfAttention(nn.Module):
    """o = gamma v(softmax(q(x)^T k(x)) h(x)) + x over all places of a picture, gamma 0 at the start (Eq. 1 to 3 of
    Zhang et al.).

    Shape:
        (N, C, H, W) -> the same.
    """

    def __init__(self, channels: int):
        super().__init__()
        narrow = max(channels // FEWER, 1)
        self.query, self.key, self.value = (nn.Conv2d(channels, narrow, 1) for _ in range(3))
        self.out = nn.Conv2d(narrow, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (part(x).flatten(2).mT for part in (self.query, self.key, self.value))  # (N, H W, C')
        seen = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        return x + self.gamma * self.out(seen.mT.unflatten(2, tuple(x.shape[-2:])))


class SelfAttentionClassifier(SteeredClassifier):
    """The baseline with a self-attention module after two of its stages."""

    def __init__(self, backbone: str, classes: int = 2, half_brain: bool = False, **sizes: int):
        super().__init__(backbone, classes, half_brain, **sizes)
        places = PLACES.get(backbone, RESIDUAL_PLACES)
        self.attention = nn.ModuleDict(
            {str(place): SelfAttention(channels_after(self.stages, place)) for place in places}
        )

    def after(self, stage: int, features: Tensor, pictures: Tensor, saliency: Tensor | None) -> Tensor:
        return self.attention[str(stage)](features) if str(stage) in self.attention else features
