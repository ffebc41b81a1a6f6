"""Grad-CAM++ (Chattopadhay et al. 2018), through pytorch-grad-cam."""

from __future__ import annotations

from pytorch_grad_cam import GradCAMPlusPlus
from torch import Tensor

from engine.attribution.last_features import unscaled
from engine.attribution.rivals import BlackBox, Rival, rival


@rival
class GradCAMPlusPlusRival(Rival):
    """The last features, weighed by their positive gradients, each place by its own share."""

    name = "grad_cam_plus_plus"
    title = "Grad-CAM++"
    paper = "Chattopadhay et al. 2018"

    def maps(self, box: BlackBox, x: Tensor, c: int) -> Tensor:
        return unscaled(GradCAMPlusPlus, box, x, c)
