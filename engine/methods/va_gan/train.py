"""VA-GAN (Baumgartner et al. 2018): a map that makes an abnormal picture look like any normal one, by a Wasserstein
critic alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engine.datasets.collection import Collection
from engine.methods.map_translation.train import DiscrepancyRecipe, Schedule
from engine.networks.critic import Critic, gradient_penalty
from engine.networks.enlarging import ResizeConvolution, check_upsampling
from engine.networks.weights import all_of
from engine.training.loop import descend, shard
from engine.training.presets import at_least_one, not_negative, whole_numbers

if TYPE_CHECKING:
    from lightning.fabric import Fabric

HIGHEST = 0.999  # |x| beyond which artanh is not asked
LARGEST = 2048  # pixels a side


@dataclass(frozen=True)
class Architecture:
    """Sizes of VA-GAN's networks; the defaults are those of its two-dimensional experiments.

    Attributes:
        size: side of the square input in pixels, a multiple of 16.
        width: channels of the first layer of both networks, doubled at each level.
        upsampling: "transposed" as VA-GAN's, or "resized", which leaves no checkerboard.
    """

    size: int = 112
    width: int = 16
    upsampling: str = "transposed"

    def __post_init__(self):
        whole_numbers(self)
        check_upsampling(self.upsampling)
        if self.size % 16 or self.size > LARGEST:
            raise ValueError(f"size must be a multiple of 16 and {LARGEST} at most, got {self.size}")


class Twice(nn.Sequential):
    """Two 3 x 3 convolutions, each with batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int):
        layers: list[nn.Module] = []
        for before in (inputs, outputs):
            convolution = nn.Conv2d(before, outputs, 3, 1, 1, bias=False, padding_mode="reflect")
            nn.init.kaiming_normal_(convolution.weight)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        super().__init__(*layers)


class MapGenerator(nn.Module):
    """A U-Net of four levels whose decoder carries `width` channels upwards.

    VA-GAN writes x + M = tanh(x + out), which cannot express "no change" where |x| is near 1; here
    M = tanh(artanh(x) + out) - x, for which out = 0 is no change.

    Shape:
        x (B, 1, H, W) in (-1, 1) -> M (B, 1, H, W), x + M in (-1, 1).
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        w = architecture.width
        widths = [w, 2 * w, 4 * w, 8 * w]
        self.down = nn.ModuleList(Twice(i, o) for i, o in zip([1, *widths], widths))
        resized = architecture.upsampling == "resized"
        self.enlarge = nn.ModuleList(
            ResizeConvolution(i, w) if resized else nn.ConvTranspose2d(i, w, 4, 2, 1, bias=False)
            for i in reversed(widths[1:])
        )
        self.up = nn.ModuleList(Twice(o + w, o) for o in reversed(widths[:-1]))
        self.last = nn.Conv2d(w, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips, hidden = [], x.to(self.last.weight.dtype)
        for level, layer in enumerate(self.down):
            hidden = layer(F.max_pool2d(hidden, 2) if level else hidden)
            skips.append(hidden)
        skips.pop()
        for enlarge, layer in zip(self.enlarge, self.up):
            hidden = layer(torch.cat([enlarge(hidden), skips.pop()], dim=1))
        start = x.float().clamp(-HIGHEST, HIGHEST)
        return torch.tanh(torch.atanh(start) + self.last(hidden).float()) - start


@torch.no_grad()
def folded(net: MapGenerator, precision: torch.dtype = torch.float32) -> MapGenerator:
    """A copy of a trained map generator whose batch normalisations are part of its convolutions, as M(x) alone needs
    it.

    Args:
        precision: of its layers; tanh, artanh and the picture that is added stay float32.
    """
    copy = deepcopy(net).eval()
    for stage in all_of(nn.Sequential, (*copy.down, *copy.up)):
        for place in (0, 3):
            (convolution,), (norm,) = all_of(nn.Conv2d, [stage[place]]), all_of(nn.BatchNorm2d, [stage[place + 1]])
            stage[place], stage[place + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return copy.to(precision).to(memory_format=torch.channels_last).requires_grad_(False)


@dataclass(frozen=True)
class Preset(Schedule):
    """What decides a training of VA-GAN; the defaults are its authors' code's (rate 1e-4; their paper has 1e-3).

    Attributes:
        lambda_map: weight of the mean |M| over abnormal pictures.
        penalty: weight of the gradient penalty.
        critic_steps: for each step of the map; `warm_critic_steps` for the first `warm_steps` and every hundredth.
    """

    architecture: Architecture = field(default_factory=Architecture)
    steps: int = 1000
    validate_every: int = 100
    patience: int = 0
    pairs: int = 32
    learning_rate: float = 1e-4
    beta1: float = 0.0
    lambda_map: float = 100.0
    penalty: float = 10.0
    critic_steps: int = 5
    warm_steps: int = 25
    warm_critic_steps: int = 100

    def __post_init__(self):
        super().__post_init__()
        at_least_one(self, "critic_steps", "warm_critic_steps")
        not_negative(self, "lambda_map", "penalty", "warm_steps")


DEMO = Preset(
    steps=600,
    validate_every=100,
    keep_last=1,
    pairs=4,
    learning_rate=3e-4,
    averaging=0.99,
    critic_steps=3,
    warm_steps=5,
    warm_critic_steps=20,
)
GPU = replace(DEMO, steps=3000, validate_every=250, pairs=16, critic_steps=5)
PRESETS: Mapping[str, Preset] = {"paper": Preset(), "gpu": GPU, "demo": DEMO}


class VaGanRecipe(DiscrepancyRecipe[MapGenerator]):
    """VA-GAN on one collection with one finding.

    It trains on one device: batch normalisation sees the batch of one process.
    """

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42):
        torch.manual_seed(seed)
        map_generator = MapGenerator(preset.architecture).to(memory_format=torch.channels_last)
        self.critic = Critic(preset.architecture.width).to(memory_format=torch.channels_last)
        super().__init__(collection, preset, map_generator, MapGenerator(preset.architecture), seed)
        adam = {"lr": preset.learning_rate, "betas": (preset.beta1, preset.beta2)}
        self._optimisers = {
            "map": torch.optim.Adam(self.map_generator.parameters(), **adam),
            "critic": torch.optim.Adam(self.critic.parameters(), **adam),
        }

    @property
    def training_networks(self) -> Mapping[str, nn.Module]:
        return {"critic": self.critic}

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.map_generator, "average": self.average, "critic": self.critic}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return self._optimisers

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        if fabric.world_size > 1:
            raise ValueError("VA-GAN trains on one device; leave --devices out.")
        self.pace(step)
        p = self.preset
        warm = step < p.warm_steps or (p.warm_steps and step % 100 == 0)
        losses = {}
        self.map_generator.train()
        for k in range(p.warm_critic_steps if warm else p.critic_steps):
            losses["critic"] = self._critic_step(step, k, fabric)
        _, abnormal = self.batch("map", step, fabric)
        self.critic.requires_grad_(False)
        with fabric.autocast():
            change = self.map_generator(abnormal)
            losses["adversarial"] = -self.critic(abnormal + change).float().mean()
        losses["map"] = p.lambda_map * change.abs().mean()
        descend(losses["adversarial"] + losses["map"], self._optimisers["map"], fabric)
        self.critic.requires_grad_(True)
        self.follow(step)
        return {name: float(torch.as_tensor(value).detach()) for name, value in losses.items()}

    def _critic_step(self, step: int, k: int, fabric: Fabric) -> float:
        normal, abnormal = self.batch(f"critic {k}", step, fabric)
        with torch.no_grad(), fabric.autocast():
            generated_normal = abnormal + self.map_generator(abnormal)
        place = self.draw(f"penalty {k}", step).random((self.preset.pairs, 1, 1, 1), np.float32)
        place = torch.from_numpy(place[shard(self.preset.pairs, fabric)]).to(fabric.device)
        with fabric.autocast():
            real, made = self.critic(torch.cat([normal, generated_normal])).float().chunk(2)
            penalty = gradient_penalty(self.critic, normal, generated_normal, place)
        distance = made.mean() - real.mean()
        descend(distance + self.preset.penalty * penalty, self._optimisers["critic"], fabric)
        return float(distance.detach())

    def reconstruction(self, abnormal: Tensor, generated_normal: Tensor) -> None:
        return None
