"""Counterfactual sampling: a picture to its noise under its own attributes, and home again under others."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.invariance.diffusion import Diffusion
from engine.invariance.network import Networks


class Sampler:
    """Latent pictures under other attributes.

    Abduction: DDIM takes z to its noise under the picture's own attributes. Action: another value of one attribute.
    Prediction: the perturbed noise goes home under it. Both ways are the same equation with the same guidance, so the null
    intervention leads back to where it began but for the perturbation.

    Args:
        precision: of the denoiser's layers.
    """

    def __init__(self, nets: Networks, diffusion: Diffusion, precision: torch.dtype = torch.float32):
        self.nets, self.diffusion, self.precision = nets, diffusion, precision

    @torch.no_grad()
    def noise_of(self, z: Tensor, codes: Tensor) -> Tensor:
        """(B, latent, h, w) and (B, K) int64 to the noise, before the perturbation."""
        return self.diffusion.away(z, self._guided(codes))

    @torch.no_grad()
    def picture_of(self, noise: Tensor, codes: Tensor) -> Tensor:
        """Noise, already perturbed, to the latent picture that has the attributes `codes`."""
        return self.diffusion.home(noise, self._guided(codes))

    def _guided(self, codes: Tensor):
        w = self.diffusion.guidance

        def noise_in(z: Tensor, t: Tensor) -> Tensor:
            with torch.autocast(z.device.type, self.precision, enabled=self.precision != torch.float32):
                if w == 1:
                    return self.nets.denoiser(z, t, codes)
                both = self.nets.denoiser(torch.cat([z, z]), torch.cat([t, t]), torch.cat([codes, torch.full_like(codes, -1)]))
            told, untold = both.chunk(2)
            return untold + w * (told - untold)

        return noise_in
