"""SMIC, saliency-modulated image classification (Flores et al. 2019): a branch of two convolutions reads the saliency
map and modulates the image's features at one place.
"""

from __future__ import annotations

from torch import Tensor

from engine.classifiers.steered import MODULATED, SteeredClassifier, modulated, saliency_branch

WIDTH = 16  # channels of the branch


class SMIC(SteeredClassifier):
    """The mask multiplies the features after the second stage. Flores et al. found early layers best (before the second
    pooling of AlexNet, after the fourth residual block of a ResNet).
    """

    reads_saliency = True

    def __init__(self, backbone: str, classes: int = 2, half_brain: bool = False, **sizes: int):
        super().__init__(backbone, classes, half_brain, **sizes)
        self.branch = saliency_branch(1, WIDTH)

    def after(self, stage: int, features: Tensor, pictures: Tensor, saliency: Tensor | None) -> Tensor:
        return modulated(features, self.branch(saliency)) if stage == MODULATED else features
