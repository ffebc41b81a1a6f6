"""HSM, hallucination of saliency maps (Figueroa-Flores et al. 2020): SMIC whose saliency is not handed in but learned
from the picture by a detector of four convolutions, for the sake of the classification alone.
"""

from __future__ import annotations

from torch import Tensor

from engine.classifiers.steered import MODULATED, SteeredClassifier, modulated, saliency_branch

WIDTHS = (16, 32, 32)  # channels of the detector's convolutions; the fourth gives the map


class HSM(SteeredClassifier):
    """The hallucinated map multiplies the features after the second stage, as in `smic`."""

    def __init__(self, backbone: str, classes: int = 2, half_brain: bool = False, **sizes: int):
        super().__init__(backbone, classes, half_brain, **sizes)
        self.detector = saliency_branch(self.stages.channels, *WIDTHS)

    def after(self, stage: int, features: Tensor, pictures: Tensor, saliency: Tensor | None) -> Tensor:
        return modulated(features, self.detector(pictures)) if stage == MODULATED else features
