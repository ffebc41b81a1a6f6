"""What CIT-LR is compared with: a conditional beta-VAE (Higgins et al. 2017; for counterfactuals as in
Monteiro et al. 2023).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.methods.cit_lr.blocks import Block, one_hot
from engine.methods.cit_lr.losses import prior_loss

LATENT = 64  # numbers that a picture becomes
FINENESS = 4  # pixels a side that the first layer takes together


class BetaVAE(nn.Module):
    """q(z | x, a, y) and p(x | z, a, y), z a vector: the same picture under other attributes is drawn from the same z.

    Args:
        size: side of the pictures in pixels, a multiple of 16.
        width: channels of the first of three levels, doubled at each.
        values: how many values each of the K attributes and findings has.
    """

    def __init__(self, size: int, width: int, values: Sequence[int]):
        super().__init__()
        self.values, self.grid, self.deepest = tuple(values), size // FINENESS // 4, 4 * width
        conditions = sum(self.values)
        self.down = nn.Sequential(
            nn.PixelUnshuffle(FINENESS),
            nn.Conv2d(FINENESS**2, width, 3, 1, 1),
            Block(width, 2 * width),
            Block(2 * width, 4 * width),
            nn.SiLU(),
            nn.Flatten(),
        )
        self.distribution = nn.Linear(self.deepest * self.grid**2 + conditions, 2 * LATENT)
        self.seed = nn.Linear(LATENT + conditions, self.deepest * self.grid**2)
        self.up = nn.Sequential(
            nn.SiLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(4 * width, 2 * width, 3, 1, 1),
            nn.SiLU(),
            nn.Conv2d(2 * width, 2 * width, 3, 1, 1),
            nn.SiLU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * width, width, 3, 1, 1),
            nn.SiLU(),
            nn.Conv2d(width, FINENESS**2, 3, 1, 1),
            nn.PixelShuffle(FINENESS),
        )

    def encode(self, x: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, 1, H, W) with codes (B, K) int64, -1 for unknown, to mean and log variance (B, LATENT) of q."""
        features = self.down(x)
        mean, log_variance = (
            self.distribution(torch.cat([features, one_hot(codes, self.values).to(features)], dim=1))
            .float()
            .chunk(2, 1)
        )
        return mean, log_variance.clamp(-10, 10)

    def decode(self, z: Tensor, codes: Tensor) -> Tensor:
        """(B, LATENT) and codes to pictures (B, 1, H, W); no range is enforced."""
        hidden = self.seed(torch.cat([z, one_hot(codes, self.values).to(z)], dim=1))
        return self.up(hidden.view(-1, self.deepest, self.grid, self.grid)).float()

    def loss(self, x: Tensor, codes: Tensor, noise: Tensor, beta: float) -> Tensor:
        """Negative evidence bound in nats a picture, mean over pictures; the divergence of q from its prior counts
        `beta` times.

        A pixel is Laplace distributed, with scale 1, about what is drawn: its misfit is the absolute difference.

        Args:
            noise: (B, LATENT) standard normal.
        """
        mean, log_variance = self.encode(x, codes)
        drawn = self.decode(mean + (0.5 * log_variance).exp() * noise, codes)
        misfit = F.l1_loss(drawn, x, reduction="none").flatten(1).sum(1).mean()
        return misfit + beta * prior_loss(mean, log_variance)
