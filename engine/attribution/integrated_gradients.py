"""Integrated gradients (Sundararajan et al. 2017), through Captum, from the picture's own mean grey to the picture."""

from __future__ import annotations

from captum.attr import IntegratedGradients
from torch import Tensor

from engine.attribution.rivals import BlackBox, Rival, rival

STEPS = 32


@rival
class IntegratedGradientsRival(Rival):
    """Gradients of the log-odds along a straight line, times the way."""

    name = "integrated_gradients"
    title = "integrated gradients"
    paper = "Sundararajan et al. 2017"

    def maps(self, box: BlackBox, x: Tensor, c: int) -> Tensor:
        grey = x.mean(dim=(1, 2, 3), keepdim=True).expand_as(x)
        found = IntegratedGradients(box.classifier).attribute(
            x, grey, target=c, n_steps=STEPS, internal_batch_size=4 * len(x)
        )
        assert isinstance(found, Tensor), "one input has one map"
        return found[:, 0]
