"""Grad-CAM (Selvaraju et al. 2017), through captum, on the last convolution of the classifier that CAM uses."""

from __future__ import annotations

import numpy as np
import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn

from engine.attribution.rivals import BlackBox, Rival, rival


def grad_cam(classifier: nn.Module, x: Tensor, finding: int | None = None) -> np.ndarray:
    """Maps (B, H, W), not negative: gradients of the log-odds weigh the last convolution's features,
    enlarged bilinearly.

    Args:
        classifier: `features` of it are a sequence with convolutions in it.
        finding: which of several log-odds; None for a classifier with one.
    """
    assert isinstance(classifier.features, nn.Sequential), "a classifier says what its features are"
    last = [layer for layer in classifier.features if isinstance(layer, nn.Conv2d)][-1]
    explain = LayerGradCam(classifier, last)
    drawn = explain.attribute(x.clone().requires_grad_(), target=finding, relu_attributions=True)
    assert isinstance(drawn, Tensor), "one layer with one output has one map"
    return LayerAttribution.interpolate(drawn, tuple(x.shape[2:]), "bilinear")[:, 0].detach().numpy()


@rival
class GradCAMRival(Rival):
    """The last convolution, weighed by the mean of its gradients."""

    name = "grad_cam"
    title = "Grad-CAM"
    paper = "Selvaraju et al. 2017"

    def maps(self, box: BlackBox, x: Tensor, c: int) -> Tensor:
        return torch.from_numpy(grad_cam(box.classifier, x, c))
