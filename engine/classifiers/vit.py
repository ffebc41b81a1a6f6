"""ViT (Dosovitskiy et al. 2020) as Fontanella et al. 2023 compare with it (appendix E): six blocks of sixteen heads on
each slice, slices averaged.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torchvision.models.vision_transformer import VisionTransformer

from engine.methods.acat.network import Head, MultiTaskHead, as_pictures

BLOCKS, HEADS = 6, 16
PATCHES = 8  # along a side: patches of 16 pixels at 128, of 50 at 400, as in the paper
WIDER = 4  # hidden units of a block's perceptron for each channel


class ViT(nn.Module):
    """torchvision's vision transformer, which reads whole slices, and the baseline's head.

    Args:
        size: side of a slice in pixels, a multiple of 4.
        width: an eighth of the channels, which the paper does not state; made even, since sixteen heads share them.
        half_brain: whether the head tells presence and side apart; both halves are read together.
    """

    reads_saliency: ClassVar[bool] = False

    def __init__(self, size: int, width: int, classes: int = 2, half_brain: bool = False):
        super().__init__()
        channels = 16 * -(-width // 2)
        patch = size // PATCHES if size % PATCHES == 0 else 4
        self.body = VisionTransformer(size, patch, BLOCKS, HEADS, channels, WIDER * channels)
        self.body.heads = nn.Identity()  # type: ignore[assignment]  # its own head stands apart
        self.head = MultiTaskHead(channels) if half_brain else Head(channels, classes)

    def forward(self, volume: Tensor) -> Tensor:
        """(B, S, H, W) -> log-probabilities (B, K)."""
        features = self.body(as_pictures(volume, 3))
        return self.head(features.unflatten(0, volume.shape[:2]).mean(1))
