"""The noise schedule and DDIM's deterministic steps, forwards and back (Song et al. 2020, Eq. 12 with eta = 0)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from engine.methods.cit_lr.network import TRAIN_STEPS

MOST_ITERATIONS = 20
NoiseIn = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Diffusion:
    """How noise is added, and how far.

    CIT-LR controls the variance of its samples by fewer steps and a smaller beta; `strength` and `last_beta` are these
    two.

    Attributes:
        first_beta, last_beta: variance of the first and last of 1000 steps; between them the root rises evenly.
        strength: share of the 1000 steps that pictures are taken through, in (0, 1].
        num_steps: DDIM steps on the way.
        fixed_point_iterations: of each step towards the noise, see `invert`.

    Raises:
        ValueError: numbers out of these ranges, whole ones that are not.
    """

    first_beta: float = 0.00085
    last_beta: float = 0.012
    strength: float = 1.0
    num_steps: int = 20
    fixed_point_iterations: int = 1

    def __post_init__(self):
        if not 0 < self.first_beta < self.last_beta < 1:
            raise ValueError(f"betas must rise between 0 and 1, got {self.first_beta} and {self.last_beta}")
        if not 0 < self.strength <= 1 or not 1 <= self.num_steps <= TRAIN_STEPS * self.strength:
            raise ValueError(
                f"strength must lie in (0, 1] and num_steps between 1 and {TRAIN_STEPS} times it, got {self.strength} "
                f"and {self.num_steps}"
            )
        if (
            not isinstance(self.num_steps, int)
            or not isinstance(self.fixed_point_iterations, int)
            or not 0 <= self.fixed_point_iterations <= MOST_ITERATIONS
        ):
            raise ValueError(
                f"num_steps and fixed_point_iterations must be whole, the latter {MOST_ITERATIONS} at most, got "
                f"{self.num_steps!r} and {self.fixed_point_iterations!r}"
            )

    @cache  # noqa: B019 - by value: equal schedules, of which there are few, share one entry
    def alphas_cumprod(self) -> Tensor:
        """(1001,) float64: share of a picture's variance that is left after each step, 1 before the first."""
        betas = torch.linspace(self.first_beta**0.5, self.last_beta**0.5, TRAIN_STEPS, dtype=torch.float64) ** 2
        return torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - betas, 0)])

    def add_noise(self, z: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """z after step t (B,), counted from 0 (Eq. 1)."""
        alphas = self.alphas_cumprod()[(t + 1).cpu()].to(z)[:, None, None, None]
        return alphas.sqrt() * z + (1 - alphas).sqrt() * noise

    def timesteps(self) -> np.ndarray:
        """(num_steps + 1,) how many of the 1000 steps have been taken at each stop; 0 first."""
        return np.round(np.linspace(0, TRAIN_STEPS * self.strength, self.num_steps + 1)).astype(int)

    def invert(self, z: Tensor, noise_in: NoiseIn) -> Tensor:
        """A picture to its noise (DDIM inversion): the ordinary differential equation of `sample`, run the other way.

        A step of `sample` takes the predicted noise at its noisier end, which is not known yet here. It is predicted at
        the nearer end first, then `fixed_point_iterations` times at the point that this prediction leads to.

        Args:
            z: (B, ...); noise_in: (z, t) -> the noise in z after step t, t (B,) int64 counted from 0.
        """
        stops = self.timesteps()
        for now, then in itertools.pairwise(stops):
            far = z
            for _ in range(1 + self.fixed_point_iterations):
                far = self._ddim_step(z, noise_in(far, self._step(z, then)), now, then)
            z = far
        return z

    def sample(self, z: Tensor, noise_in: NoiseIn) -> Tensor:
        """Noise to a picture."""
        stops = self.timesteps()[::-1]
        for now, then in itertools.pairwise(stops):
            z = self._ddim_step(z, noise_in(z, self._step(z, now)), now, then)
        return z

    def _step(self, z: Tensor, stop: int) -> Tensor:
        return torch.full((len(z),), int(stop) - 1, dtype=torch.int64, device=z.device)

    def _ddim_step(self, z: Tensor, noise: Tensor, now: int, then: int) -> Tensor:
        alphas = self.alphas_cumprod()
        a, b = float(alphas[now]), float(alphas[then])
        return b**0.5 * (z - (1 - a) ** 0.5 * noise) / a**0.5 + (1 - b) ** 0.5 * noise
