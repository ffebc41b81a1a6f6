"""Latent shift (Cohen et al. 2021): a picture's latent is moved along the gradient of the answer until it changes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.attribution.latents import typical_size
from engine.attribution.rivals import BlackBox, Rival, rival

SHIFTS = 0.02 * 1.5 ** np.arange(16)  # lengths of the way, in typical sizes of the latent: 0.02 to 8.8
BEYOND = 1.0  # log-odds beyond the operating point at which the answer counts as changed


@rival
class LatentShiftRival(Rival):
    """z - lambda d f(D(z)) / d z, lambda the smallest of a row of lengths at which the answer has changed, or the
    largest. What the autoencoder cannot say of a film stays as it is: x + D(z') - D(z).
    """

    name = "latent_shift"
    title = "latent shift"
    paper = "Cohen et al. 2021"
    counterfactuals = True

    def changed(self, box: BlackBox, x: Tensor, c: int, present: bool) -> Tensor:
        assert box.autoencoder is not None, "asked for where there is one"
        z = box.autoencoder.encode(x).detach().requires_grad_()
        rebuilt = box.autoencoder.decode(z)
        (slope,) = torch.autograd.grad(box.classifier(rebuilt)[:, c].sum(), z)
        way = (1 if present else -1) * slope * typical_size(z.detach()) / typical_size(slope)
        with torch.no_grad():
            return self._moved(box, x, z.detach(), rebuilt.detach(), way, c, present)

    def _moved(
        self, box: BlackBox, x: Tensor, z: Tensor, rebuilt: Tensor, way: Tensor, c: int, present: bool
    ) -> Tensor:
        assert box.autoencoder is not None
        p = float(box.thresholds[c])
        middle = float(np.log(p / (1 - p)))
        found, open_ = x.clone(), torch.ones(len(x), dtype=torch.bool)
        for shift in SHIFTS:
            shown = box.autoencoder.decode(z[open_] + float(shift) * way[open_])
            found[open_] = x[open_] + shown - rebuilt[open_]
            says = box.classifier(found[open_].clamp(-1, 1))[:, c] - middle
            there = says > BEYOND if present else says < -BEYOND
            still = open_.clone()
            still[open_] = ~there
            open_ = still
            if not open_.any():
                break
        return found
