"""Small random changes of a training batch that leave every label true."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """How far a training picture may be moved and its tone curve bent; zeros leave it alone.

    Sun et al. 2025 jitter contrast and brightness, which their percentile normalisation undoes again but for clipping;
    a bent tone curve survives it, and small shifts stand in for the pictures that a small collection lacks.

    Attributes:
        rotate: degrees, both ways.
        shift: share of the width, both ways.
        scale: share, both ways.
        gamma: log of the largest exponent of the tone curve.
    """

    rotate: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    gamma: float = 0.0

    def __call__(self, images: Tensor, draw: Tensor, value_range: float) -> tuple[Tensor, Tensor]:
        """Augmented (B, 1, H, W) in [-value_range, value_range], and the sampling grid (B, H, W, 2) that moves masks
        alike.

        Args:
            draw: (B, 5) in [-1, 1], which of the possible changes each picture gets.
        """
        angle = draw[:, 0] * self.rotate * torch.pi / 180
        zoom = 1 + draw[:, 1] * self.scale
        turn = torch.stack(
            [
                torch.stack([zoom * angle.cos(), -zoom * angle.sin(), 2 * self.shift * draw[:, 2]], dim=1),
                torch.stack([zoom * angle.sin(), zoom * angle.cos(), 2 * self.shift * draw[:, 3]], dim=1),
            ],
            dim=1,
        )  # (B, 2, 3)
        grid = F.affine_grid(turn, list(images.shape), align_corners=False).to(images)
        moved = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        exponent = torch.exp(draw[:, 4] * self.gamma).view(-1, 1, 1, 1).to(images)
        tone = ((moved + value_range) / (2 * value_range)).clamp(0, 1).pow(exponent)
        return tone * 2 * value_range - value_range, grid


def move_masks(masks: Tensor, grid: Tensor) -> Tensor:
    """Masks (B, 1, H, W) through the grid that moved their pictures; what comes from beyond the border is outside."""
    return F.grid_sample(masks, grid, mode="nearest", padding_mode="zeros", align_corners=False)
