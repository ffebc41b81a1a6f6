"""Grad-CAM (Selvaraju et al. 2017), through captum, on the last convolution of the classifier that CAM uses."""

from __future__ import annotations

import numpy as np
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn

from engine.attribution.cam import Classifier


def grad_cam(classifier: Classifier, x: Tensor) -> np.ndarray:
    """Maps (B, H, W), not negative: gradients of the log-odds weigh the last convolution's features,
    enlarged bilinearly.
    """
    last = [layer for layer in classifier.features if isinstance(layer, nn.Conv2d)][-1]
    explain = LayerGradCam(classifier, last)
    drawn = explain.attribute(x.clone().requires_grad_(), relu_attributions=True)
    assert isinstance(drawn, Tensor), "one layer with one output has one map"
    return LayerAttribution.interpolate(drawn, tuple(x.shape[2:]), "bilinear")[:, 0].detach().numpy()
