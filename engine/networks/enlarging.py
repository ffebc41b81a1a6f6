"""Twice the grid without a checkerboard: resize, then convolve."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

UPSAMPLING = ("transposed", "resized")  # how a generator may enlarge its grid


class ResizeConvolution(nn.Module):
    """Bilinear doubling and a convolution 3 x 3 that reflects at the borders (Odena et al. 2016).

    A transposed convolution of stride 2 weighs odd and even pixels by different taps, and what is learned there is seen
    as a checkerboard; here every pixel of the larger grid goes through the same taps.

    Shape:
        x (B, C, H, W) -> (B, outputs, 2 H, 2 W).
    """

    def __init__(self, inputs: int, outputs: int, slope: float = 0.0):
        super().__init__()
        self.layer = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False, padding_mode="reflect")
        nn.init.kaiming_normal_(self.layer.weight, a=slope)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(doubled(x))


def doubled(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B, C, 2 H, 2 W), bilinear."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def check_upsampling(upsampling: str) -> None:
    """Refuses a way to enlarge that there is not.

    Raises:
        ValueError: names those there are.
    """
    if upsampling not in UPSAMPLING:
        raise ValueError(f"upsampling must be one of {', '.join(UPSAMPLING)}, got {upsampling!r}")
