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
RATE = 0.1  # of the latent's typical size, Adam's step
DISTANCE = 2.0  # lambda: log-odds that a mean move of the latent by its typical size is worth
BEYOND = 1.0  # log-odds beyond the operating point that are asked for


@rival
class LatentGradientRival(Rival):
    """Minimises max(0, log-odds still missing) + lambda mean|z - E(x)|; what the autoencoder cannot say of a film stays
    as it is: x + D(z') - D(E(x)).
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
        move = torch.zeros_like(start).requires_grad_()
        optimiser = torch.optim.Adam([move], lr=RATE)
        for _ in range(STEPS):
            optimiser.zero_grad()
            shown = (box.autoencoder.decode(start + size * move) + rest).clamp(-1, 1)
            missing = F.relu(BEYOND - sign * (box.classifier(shown)[:, c] - middle))
            loss = missing.sum() + DISTANCE * move.abs().mean(dim=(1, 2, 3)).sum()
            (move.grad,) = torch.autograd.grad(loss, move)
            optimiser.step()
        with torch.no_grad():
            return box.autoencoder.decode(start + size * move) + rest
