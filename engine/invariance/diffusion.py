"""The noise schedule and DDIM's deterministic steps, forwards and back (Song et al. 2020, Eq. 12 with eta = 0)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.invariance.network import TRAIN_STEPS


@dataclass(frozen=True)
class Diffusion:
    """How noise is added, and how far.

    CIT-LR controls the variance of its samples by fewer steps and a smaller beta; `reach` and `last_beta` are these two.

    Attributes:
        first_beta, last_beta: variance of the first and last of 1000 steps; between them the root rises evenly.
        reach: share of the 1000 steps that pictures are taken through.
        hops: DDIM steps on the way.
        guidance: w of eps(none) + w (eps(a) - eps(none)); 1 is the conditional model itself.
    """

    first_beta: float = 0.00085
    last_beta: float = 0.012
    reach: float = 1.0
    hops: int = 20
    guidance: float = 1.0

    def __post_init__(self):
        if not 0 < self.first_beta < self.last_beta < 1:
            raise ValueError(f"betas must rise between 0 and 1, got {self.first_beta} and {self.last_beta}")
        if not 0 < self.reach <= 1 or not 1 <= self.hops <= TRAIN_STEPS * self.reach:
            raise ValueError(f"reach must lie in (0, 1] and hops between 1 and {TRAIN_STEPS} times it, got {self.reach} and {self.hops}")

    def kept(self) -> Tensor:
        """(1001,) float64: share of a picture's variance that is left after each step, 1 before the first."""
        betas = torch.linspace(self.first_beta**0.5, self.last_beta**0.5, TRAIN_STEPS, dtype=torch.float64) ** 2
        return torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - betas, 0)])

    def noised(self, z: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """z after step t (B,), counted from 0 (Eq. 1)."""
        kept = self.kept()[(t + 1).cpu()].to(z)[:, None, None, None]
        return kept.sqrt() * z + (1 - kept).sqrt() * noise

    def path(self) -> np.ndarray:
        """(hops + 1,) how many of the 1000 steps have been taken at each stop; 0 first."""
        return np.round(np.linspace(0, TRAIN_STEPS * self.reach, self.hops + 1)).astype(int)

    def away(self, z: Tensor, noise_in: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """A picture to its noise: the same ordinary differential equation as `home`, run the other way.

        Args:
            z: (B, ...); noise_in: (z, t) -> the noise in z after step t, t (B,) int64 counted from 0.
        """
        return self._along(z, noise_in, self.path())

    def home(self, z: Tensor, noise_in: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Noise to a picture."""
        return self._along(z, noise_in, self.path()[::-1])

    def _along(self, z: Tensor, noise_in: Callable[[Tensor, Tensor], Tensor], stops: np.ndarray) -> Tensor:
        """Both ways ask for the noise at the noisier end of a hop, so that one way retraces the other."""
        kept = self.kept()
        for now, then in zip(stops[:-1], stops[1:]):
            noisier = max(int(now), int(then))
            noise = noise_in(z, torch.full((len(z),), noisier - 1, dtype=torch.int64, device=z.device))
            a, b = float(kept[now]), float(kept[then])
            start = (z - (1 - a) ** 0.5 * noise) / a**0.5
            z = b**0.5 * start + (1 - b) ** 0.5 * noise
        return z
