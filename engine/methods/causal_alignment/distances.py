"""Distances d(x, x_0) of Eq. 2 of Liu et al. 2025 and of its appendix C.4, one value a picture.

Each takes x and x_0 of shape (n, ...) and returns (n,). The paper leaves out whether l2 is squared; squared, it is
smooth and strongly convex in every picture by itself, which the implicit function theorem needs (one norm over the
whole batch, as in the authors' code, ties the pictures of a batch together and has a kink at x_0).
"""

from __future__ import annotations

import torch
from torch import Tensor


def squared_l2(x: Tensor, x_0: Tensor) -> Tensor:
    """sum_k (x_k - x_0k)^2."""
    return (x - x_0).square().flatten(1).sum(1)  # (n,)


def l1(x: Tensor, x_0: Tensor) -> Tensor:
    """sum_k |x_k - x_0k|."""
    return (x - x_0).abs().flatten(1).sum(1)  # (n,)


def scaled_squared_l2(x: Tensor, x_0: Tensor, std: Tensor) -> Tensor:
    """sum_k (x_k - x_0k)^2 / std_k; `std` has the shape of one picture, see `standard_deviation`."""
    return ((x - x_0).square() / std).flatten(1).sum(1)  # (n,)


def scaled_l1(x: Tensor, x_0: Tensor, mad: Tensor) -> Tensor:
    """sum_k |x_k - x_0k| / MAD_k; `mad` has the shape of one picture, see `median_absolute_deviation`."""
    return ((x - x_0).abs() / mad).flatten(1).sum(1)  # (n,)


def standard_deviation(pictures: Tensor, least: float = 1e-3) -> Tensor:
    """std_k over pictures (n, ...), at least `least`, so that a pixel that never varies can still be paid for."""
    return pictures.std(0).clamp_min(least)


def median_absolute_deviation(pictures: Tensor, least: float = 1e-3) -> Tensor:
    """MAD_k = median_i |x_ik - median_j x_jk| over pictures (n, ...), at least `least`."""
    return (pictures - torch.median(pictures, 0).values).abs().median(0).values.clamp_min(least)
