"""The losses of causal alignment, Eq. 3 and 5 of Liu et al. 2025."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def alignment_loss(counterfactual: Tensor, x: Tensor, mask: Tensor) -> Tensor:
    """Eq. 3: 1/n sum_i |(x*_i - x_i) (1 - m_i)|_1, what a counterfactual changes outside the marked region.

    Args:
        counterfactual, x: (n, ...), x* as `implicit` returns it.
        mask: broadcasts to (n, ...), 1 inside what the expert marked; of attributes it is r, the attributes that caused
            the label.
    """
    return ((counterfactual - x) * (1 - mask)).abs().flatten(1).sum(1).mean()


def outside_share(counterfactual: Tensor, x: Tensor, mask: Tensor, least: float = 1e-3) -> Tensor:
    """Eq. 3 in shares: 1/n sum_i |(x*_i - x_i) (1 - m_i)|_1 / |x*_i - x_i|_1, from 0 to 1.

    Args:
        counterfactual, x, mask: see `alignment_loss`.
        least: added below, so that no change is no misalignment.
    """
    change = (counterfactual - x).abs()
    outside, whole = (change * (1 - mask)).flatten(1).sum(1), change.flatten(1).sum(1)
    return (outside / (whole + least)).mean()


def attribute_loss(logits: Tensor, attributes: Tensor, weights: Tensor | None = None) -> Tensor:
    """L_ce(f_theta1(x), a) of Eq. 5: binary cross-entropy, the mean over pictures and attributes.

    Args:
        logits, attributes: (n, p).
        weights: (2, p) for absent and present, for attributes that are rarely absent or present.
    """
    each = F.binary_cross_entropy_with_logits(logits, attributes, reduction="none")
    if weights is not None:
        each = each * (weights[0] * (1 - attributes) + weights[1] * attributes)
    return each.mean()
