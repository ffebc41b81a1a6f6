"""The losses of CX-GAN, Eq. 2 to 10 of Zia et al."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(real: Tensor, made: Tensor) -> Tensor:
    """What a discriminator minimises: -E ln D(real) - E ln(1 - D(made)), the terms of Eq. 3, 6 and 8 that hold it.

    Args:
        real, made: log-odds of any shape; the mean over patches.
    """
    return F.softplus(-real).mean() + F.softplus(made).mean()


def generator_loss(made: Tensor) -> Tensor:
    """What a generator minimises: -E ln D(made).

    Eq. 3, 6 and 8 read E ln(1 - D(made)), whose slope vanishes while D is sure; this is the usual form with the same
    aim.
    """
    return F.softplus(-made).mean()


def cycle_loss(reconstruction: Tensor, start: Tensor) -> Tensor:
    """One term of Eq. 4 and 9: the L1 distance to the start, as the mean over pixels.

    The second term of Eq. 9 is printed with "x+ + M(G(x-))"; G(x-) + M(G(x-)) is meant, the abnormal picture it began
    from.
    """
    return (reconstruction - start).abs().mean()


def identity_loss(change: Tensor) -> Tensor:
    """|M(x-)|: a picture that is normal already stays as it is.

    Not in the paper; its authors' code has it with weight 1.
    """
    return change.abs().mean()


def map_loss(change: Tensor) -> Tensor:
    """|M(x+)|, the mean over pixels: the smallest of the changes that lead to normal. VA-GAN's, not in the paper."""
    return change.abs().mean()


def residual_loss(counterfactual: Tensor, generated_normal: Tensor) -> Tensor:
    """Eq. 5: |x- - (x+ + M(x+))|, the mean over pixels, on the pairs of the cascade's first phase."""
    return (counterfactual - generated_normal).abs().mean()
