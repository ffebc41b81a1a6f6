"""CX-GAN's networks: the map generator, the translator of the other direction, and the two patch discriminators."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.critic import Critic
from engine.networks.enlarging import doubled
from engine.training.presets import whole_numbers

UPSAMPLING = ("nearest", "bilinear")
LARGEST = 2048  # pixels a side; no weight depends on the size, so only this keeps an absurd one from taking the memory


@dataclass(frozen=True)
class Architecture:
    """Sizes of CX-GAN's networks; the paper gives none, the defaults are its authors' code's.

    Attributes:
        size: side of the square input in pixels, a multiple of 2 ** levels.
        width: channels of the generators' first layer, doubled at each level.
        levels: how often the generators halve the grid.
        critic_width: channels of the discriminators' first layer.
        upsampling: "nearest" as in the code, or "bilinear", which leaves less of a grid.
    """

    size: int = 256
    width: int = 32
    levels: int = 4
    critic_width: int = 64
    upsampling: str = "nearest"

    def __post_init__(self):
        whole_numbers(self)
        if self.upsampling not in UPSAMPLING:
            raise ValueError(f"upsampling must be one of {', '.join(UPSAMPLING)}, got {self.upsampling!r}")
        if self.levels > 8:
            raise ValueError(f"levels must be 8 or less, got {self.levels}")
        if self.size % 2**self.levels or not 2 ** (self.levels + 1) <= self.size <= LARGEST:
            raise ValueError(
                f"size must be a multiple of {2**self.levels}, twice that at least and {LARGEST} at most, got "
                f"{self.size}"
            )


class Down(nn.Module):
    """Half the grid: convolution 4 x 4, leaky ReLU, then normalisation over channels and pixels together."""

    def __init__(self, inputs: int, outputs: int, normalised: bool = True):
        super().__init__()
        self.layer = nn.Conv2d(inputs, outputs, 4, 2, 1)
        self.norm = nn.GroupNorm(1, outputs) if normalised else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(F.leaky_relu(self.layer(x), 0.2))


class Up(nn.Module):
    """Twice the grid: nearest neighbour or bilinear, convolution 3 x 3, ReLU, normalisation."""

    def __init__(self, inputs: int, outputs: int, smooth: bool = False):
        super().__init__()
        self.smooth = smooth
        self.layer = nn.Conv2d(inputs, outputs, 3, 1, 1)
        self.norm = nn.GroupNorm(1, outputs)

    def forward(self, x: Tensor) -> Tensor:
        larger = doubled(x) if self.smooth else F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.norm(F.relu(self.layer(larger)))


class MapGenerator(nn.Module):
    """G^{c+ -> M}: the map that, added to a picture, translates it (Eq. 1 of Zia et al.); x + M(x) is the other class.

    A U-Net as in the authors' code, with two changes. The picture itself is the last skip, because a map made from half
    the grid only has soft edges; and the last layers reflect at the borders, where zero padding would draw a frame.
    Both directions add to their input: translations of one patient begin with that patient.

    Shape:
        x (B, 1, H, W) -> M (B, 1, H, W) in (-1, 1).
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        widths = [architecture.width * 2**level for level in range(architecture.levels)]
        self.down = nn.ModuleList(Down(i, o) for i, o in zip([1, *widths], widths))
        ups = [*reversed(widths[:-1]), architecture.width]
        skipped = [0, *reversed(widths[:-1])]
        smooth = architecture.upsampling == "bilinear"
        self.up = nn.ModuleList(Up(b + s, u, smooth) for b, s, u in zip([widths[-1], *ups], skipped, ups))
        before = nn.Conv2d(architecture.width + 1, architecture.width, 3, 1, 1, padding_mode="reflect")
        last = nn.Conv2d(architecture.width, 1, 3, 1, 1, padding_mode="reflect")
        self.last = nn.Sequential(before, nn.ReLU(), last)
        nn.init.normal_(last.weight, std=0.02)
        assert last.bias is not None, "a convolution has a bias by default"
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        skips, hidden = [], x
        for layer in self.down:
            hidden = layer(hidden)
            skips.append(hidden)
        skips.pop()
        for place, layer in enumerate(self.up):
            hidden = layer(hidden if place == 0 else torch.cat([hidden, skips.pop()], dim=1))
        return torch.tanh(self.last(torch.cat([hidden, x.to(hidden.dtype)], dim=1)).float())


class Discriminator(nn.Module):
    """Is each patch of a picture of this class? Log-odds (B, 1, h, w); no sigmoid."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        w = architecture.critic_width
        widths = [w, 2 * w, 4 * w, 8 * w][: architecture.levels]
        self.down = nn.Sequential(*(Down(i, o, i > 1) for i, o in zip([1, *widths], widths)))
        self.last = nn.Conv2d(widths[-1], 1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.down(x)).float()


class CxGan(nn.Module):
    """All that is trained: both generators and both discriminators (3.2); of the cascade, the residual generator too
    (3.1).

    Attributes:
        abnormal_to_normal: G^{c+ -> M}, the only part that is needed afterwards; in the cascade it is the residual
            generator of Eq. 5.
        normal_to_abnormal: the translator c- -> c+, as a map that is added.
        translate: the cascade's translator c+ -> c-, which makes the pairs; None in the integrated model.
        normal, abnormal: D^{c-} and D^{c+}.
        residual: the cascade's second D^{c-} (Eq. 6); None in the integrated model.

    With `wasserstein` the three are VA-GAN's critics of whole pictures, which CX-GAN's paper does not have.
    """

    def __init__(self, architecture: Architecture, cascaded: bool = False, wasserstein: bool = False):
        super().__init__()

        def critic_or_discriminator() -> nn.Module:
            return Critic(architecture.critic_width) if wasserstein else Discriminator(architecture)

        self.abnormal_to_normal, self.normal_to_abnormal = MapGenerator(architecture), MapGenerator(architecture)
        self.normal, self.abnormal = critic_or_discriminator(), critic_or_discriminator()
        self.translate = MapGenerator(architecture) if cascaded else None
        self.residual = critic_or_discriminator() if cascaded else None
