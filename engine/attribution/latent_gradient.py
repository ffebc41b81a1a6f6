"""A counterfactual by gradient descent (Wachter et al. 2018) in the latent space of an autoencoder: near the picture,
and on the other side of the answer.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.attribution.latents import typical_size
from engine.attribution.rivals import BlackBox, Rival, rival

STEPS = 20
RATE = 0.1  # of the latent's typical size: a step of an entry whose slope is the typical one
SPARSE = 3.0  # lambda: slopes, in typical ones, below which an entry stays where it is
BEYOND = 1.0  # log-odds beyond the operating point that are asked for


@rival
class LatentGradientRival(Rival):
    """Minimises (log-odds still missing) + lambda |z - E(x)|_1 by proximal steps, until none is missing: only those
    entries of a latent move that matter most. What the autoencoder cannot say of a film stays as it is:
    x + D(z') - D(E(x)).
    """

    name = "latent_gradient"
    title = "latent gradient"
    paper = "Wachter et al. 2018"
    counterfactuals = True

    def changed(self, box: BlackBox, x: Tensor, c: int, present: bool) -> Tensor:
        assert box.autoencoder is not None, "asked for where there is one"
        p = float(box.thresholds[c])
        middle, sign = float(np.log(p / (1 - p))), 1 if present else -1
        with torch.no_grad():
            start = box.autoencoder.encode(x)
            rest = x - box.autoencoder.decode(start)
            size = typical_size(start)
        move, open_ = torch.zeros_like(start), torch.ones(len(x), dtype=torch.bool)
        for _ in range(STEPS):
            here = move[open_].clone().requires_grad_()
            shown = (box.autoencoder.decode(start[open_] + size[open_] * here) + rest[open_]).clamp(-1, 1)
            missing = F.relu(BEYOND - sign * (box.classifier(shown)[:, c] - middle))
            (slope,) = torch.autograd.grad(missing.sum(), here)
            stepped = here.detach() - RATE * slope / typical_size(slope)
            move[open_] = torch.where(
                (missing > 0)[:, None, None, None], F.softshrink(stepped, RATE * SPARSE), here.detach()
            )
            open_[open_.clone()] = missing > 0
            if not open_.any():
                break
        with torch.no_grad():
            return box.autoencoder.decode(start + size * move) + rest
