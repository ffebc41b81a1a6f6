"""Eq. 2 of Liu et al. 2025 in a latent space: z* = argmin_z L_ce(f(x(z)), y*) + alpha d(z, E(x_0)), with
x(z) = D(z) + x_0 - D(E(x_0)).

A counterfactual that is sought there is made of what pictures of the collection are made of. What the autoencoder
cannot say of a picture stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.methods.causal_alignment.counterfactual import Objective
from engine.networks.autoencoder import Autoencoder

SPACES = ("image", "latent")  # where counterfactual pictures are sought


class LatentSpace(nn.Module):
    """An autoencoder that can be differentiated twice, with a latent of mean 0 and variance 1 in each channel.

    Args:
        width: channels at the picture's size. channels: of the latent.

    Shape:
        x (B, 1, H, W) <-> z (B, channels, H / 4, W / 4).
    """

    def __init__(self, width: int, channels: int):
        super().__init__()
        self.autoencoder = Autoencoder(width, channels, smooth=True)
        self.standard = nn.BatchNorm2d(channels, affine=False)

    def encode(self, x: Tensor) -> Tensor:
        return self.standard(self.autoencoder.encode(x))

    def decode(self, z: Tensor) -> Tensor:
        return self.autoencoder.decode(z)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


@dataclass(frozen=True)
class LatentPictures:
    """Pictures that are moved in a latent space.

    Attributes:
        space: which one, in evaluation mode, its parameters without gradients.
        z_0: (n, c, h, w) the latents of the pictures.
        rest: (n, 1, H, W) what the latents do not say of them.
    """

    space: LatentSpace
    z_0: Tensor
    rest: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, space: LatentSpace, x: Tensor) -> LatentPictures:
        """x: (n, 1, H, W)."""
        z_0 = space.encode(x)
        return cls(space, z_0, x - space.decode(z_0))

    def pictures(self, z: Tensor, rows: Tensor) -> Tensor:
        """Latents (m, c, h, w) of the rows (m,) as pictures (m, 1, H, W)."""
        return self.space.decode(z) + self.rest[rows]

    def objective(self, of_pictures: Objective) -> Objective:
        """The same objective as a function of latents."""
        return lambda z, rows: of_pictures(self.pictures(z, rows), rows)
