"""The losses of CIT-LR: of the autoencoder, of the denoiser (Eq. 2), and the bound on mutual information (Eq. 3)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def reconstruction_loss(made: Tensor, x: Tensor) -> Tensor:
    """L1 over four resolutions, each the mean over its pixels, and one minus the structural similarity at the finest.

    The authors add LPIPS, whose network was trained on photographs; the coarser resolutions stand in its place.
    """
    loss = (made - x).abs().mean() + 0.1 * (1 - similarity(made, x))
    for _ in range(3):
        made, x = F.avg_pool2d(made, 2), F.avg_pool2d(x, 2)
        loss = loss + (made - x).abs().mean()
    return loss


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Mean structural similarity of pictures (B, 1, H, W) in [-1, 1], in windows of 7 x 7 pixels (Wang et al. 2004)."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 7, 1)

    mean_a, mean_b = mean(a), mean(b)
    spread_a, spread_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    together = mean(a * b) - mean_a * mean_b
    c1, c2 = 0.02**2, 0.06**2  # (0.01 L)^2 and (0.03 L)^2 at a range L of 2
    return (
        (2 * mean_a * mean_b + c1) * (2 * together + c2) / ((mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2))
    ).mean()


def prior_loss(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of N(mean, variance) from the standard normal, summed over a picture's latent numbers, mean over
    pictures.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1).mean()


def noise_loss(predicted: Tensor, noise: Tensor) -> Tensor:
    """Eq. 2 in its usual simple form: the mean squared error of the noise."""
    return (predicted - noise).square().mean()


def information_bound(joint: Tensor, marginal: Tensor) -> Tensor:
    """Donsker and Varadhan's lower bound on the mutual information, in nats: E T(joint) - ln E exp T(marginal) (Eq. 3).

    Args:
        joint, marginal: T on pairs that belong together, and on shuffled ones, (B,) each.
    """
    return joint.mean() - (torch.logsumexp(marginal, 0) - math.log(len(marginal)))
