"""What the small networks beside the denoiser are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """Half the grid, then a residual pair of 3 x 3 convolutions, group normalisation, SiLU."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.down = nn.Conv2d(inputs, outputs, 4, 2, 1)
        self.pair = nn.Sequential(
            nn.GroupNorm(4, outputs),
            nn.SiLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1),
            nn.GroupNorm(4, outputs),
            nn.SiLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        return x + self.pair(x)


def one_hot(codes: Tensor, values: Sequence[int]) -> Tensor:
    """(B, K or more) int64 codes of which the first K have so many `values`, to (B, sum(values)) int64; nothing is hot
    where -1 stands.
    """
    return torch.cat([F.one_hot(codes[:, k] + 1, count + 1)[:, 1:] for k, count in enumerate(values)], dim=1)
