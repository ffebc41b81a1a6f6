"""A counterfactual by guided diffusion, after FastDiME (Weng et al. 2024): a picture is taken part of the way to noise
and back, and on the way back every estimate of the clean picture is moved until the classifier says otherwise.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.attribution.latents import typical_size
from engine.attribution.rivals import BlackBox, Rival
from engine.methods.cit_lr.generator import DiffusionInterventions

STRENGTH, STEPS = 0.4, 8  # share of the way to noise, and steps of it
GUIDED = 2  # moves of each estimate
RATE = 0.05  # of the latent's typical size: a move of an entry whose slope is the typical one
BEYOND = 1.0  # log-odds beyond the operating point that are asked for
MASK = 0.04  # of the pictures' range: where less changes, the picture stays


class DiffusionGuidedRival(Rival):
    """The denoiser is CIT-LR's, asked without any attribute or finding, in the latent space of its own autoencoder.

    As in FastDiME the slope is taken at the estimate of the clean picture, not through the denoiser, and a mask made of
    what has changed keeps the rest of the picture. What the autoencoder cannot say of a film stays as it is.

    Args:
        generator: an opened checkpoint of CIT-LR that was trained on such pictures.
    """

    name = "diffusion_guided"
    title = "diffusion-guided"
    paper = "Weng et al. 2024"
    counterfactuals = True

    def __init__(self, generator: DiffusionInterventions):
        self.generator = generator
        self.diffusion = replace(generator.diffusion, strength=STRENGTH, num_steps=STEPS, fixed_point_iterations=1)

    def changed(self, box: BlackBox, x: Tensor, c: int, present: bool) -> Tensor:
        nets = self.generator.nets
        codes = torch.full((len(x), len(nets.denoiser.values)), -1, dtype=torch.int64)

        def noise_in(z: Tensor, t: Tensor) -> Tensor:
            return nets.denoiser(z, t, codes)

        with torch.no_grad():
            start = nets.autoencoder.encode(x)
            rest = x - nets.autoencoder.decode(start)
            z = self.diffusion.invert(start, noise_in)
            alphas, stops = self.diffusion.alphas_cumprod(), self.diffusion.timesteps()[::-1]
            for now, then in itertools.pairwise(stops):
                a, b = float(alphas[now]), float(alphas[then])
                noise = noise_in(z, torch.full((len(z),), int(now) - 1, dtype=torch.int64))
                clean = (z - (1 - a) ** 0.5 * noise) / a**0.5
                clean = self._guided(box, clean, start, rest, c, present)
                z = b**0.5 * clean + (1 - b) ** 0.5 * noise
            return nets.autoencoder.decode(z) + rest

    def _guided(self, box: BlackBox, clean: Tensor, start: Tensor, rest: Tensor, c: int, present: bool) -> Tensor:
        """The estimate, moved along the slope of what is missing, and put back where little has changed."""
        decode, p = self.generator.nets.autoencoder.decode, float(box.thresholds[c])
        middle, sign = float(np.log(p / (1 - p))), 1 if present else -1
        for _ in range(GUIDED):
            with torch.enable_grad():
                here = clean.clone().requires_grad_()
                says = box.classifier((decode(here) + rest).clamp(-1, 1))[:, c] - middle
                missing = F.relu(BEYOND - sign * says)
                (slope,) = torch.autograd.grad(missing.sum(), here)
            move = RATE * typical_size(clean) * slope / typical_size(slope)
            clean = clean - move * (missing > 0).float()[:, None, None, None]
        span = 2 * box.preparation.value_range
        moved = (decode(clean) - decode(start)).abs()
        mask = (F.adaptive_max_pool2d(F.avg_pool2d(moved, 3, 1, 1), clean.shape[2:]) > MASK * span).float()
        return mask * clean + (1 - mask) * start
