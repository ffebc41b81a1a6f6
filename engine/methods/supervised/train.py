"""The ceiling of recovery: a U-Net that was shown the true counterfactual of every training picture (a method has only
labels).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.datasets.identity import data_settings
from engine.networks.augmentation import Augmentation
from engine.networks.enlarging import doubled
from engine.networks.films import Films
from engine.networks.made_pairs import emphasis_at, made_pairs_for, pair_loss, pair_recovery, pairs_settings
from engine.preprocessing import Preprocessing
from engine.training.loop import PictureRecipe, descend, follow
from engine.training.presets import at_least_one, not_negative, whole_numbers, yes_or_no

if TYPE_CHECKING:
    from lightning.fabric import Fabric

HIGHEST = 0.999  # |x| beyond which artanh is not asked
LARGEST = 2048  # pixels a side


@dataclass(frozen=True)
class Architecture:
    """Sizes of the U-Net.

    Attributes:
        size: side of the square input in pixels, a multiple of 2 ** levels.
        width: channels of the first level, doubled at each, four times as many at most from the third.
        levels: how often the grid is halved.
    """

    size: int = 224
    width: int = 32
    levels: int = 5

    def __post_init__(self):
        whole_numbers(self)
        if self.levels > 8 or self.size % 2**self.levels or not 2 ** (self.levels + 1) <= self.size <= LARGEST:
            raise ValueError(
                f"levels must be 8 or less and size a multiple of 2 ** levels, twice that at least and {LARGEST} at "
                f"most, got {self.levels} and {self.size}"
            )


class Twice(nn.Sequential):
    """Two 3 x 3 convolutions that reflect at the borders, each with normalisation over groups and ReLU."""

    def __init__(self, inputs: int, outputs: int):
        layers: list[nn.Module] = []
        for before in (inputs, outputs):
            layers += [
                nn.Conv2d(before, outputs, 3, 1, 1, bias=False, padding_mode="reflect"),
                nn.GroupNorm(4, outputs),
                nn.ReLU(),
            ]
        super().__init__(*layers)


class SupervisedUNet(nn.Module):
    """All findings' maps at once: M_c with x + M_c(x) = the picture without finding c.

    M = tanh(artanh(x) + out) - x, for which out = 0 is no change, as in this project's Attri-Net and VA-GAN.

    Shape:
        x (B, 1, H, W) in (-1, 1) -> (B, C, H, W), x + M in (-1, 1).
    """

    def __init__(self, findings: int, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        w = architecture.width
        widths = [min(w * 2**level, 4 * w) for level in range(architecture.levels + 1)]
        self.down = nn.ModuleList(Twice(i, o) for i, o in zip([1, *widths], widths))
        self.up = nn.ModuleList(Twice(i + o, o) for i, o in zip(reversed(widths[1:]), reversed(widths[:-1])))
        self.last = nn.Conv2d(w, findings, 3, 1, 1, padding_mode="reflect")
        nn.init.normal_(self.last.weight, std=0.02)
        assert self.last.bias is not None, "a convolution has a bias by default"
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        skips, hidden = [], x
        for level, layer in enumerate(self.down):
            hidden = layer(F.avg_pool2d(hidden, 2) if level else hidden)
            skips.append(hidden)
        skips.pop()
        for layer in self.up:
            hidden = layer(torch.cat([doubled(hidden), skips.pop()], dim=1))
        start = x.float().clamp(-HIGHEST, HIGHEST)
        return torch.tanh(torch.atanh(start) + self.last(hidden).float()) - start


@dataclass(frozen=True)
class Preset:
    """What decides a training of the supervised U-Net.

    Attributes:
        made_pairs: pictures in a batch, a third of them without the finding that is asked about.
        emphasis, last_emphasis: extra weight of pixels that truly change, see `pair_loss`, at the start and after
            `easing` of the steps.
        falling: share of the steps, at the end, in which the learning rate falls to nothing.
        averaging: decay of the running average of the weights that is kept.
        mirror: 1 mirrors every second pair left to right.
    """

    architecture: Architecture = field(default_factory=Architecture)
    steps: int = 60_000
    validate_every: int = 1000
    made_pairs: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    emphasis: float = 40.0
    last_emphasis: float = 1.5
    easing: float = 0.6
    falling: float = 0.5
    averaging: float = 0.99
    keep_last: int = 0
    validated: int = 100
    percentile: float = 1.0
    value_range: float = 0.9
    mirror: int = 0
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(rotate=5, shift=0.03, scale=0.06, gamma=0.2)
    )

    def __post_init__(self):
        at_least_one(self, "steps", "validate_every", "made_pairs", "validated")
        not_negative(self, "learning_rate", "weight_decay", "emphasis", "last_emphasis", "easing")
        yes_or_no(self, "keep_last", "mirror")
        if not 0 <= self.falling <= 1 or not 0 <= self.averaging < 1:
            raise ValueError(
                f"falling must lie in [0, 1] and averaging in [0, 1), got {self.falling} and {self.averaging}."
            )


DEMO = Preset(architecture=Architecture(size=128, width=16, levels=4), steps=3000, validate_every=250, made_pairs=8)
GPU = replace(DEMO, architecture=Architecture(), steps=20_000, validate_every=500, made_pairs=16)
PRESETS: Mapping[str, Preset] = {"paper": Preset(), "gpu": GPU, "demo": DEMO}


class SupervisedRecipe(PictureRecipe):
    """A U-Net on true pairs: those of the collection itself, or of `pairs` in their place.

    Args:
        collection: whose findings are learned; where it knows true counterfactuals and there are no `pairs`, the
            teacher.
        pairs: another collection that teaches in its place, or None.

    Raises:
        ValueError: no true counterfactuals in either.
    """

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42, pairs: Collection | None = None):
        self.collection, self.preset, self.seed = collection, preset, seed
        self.steps, self.validate_every, self.keep_last = preset.steps, preset.validate_every, bool(preset.keep_last)
        torch.manual_seed(seed)
        self.net, self.average = (SupervisedUNet(len(collection.findings), preset.architecture) for _ in range(2))
        self.average.load_state_dict(self.net.state_dict())
        self.net.to(memory_format=torch.channels_last)
        self.films = Films(collection, Preprocessing(preset.architecture.size, preset.percentile, preset.value_range))
        self.teacher = made_pairs_for(collection if pairs is None else pairs, collection, self.films.preprocessing)
        self._optimiser = torch.optim.AdamW(
            self.net.parameters(), lr=preset.learning_rate, weight_decay=preset.weight_decay
        )

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.net, "average": self.average}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"net": self._optimiser}

    def weights_to_keep(self) -> dict[str, Tensor]:
        return {f"net.{k}": v for k, v in self.average.state_dict().items()}

    def settings(self) -> dict:
        chosen = {
            k: v for k, v in asdict(self.preset).items() if k not in ("steps", "validate_every", "falling", "easing")
        }
        return (
            chosen
            | {"findings": list(self.collection.findings)}
            | data_settings(self.collection)
            | pairs_settings(self.teacher)
        )

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Begin with the weights of an earlier training.

        Raises:
            ValueError: they are of another network.
        """
        try:
            for network in (self.net, self.average):
                network.load_state_dict({k.removeprefix("net."): v for k, v in weights.items() if k.startswith("net.")})
        except RuntimeError as error:
            raise ValueError(
                "the weights to start from are of another network, or for other findings; train with its settings."
            ) from error

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        if fabric.world_size > 1:
            raise ValueError("the supervised U-Net trains on one device; leave --devices out.")
        p = self.preset
        share = min(1.0, (self.steps - step) / (p.falling * self.steps)) if p.falling else 1.0
        for group in self._optimiser.param_groups:
            group["lr"] = p.learning_rate * max(share, 0.02)
        before, change, known = self.teacher.whole_batch(
            self.draw("pairs", step), p.made_pairs, p.augmentation, bool(p.mirror)
        )
        before, change, known = (part.to(fabric.device) for part in (before, change, known))
        with fabric.autocast():
            maps = self.net(before.contiguous(memory_format=torch.channels_last))
        made, change = maps[known][:, None], change[known][:, None]  # (n, 1, H, W)
        sizes = self.teacher.sizes.to(fabric.device).expand(known.shape)[known]
        loss = pair_loss(
            made, change, emphasis_at(step, p.emphasis, p.last_emphasis, round(p.easing * self.steps)), sizes
        )
        descend(loss, self._optimiser, fabric, longest=1.0)
        follow(self.average, self.net, p.averaging, step)
        return {"pairs": float(loss.detach()), "recovery": pair_recovery(made.detach(), change)}

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        """recovery on pairs of the teacher's validation part, and how much idle pictures move, in shares of
        the range.
        """
        self.average.to(fabric.device).eval()
        before, change, task = self.teacher.batch(
            np.random.default_rng(self.seed), self.preset.validated, part="validation"
        )
        made = []
        for some in range(0, len(task), 16):
            x, c = before[some : some + 16].to(fabric.device), task[some : some + 16]
            with fabric.autocast():
                maps = self.average(x.contiguous(memory_format=torch.channels_last)).float().cpu()
            made.append(maps[torch.arange(len(c)), c][:, None])
        made = torch.cat(made)
        idle = change.abs().amax(dim=(1, 2, 3)) == 0
        moved = float(made[idle].abs().mean() / (2 * self.preset.value_range)) if idle.any() else 0.0
        return {"score": pair_recovery(made, change), "moved": moved}
