"""The classifier of causal alignment: a seven-layer CNN f_theta1 from the image to attributes and a two-layer MLP
f_theta2 from attributes to the diagnosis (sections 4.3 and 5.1 of Liu et al. 2025); without attributes the CNN gives
the diagnosis itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.training.presets import whole_numbers

LARGEST = 2048  # pixels a side
LAYERS = 7
POOLS = ("attention", "mean")


@dataclass(frozen=True)
class Architecture:
    """Sizes of the classifier; the paper names seven layers and two and leaves the widths out.

    Attributes:
        size: side of the square input in pixels, a multiple of 2 ** halvings.
        width: channels of the first two convolutions; the next two have twice, the last three four times as many.
        halvings: how many of the first, third and fifth convolutions halve the grid, 1 to 3.
        spatial: how many of the convolutions, from the first on, are 3 x 3; the others are 1 x 1 and look no further
            than their own place, so that a map of the last features lies near the pixels that it comes from.
        hidden: units of the MLP's first layer.
        pool: "attention" weighs the places of the last features by a softmax of one more 1 x 1 convolution, "mean" all
            alike.
    """

    size: int = 96
    width: int = 16
    halvings: int = 2
    spatial: int = LAYERS
    hidden: int = 16
    pool: str = "attention"

    def __post_init__(self):
        whole_numbers(self)
        if self.pool not in POOLS:
            raise ValueError(f"pool must be one of {', '.join(POOLS)}, got {self.pool!r}")
        if self.halvings > 3 or self.size % 2**self.halvings or not 2 ** (self.halvings + 1) <= self.size <= LARGEST:
            raise ValueError(
                f"halvings must be 3 or less and size a multiple of 2 ** halvings, twice that at least and {LARGEST} "
                f"at most, got {self.halvings} and {self.size}"
            )
        if not 2 * self.halvings - 1 <= self.spatial <= LAYERS:
            raise ValueError(
                f"spatial must be {2 * self.halvings - 1} to {LAYERS}, so that what halves is 3 x 3, got {self.spatial}"
            )
        if self.width % 4:
            raise ValueError(f"width must be a multiple of 4, got {self.width}")


class StandardisedConv(nn.Conv2d):
    """A convolution whose weights have mean 0 and variance gain^2 / inputs (Brock et al. 2021).

    It takes the place of normalising activations: norms over a picture or batch would carry a marker in one corner to
    all other places and to other pictures, and norms of each place by itself would lose how bright it is.

    Args:
        side: of the kernel, 3 or 1 pixels.

    Shape:
        (B, F, H, W) -> (B, G, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, side: int = 3):
        super().__init__(inputs, outputs, side, stride, side // 2)
        nn.init.normal_(self.weight)
        self.gain = nn.Parameter(torch.ones(outputs, 1, 1, 1))

    def forward(self, input: Tensor) -> Tensor:
        w = self.weight
        mean = (
            w.mean((1, 2, 3), keepdim=True) if w.shape[1] > 1 else 0.0
        )  # one grey channel: its mean is the brightness
        centred = w - mean
        scale = (centred.square().sum((1, 2, 3), keepdim=True) + 1e-6).rsqrt()
        return F.conv2d(input, centred * scale * self.gain, self.bias, self.stride, self.padding)


class ScaledSiLU(nn.Module):
    """SiLU that leaves the variance of normal inputs as it was, smooth as the implicit function theorem asks."""

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x) * 1.7868  # 1 / std of silu of a standard normal


class ImageNetwork(nn.Module):
    """f_theta1: seven convolutions, pooling, and one log-odds an output.

    Shape:
        x (B, 1, H, W) -> (B, outputs).
    """

    def __init__(self, outputs: int, architecture: Architecture):
        super().__init__()
        w = architecture.width
        widths, layers = [1, w, w, 2 * w, 2 * w, 4 * w, 4 * w, 4 * w], []
        for place, (before, after) in enumerate(pairwise(widths)):
            halves = place % 2 == 0 and place // 2 < architecture.halvings
            side = 3 if place < architecture.spatial else 1
            layers += [StandardisedConv(before, after, 2 if halves else 1, side), ScaledSiLU()]
        self.body = nn.Sequential(*layers)
        self.last = nn.Linear(4 * w, outputs)
        self.attention = nn.Conv2d(4 * w, 1, 1, bias=False) if architecture.pool == "attention" else None
        if self.attention is not None:
            nn.init.zeros_(self.attention.weight)  # begins as the mean

    def features(self, x: Tensor) -> Tensor:
        """The last features (B, F, h, w), each place weighed as it counts; their mean goes into the last layer, so that
        the Grad-CAM of these is how the log-odds are made up (but for their constant).
        """
        return self.attended(self.body(x))

    def attended(self, hidden: Tensor) -> Tensor:
        """What comes out of the convolutions (B, F, h, w), each place weighed as it counts."""
        if self.attention is None:
            return hidden
        weights = self.attention(hidden).flatten(2).softmax(2)  # (B, 1, h w), adding up to 1
        return hidden * (weights * weights.shape[2]).view(len(hidden), 1, *hidden.shape[2:])

    def from_features(self, features: Tensor) -> Tensor:
        """(B, F, h, w) -> log-odds (B, outputs)."""
        return self.last(features.mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self.from_features(self.features(x))


class DiagnosisNetwork(nn.Module):
    """f_theta2: attributes, each a probability in [0, 1], to the log-odds of the diagnosis.

    Shape:
        a (B, p) -> (B,).
    """

    def __init__(self, attributes: int, hidden: int):
        super().__init__()
        self.first, self.second = nn.Linear(attributes, hidden), nn.Linear(hidden, 1)

    def forward(self, a: Tensor) -> Tensor:
        return self.second(F.silu(self.first(2 * a - 1)))[:, 0]


class RegionClassifier(nn.Module, ABC):
    """What all classifiers offer that stand in one table with causal alignment.

    Shape:
        x (B, 1, H, W) -> attributes as log-odds (B, p), p = 0 where there are none, and the diagnosis as log-odds (B,).
    """

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """x (B, 1, H, W) to the features (B, F, h, w) on which Grad-CAM looks."""

    @abstractmethod
    def from_features(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """These to log-odds of attributes (B, p) and of the diagnosis (B,)."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.from_features(self.features(x))


class CausalAlignmentNetwork(RegionClassifier):
    """f_theta2(f_theta1(x)) with p attributes between, or f_theta1(x) alone with none.

    Args:
        attributes: p, 0 for a plain classifier of the image.

    Shape:
        x (B, 1, H, W) -> attributes as log-odds (B, p) and the diagnosis as log-odds (B,).
    """

    def __init__(self, attributes: int, architecture: Architecture):
        super().__init__()
        self.architecture, self.attributes = architecture, attributes
        self.image = ImageNetwork(attributes or 1, architecture)
        self.diagnosis = DiagnosisNetwork(attributes, architecture.hidden) if attributes else None

    def diagnose(self, a: Tensor) -> Tensor:
        """Attributes set by hand or read from an image, (B, p) in [0, 1], to the log-odds of the diagnosis (B,).

        Raises:
            ValueError: the classifier has no attributes.
        """
        if self.diagnosis is None:
            raise ValueError("this classifier goes from the image to the diagnosis; it has no attributes to set.")
        return self.diagnosis(a)

    def features(self, x: Tensor) -> Tensor:
        return self.image.features(x)

    def from_features(self, features: Tensor) -> tuple[Tensor, Tensor]:
        odds = self.image.from_features(features)
        if self.diagnosis is None:
            return odds[:, :0], odds[:, 0]
        return odds, self.diagnosis(torch.sigmoid(odds))


def grad_cam(net: RegionClassifier, x: Tensor, sign: Tensor, attribute: int | None = None) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017) of the diagnosis: what speaks for it where `sign` is 1, against it where it is
    -1.

    Args:
        x: (B, 1, H, W).
        sign: (B,) of 1 and -1, the decisions that are explained.
        attribute: the place of an attribute that is explained in the diagnosis's stead.

    Returns:
        (B, h, w), not negative, on the grid of the last features.
    """
    with torch.no_grad():
        features = net.features(x)
    features.requires_grad_()
    with torch.enable_grad():
        attributes, diagnosis = net.from_features(features)
        explained = diagnosis if attribute is None else attributes[:, attribute]
        (slope,) = torch.autograd.grad(explained.sum(), features)
    drawn = (slope.mean((2, 3), keepdim=True) * features.detach()).sum(1)
    return F.relu(drawn * sign.view(-1, 1, 1))
