"""The noise schedule and DDIM's deterministic steps, forwards and back (Song et al. 2020, Eq. 12 with eta = 0)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from engine.methods.cit_lr.network import TRAIN_STEPS

MOST_MENDS = 20
NoiseIn = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Diffusion:
    """How noise is added, and how far.

    CIT-LR controls the variance of its samples by fewer steps and a smaller beta; `reach` and `last_beta` are these two.

    Attributes:
        first_beta, last_beta: variance of the first and last of 1000 steps; between them the root rises evenly.
        reach: share of the 1000 steps that pictures are taken through.
        hops: DDIM steps on the way.
        mends: of each hop on the way to the noise, see `away`.

    Raises:
        ValueError: numbers out of these ranges, whole ones that are not.
    """

    first_beta: float = 0.00085
    last_beta: float = 0.012
    reach: float = 1.0
    hops: int = 20
    mends: int = 1

    def __post_init__(self):
        if not 0 < self.first_beta < self.last_beta < 1:
            raise ValueError(f"betas must rise between 0 and 1, got {self.first_beta} and {self.last_beta}")
        if not 0 < self.reach <= 1 or not 1 <= self.hops <= TRAIN_STEPS * self.reach:
            raise ValueError(
                f"reach must lie in (0, 1] and hops between 1 and {TRAIN_STEPS} times it, got {self.reach} and {self.hops}"
            )
        if not isinstance(self.hops, int) or not isinstance(self.mends, int) or not 0 <= self.mends <= MOST_MENDS:
            raise ValueError(
                f"hops and mends must be whole, mends {MOST_MENDS} at most, got {self.hops!r} and {self.mends!r}"
            )

    @cache
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

    def away(self, z: Tensor, noise_in: NoiseIn) -> Tensor:
        """A picture to its noise: the same ordinary differential equation as `home`, run the other way.

        A hop home asks for the noise at its noisier end, which on the way there is not known yet: it is guessed from the
        near end, and the guess is mended `mends` times (a fixed point).

        Args:
            z: (B, ...); noise_in: (z, t) -> the noise in z after step t, t (B,) int64 counted from 0.
        """
        stops = self.path()
        for now, then in zip(stops[:-1], stops[1:]):
            far = z
            for _ in range(1 + self.mends):
                far = self._hop(z, noise_in(far, self._step(z, then)), now, then)
            z = far
        return z

    def home(self, z: Tensor, noise_in: NoiseIn) -> Tensor:
        """Noise to a picture."""
        stops = self.path()[::-1]
        for now, then in zip(stops[:-1], stops[1:]):
            z = self._hop(z, noise_in(z, self._step(z, now)), now, then)
        return z

    def _step(self, z: Tensor, stop: int) -> Tensor:
        return torch.full((len(z),), int(stop) - 1, dtype=torch.int64, device=z.device)

    def _hop(self, z: Tensor, noise: Tensor, now: int, then: int) -> Tensor:
        kept = self.kept()
        a, b = float(kept[now]), float(kept[then])
        return b**0.5 * (z - (1 - a) ** 0.5 * noise) / a**0.5 + (1 - b) ** 0.5 * noise
