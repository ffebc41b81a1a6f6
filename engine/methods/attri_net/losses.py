"""The losses of Attri-Net, Eq. 1 to 7 of Sun et al. 2025."""

from __future__ import annotations

from torch import Tensor


def critic_loss(score_negative: Tensor, score_counterfactual: Tensor) -> Tensor:
    """Eq. 1: L_disc = E_{y=0}[-D(x)] + E_{y=1}[D(x + M(x))]. Scores (B,)."""
    return -score_negative.mean() + score_counterfactual.mean()


def adversarial_loss(score_counterfactual: Tensor) -> Tensor:
    """Eq. 2: L_adv = E_{y=1}[-D(x + M(x))]."""
    return -score_counterfactual.mean()


def sparsity_loss(map_negative: Tensor, map_positive: Tensor, alpha_0: float = 2.0, alpha_1: float = 1.0) -> Tensor:
    """Eq. 3: alpha_0 E_{y=0}|M|_1 + alpha_1 E_{y=1}|M|_1, the L1 norm as the mean over pixels."""
    return alpha_0 * map_negative.abs().mean() + alpha_1 * map_positive.abs().mean()


def centre_loss(map_negative: Tensor, map_positive: Tensor, centre_negative: Tensor, centre_positive: Tensor) -> Tensor:
    """Eq. 5: half the squared L2 distance, summed over pixels, to the centre of each picture's own class.

    Maps (B, 1, H, W), centres (B, 1, H, W) chosen by each picture's finding.
    """
    negative = (map_negative - centre_negative).square().sum(dim=(1, 2, 3)).mean()
    positive = (map_positive - centre_positive).square().sum(dim=(1, 2, 3)).mean()
    return 0.5 * negative + 0.5 * positive


def guidance_loss(maps: Tensor, guidance: Tensor) -> Tensor:
    """Eq. 6: 1 - (sum of G |M|) / (sum of |M|), the mean over the batch.

    Args:
        maps: (B, 1, H, W).
        guidance: (B, 1, H, W) in {0, 1}; a picture whose mask is 1 everywhere is not guided.
    """
    inside = (guidance * maps.abs()).sum(dim=(1, 2, 3))
    total = maps.abs().sum(dim=(1, 2, 3))
    return (1 - inside / total.clamp_min(1e-6)).mean()
