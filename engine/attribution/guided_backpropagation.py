"""Guided backpropagation (Springenberg et al. 2015), through Captum."""

from __future__ import annotations

import warnings

from captum.attr import GuidedBackprop
from torch import Tensor

from engine.attribution.rivals import BlackBox, Rival, rival


@rival
class GuidedBackpropagationRival(Rival):
    """Gradients of the log-odds, negative ones stopped at every ReLU."""

    name = "guided_backpropagation"
    title = "guided backpropagation"
    paper = "Springenberg et al. 2015"

    def maps(self, box: BlackBox, x: Tensor, c: int) -> Tensor:
        with warnings.catch_warnings():  # Captum warns of the hooks that it sets and takes away again
            warnings.simplefilter("ignore")
            found = GuidedBackprop(box.classifier).attribute(x.clone().requires_grad_(), target=c)
        assert isinstance(found, Tensor), "one input has one map"
        return found[:, 0].abs()
