"""The autoencoder in whose latent space ACAT looks for counterfactuals: three residual blocks each way (appendix B of
Fontanella et al. 2023).

The authors' latent holds as many numbers as the picture, 16 x H/4 x W/4, and so compresses nothing; with 4 channels it
holds a quarter.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

FACTOR = 4  # latent rows and columns are this many times fewer


class _Block(nn.Module):
    """Two 3 x 3 convolutions and a short cut."""

    def __init__(self, inward: int, outward: int, stride: int = 1, smooth: bool = False):
        super().__init__()
        active = nn.SiLU if smooth else nn.ReLU
        self.body = nn.Sequential(
            nn.Conv2d(inward, outward, 3, stride, 1),
            nn.BatchNorm2d(outward),
            active(),
            nn.Conv2d(outward, outward, 3, 1, 1),
            nn.BatchNorm2d(outward),
        )
        self.short = nn.Identity() if stride == 1 and inward == outward else nn.Conv2d(inward, outward, 1, stride)
        self.last = active()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(x) + self.short(x))


class Autoencoder(nn.Module):
    """(N, 1, H, W) in [0, 1] -> latent (N, latent, H / 4, W / 4) -> (N, 1, H, W). H and W are multiples of 4.

    Args:
        width: channels at the picture's size.
        latent: channels of the latent space.
        smooth: with SiLU for ReLU, so that it can be differentiated twice everywhere.
    """

    def __init__(self, width: int = 16, latent: int = 4, smooth: bool = False):
        super().__init__()
        w = width
        block = partial(_Block, smooth=smooth)
        self.encoder = nn.Sequential(
            nn.Conv2d(1, w, 3, 1, 1),
            block(w, w),
            block(w, 2 * w, 2),
            block(2 * w, 4 * w, 2),
            nn.Conv2d(4 * w, latent, 1),
        )
        enlarge = lambda: nn.Upsample(scale_factor=2, mode="nearest")
        self.decoder = nn.Sequential(
            nn.Conv2d(latent, 4 * w, 1),
            block(4 * w, 4 * w),
            enlarge(),
            block(4 * w, 2 * w),
            enlarge(),
            block(2 * w, w),
            nn.Conv2d(w, 1, 3, 1, 1),
        )

    def encode(self, x: Tensor) -> Tensor:
        if x.shape[-1] % FACTOR or x.shape[-2] % FACTOR:
            raise ValueError(f"rows and columns must be multiples of {FACTOR}, got {tuple(x.shape[-2:])}.")
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))
