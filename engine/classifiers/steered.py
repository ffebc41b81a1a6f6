"""A classifier of volumes whose features are steered on their way: what the competitors of ACAT share (section 4.3 and
appendix E of Fontanella et al. 2023).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from engine.methods.acat.network import Baseline, as_pictures, halves, joined

MODULATED = 1  # the stage after which saliency modulates the features, where it does so once


class SteeredClassifier(Baseline):
    """ACAT's baseline, slices averaged, with something done to the features after each stage. Fine-tuning starts from
    the baseline's weights.

    Attributes:
        reads_saliency: whether it is handed a map of each scan; the others look at the scan alone.
    """

    reads_saliency: ClassVar[bool] = False

    def first(self, pictures: Tensor, saliency: Tensor | None) -> Tensor:
        """What the first stage reads, (N, C, H, W) of slices, or halves of slices, (N, C, H, W) and their saliency
        (N, 1, H, W).
        """
        return pictures

    def after(self, stage: int, features: Tensor, pictures: Tensor, saliency: Tensor | None) -> Tensor:
        """What the next stage reads of the features (N, C', H', W') of `stage`, counted from 0."""
        return features

    def start_from(self, baseline: Baseline) -> None:
        """Takes the baseline's weights wherever it has them."""
        unknown = self.load_state_dict(baseline.state_dict(), strict=False).unexpected_keys
        assert not unknown, "a steered classifier has all parts of its baseline"

    def forward(self, volume: Tensor, saliency: Tensor | None = None) -> Tensor:
        """Log-probabilities (B, K) of volumes (B, S, H, W).

        Args:
            saliency: (B, S, H, W) in [0, 1], where it is read.

        Raises:
            ValueError: it is read and not given.
        """
        if self.reads_saliency and saliency is None:
            raise ValueError(f"{type(self).__name__} reads a saliency map with every scan.")
        half = self.half_brain
        parts = halves(volume) if half else volume
        beside = None
        if self.reads_saliency and saliency is not None:
            beside = as_pictures(halves(saliency) if half else saliency, 1)
        pictures = as_pictures(parts, self.stages.channels)
        features = self.first(pictures, beside)
        for place, stage in enumerate(self.stages):
            features = self.after(place, stage(features), pictures, beside)
        whole = joined(features.mean((2, 3)).unflatten(0, parts.shape[:2]), half)
        return self.head(whole.mean(1))


def channels_after(stages: nn.ModuleList, place: int) -> int:
    """Channels of the features that stage `place` of a backbone gives."""
    normal = [layer for layer in stages[place].modules() if isinstance(layer, nn.BatchNorm2d)]
    return normal[-1].num_features


def modulated(features: Tensor, mask: Tensor) -> Tensor:
    """The modulation layer of Flores et al. 2019 with its skip connection: F (1 + s).

    Args:
        features: (N, C, H, W).
        mask: (N, 1, H', W') in [0, 1], of a larger or equal grid.
    """
    return features * (1 + nn.functional.adaptive_avg_pool2d(mask, (features.shape[-2], features.shape[-1])))


def saliency_branch(channels: int, *widths: int) -> nn.Sequential:
    """3 x 3 convolutions, the first two with pooling after them, which end in a mask (N, 1, h, w) in (0, 1).

    Args:
        channels: of what it reads.
        widths: channels of all convolutions but the last, which has one.
    """
    layers: list[nn.Module] = []
    before = channels
    for number, width in enumerate(widths):
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if number < 2 else []
        before = width
    return nn.Sequential(*layers, nn.Conv2d(before, 1, 3, padding=1), nn.Sigmoid())


def with_more_inputs(layer: nn.Conv2d, more: int) -> nn.Conv2d:
    """The convolution with `more` further input channels, whose weights are 0."""
    wide = nn.Conv2d(
        layer.in_channels + more,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]  # a pair, as the layer has it
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
        bias=layer.bias is not None,
    )
    with torch.no_grad():
        wide.weight.zero_()
        wide.weight[:, : layer.in_channels] = layer.weight
        if layer.bias is not None and wide.bias is not None:
            wide.bias.copy_(layer.bias)
    return wide
