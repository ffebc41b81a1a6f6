"""A Wasserstein critic of whole pictures (VA-GAN, Baumgartner et al. 2018) and the penalty on its slope."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Critic(nn.Sequential):
    """One number a picture (B,), no normalisation, so that the gradient penalty is each picture's own.

    VA-GAN's, in two dimensions; 1,757,249 parameters at width 16.
    """

    def __init__(self, width: int):
        layers: list[nn.Module] = []
        before = 1
        for level, outputs in enumerate([[width], [2 * width], [4 * width] * 2, [8 * width] * 2, [16 * width] * 3]):
            layers += [nn.MaxPool2d(2)] if level else []
            for channels in outputs:
                layers += [nn.Conv2d(before, channels, 3, 1, 1), nn.ReLU()]
                before = channels
        super().__init__(*layers, nn.Conv2d(before, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(0))


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, made: Tensor, position: Tensor) -> Tensor:
    """E[(|grad D(u)|_2 - 1)^2] at u between a real picture and a made one, the norm over all pixels of each picture.

    VA-GAN's authors take the norm over columns. Attri-Net's paper leaves the term out; its authors' code puts u between
    the positive picture and its own counterfactual, where here it lies between the two distributions that D compares.

    Args:
        real, made: (B, 1, H, W).
        position: (B, 1, 1, 1) in [0, 1], where between the two; 1 is the real one.
    """
    between = (position * real + (1 - position) * made).detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.float().flatten(1).norm(dim=1) - 1).square().mean()
