"""SpAtt of Fontanella et al. 2023 (appendix E): ACAT's attention modules at the same three places, but their masks come
from the image's own features.
"""

from __future__ import annotations

from torch import Tensor, nn

from engine.classifiers.steered import SteeredClassifier
from engine.methods.acat.network import SaliencyAttention


class SpatialAttention(SteeredClassifier):
    """One branch: after each of the first three stages F + F sigmoid(conv(max_c F))."""

    def __init__(self, backbone: str, classes: int = 2, half_brain: bool = False, **sizes: int):
        super().__init__(backbone, classes, half_brain, **sizes)
        self.attention = nn.ModuleList(SaliencyAttention() for _ in range(3))

    def after(self, stage: int, features: Tensor, pictures: Tensor, saliency: Tensor | None) -> Tensor:
        return self.attention[stage](features, features)[0] if stage < len(self.attention) else features
