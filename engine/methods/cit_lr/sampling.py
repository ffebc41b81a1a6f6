"""Counterfactual sampling: a picture to its noise under its own attributes, and back under others."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.methods.cit_lr.diffusion import Diffusion, NoiseIn
from engine.methods.cit_lr.network import Networks


class Sampler:
    """Latent pictures under other attributes.

    Abduction: DDIM takes z to its noise under the picture's own attributes. Action: another value of one attribute.
    Prediction: the perturbed noise is sampled under it. Both ways are the same equation with the same guidance, so the
    null intervention leads back to where it began but for the perturbation. Guidance (Ho and Salimans 2022) strengthens
    what the one attribute that changes says: eps(none) + w (eps(a) - eps(none)), with a w of its own for each attribute
    in `nets.guidance`.

    The denoiser runs in the precision that its weights have.
    """

    def __init__(self, nets: Networks, diffusion: Diffusion):
        self.nets, self.diffusion = nets, diffusion

    @torch.no_grad()
    def noise_of(self, z: Tensor, codes: Tensor, attribute: int) -> Tensor:
        """The noise of a picture, before the perturbation.

        Args:
            z: (B, latent, h, w); codes: (B, K) int64 of attributes and findings, -1 for unknown.
            attribute: the column that is to be changed; guidance strengthens it and no other.
        """
        return self.diffusion.invert(z, self._guided(codes, attribute))

    @torch.no_grad()
    def picture_of(self, noise: Tensor, codes: Tensor, attribute: int) -> Tensor:
        """Noise, already perturbed, to the latent picture that has what `codes` say."""
        return self.diffusion.sample(noise, self._guided(codes, attribute))

    def _guided(self, codes: Tensor, attribute: int) -> NoiseIn:
        w, without = self.nets.guidance[attribute], codes.clone()
        without[:, attribute] = -1

        def noise_in(z: Tensor, t: Tensor) -> Tensor:
            if w == 1:
                return self.nets.denoiser(z, t, codes)
            both = self.nets.denoiser(torch.cat([z, z]), torch.cat([t, t]), torch.cat([codes, without]))
            conditional, unconditional = both.chunk(2)
            return unconditional + w * (conditional - unconditional)

        return noise_in
