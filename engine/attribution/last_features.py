"""Maps of pytorch-grad-cam from a classifier's last features, without the scaling that makes every picture's strongest
point 1.
"""

from __future__ import annotations

import contextlib
import io

import torch
import torch.nn.functional as F
from pytorch_grad_cam.base_cam import BaseCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from engine.attribution.rivals import BlackBox


def last_layer(classifier: nn.Module) -> nn.Module:
    """The last of the classifier's features, behind its ReLU."""
    features = classifier.features
    assert isinstance(features, nn.Sequential), "a black box says what its features are"
    return features[-1]


def unscaled(method: type[BaseCAM], box: BlackBox, x: Tensor, c: int) -> Tensor:
    """Maps (B, s, s), not negative: the features weighed as `method` does, enlarged bilinearly."""
    layer = last_layer(box.classifier)
    targets: list = [ClassifierOutputTarget(c) for _ in x]
    with method(box.classifier, [layer]) as explain, contextlib.redirect_stderr(io.StringIO()):  # a bar a picture
        x = x.clone().requires_grad_()
        outputs = explain.activations_and_grads(x)
        if explain.uses_gradients:
            torch.stack([target(output) for target, output in zip(targets, outputs)]).sum().backward()
        seen = explain.activations_and_grads
        gradients = seen.gradients[0].numpy() if explain.uses_gradients else None
        drawn = explain.get_cam_image(
            x.detach(),
            layer,
            targets,
            seen.activations[0].detach().numpy(),
            gradients,  # pyright: ignore
        )
    coarse = torch.from_numpy(drawn).float()[:, None].clamp_min(0)
    return F.interpolate(coarse, x.shape[2:], mode="bilinear", align_corners=False)[:, 0]
