"""What every training of a discrepancy map has in common: batches of two classes, weights that are
averaged, validation.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.datasets.identity import data_settings
from engine.networks.augmentation import Augmentation
from engine.networks.films import Films
from engine.preprocessing import Preprocessing
from engine.training.loop import PictureRecipe, follow, shard
from engine.training.presets import at_least_one

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Picture = TypeVar("Picture", np.ndarray, Tensor)
Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class Schedule:
    """What decides a training of a discrepancy map, whichever the method; the defaults are the paper's (3.3 of Zia et
    al.).

    Attributes:
        pairs: abnormal pictures in a batch, and as many of the other class.
        patience: validations without a better score after which training ends; 0 goes on to `steps`.
        falling: share of the steps, at the end, in which every learning rate falls to nothing (CycleGAN's last half).
        averaging: decay of the running average of the map generator's weights, which is what is kept; 0 keeps the last.
        validated: at most so many validation pictures of each class are looked at.
        percentile, value_range: of `Preprocessing`.
        mirror: 1 mirrors every second picture left to right.
    """

    steps: int = 100_000
    validate_every: int = 1000
    patience: int = 10
    pairs: int = 1
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.9
    falling: float = 0.0
    averaging: float = 0.0
    keep_last: int = 0
    validated: int = 200
    percentile: float = 1.0
    value_range: float = 0.9
    mirror: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self):
        at_least_one(self, "steps", "validate_every", "pairs", "validated")
        if not 0 <= self.falling <= 1 or not 0 <= self.averaging < 1:
            raise ValueError(
                f"falling must lie in [0, 1] and averaging in [0, 1), got {self.falling} and {self.averaging}."
            )


class DiscrepancyRecipe(PictureRecipe, Generic[Net]):
    """A training whose result is one map generator M with x- = x+ + M(x+) (Eq. 1 of Zia et al.).

    A method adds its networks, its optimisers and its `step`.

    Args:
        collection: pictures with and without `finding`, the latter normal or `contrast_class` another; NaN labels take
            no part.
        preset: a `Schedule` with an `architecture`.
        map_generator: M, (B, 1, H, W) to (B, 1, H, W).
        average: another of the same.
    """

    def __init__(self, collection: Collection, preset, map_generator: Net, average: Net, seed: int):
        self.collection, self.preset, self.seed = collection, preset, seed
        self.steps, self.validate_every, self.keep_last = preset.steps, preset.validate_every, bool(preset.keep_last)
        self.patience = preset.patience
        if len(collection.findings) != 1:
            raise ValueError(
                f"one finding is learned at a time, not {', '.join(collection.findings)}; choose one with --finding."
            )
        self.finding, self.contrast_class = collection.findings[0], collection.contrast_class
        self.map_generator, self.average = map_generator, average
        average.load_state_dict(map_generator.state_dict())
        fixed = collection.grey_range
        self.films = Films(
            collection, Preprocessing(preset.architecture.size, preset.percentile, preset.value_range, fixed)
        )
        self.parts = {part: self._of_each_class(part) for part in ("train", "validation")}

    def _of_each_class(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Indices of normal pictures, or those of the class that stands in for them, and of abnormal ones."""
        chosen = self.collection.split(part)
        label = self.collection.labels[chosen, 0]
        both = chosen[label == 0], chosen[label == 1]
        if not all(map(len, both)):
            have = f"the {part} split has {len(both[1])} and {len(both[0])}"
            raise ValueError(
                f"training needs pictures with and without {self.finding}; {have}."
                if self.contrast_class is None
                else f"training needs pictures with {self.finding} and with {self.contrast_class} alone; {have}: "
                "choose other classes with --contrast-class."
            )
        return both

    @property
    def training_networks(self) -> Mapping[str, nn.Module]:
        """The networks that only training needs, by name; none unless a method says so."""
        return {}

    def weights_to_keep(self) -> dict[str, Tensor]:
        networks = {"net": self.average, **self.training_networks}
        return {f"{name}.{k}": v for name, network in networks.items() for k, v in network.state_dict().items()}

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Begin with the weights of an earlier training (`weights_to_keep`, or a checkpoint, which has the map
        generator only).

        Raises:
            ValueError: they are of other networks.
        """
        try:
            for name, network in (("net", self.map_generator), ("net", self.average), *self.training_networks.items()):
                own = {k.removeprefix(f"{name}."): v for k, v in weights.items() if k.startswith(f"{name}.")}
                if own or name == "net":
                    network.load_state_dict(own)
        except RuntimeError as error:
            raise ValueError(
                "the weights to start from are of other networks; train with their method and settings."
            ) from error

    def settings(self) -> dict:
        chosen = {
            k: v for k, v in asdict(self.preset).items() if k not in ("steps", "validate_every", "patience", "falling")
        }
        return (
            chosen | {"findings": [self.finding, *filter(None, [self.contrast_class])]} | data_settings(self.collection)
        )

    def batch(self, stream: str, step: int, fabric: Fabric) -> tuple[Tensor, Tensor]:
        """This process's normal and abnormal pictures (B, 1, H, W), drawn with replacement from (seed,
        stream, step).
        """
        p, draw = self.preset, self.draw(stream, step)
        own_share, pictures = shard(p.pairs, fabric), []
        for pool in self.parts["train"]:
            chosen = draw.choice(pool, p.pairs)
            changes = torch.from_numpy(draw.uniform(-1, 1, (p.pairs, 5)).astype(np.float32))
            turned = torch.from_numpy(draw.random(p.pairs) < 0.5 * p.mirror)
            moved = self.films.batch(chosen[own_share])
            if p.augmentation != Augmentation():
                moved, _ = p.augmentation(moved, changes[own_share], p.value_range)
            moved = torch.where(turned[own_share][:, None, None, None], moved.flip(-1), moved)
            pictures.append(moved.to(fabric.device, memory_format=torch.channels_last))
        return pictures[0], pictures[1]

    def pace(self, step: int) -> None:
        """Set every optimiser's rate for this step; see `Schedule.falling`."""
        if self.preset.falling:
            share = min(1.0, (self.steps - step) / (self.preset.falling * self.steps))
            for optimiser in self.optimisers().values():
                for group in optimiser.param_groups:
                    group["lr"] = group.setdefault("initial_lr", group["lr"]) * share

    def follow(self, step: int) -> None:
        """Let the averaged map generator follow the one that learns."""
        follow(self.average, self.map_generator, self.preset.averaging, step)

    @abstractmethod
    def reconstruction(self, abnormal: Tensor, generated_normal: Tensor) -> Tensor | None:
        """The reconstruction of `abnormal` (B, 1, H, W) from its normal counterpart, for validation; None without a
        generator for it.
        """

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        """How well normal counterparts are made, told without pixel labels ("the precision of generating a normal image
        pair", 3.3).

        The size of the map should tell abnormal from normal (`separation`, an AUC), no longer do so once the picture
        has become normal (`left`, that AUC's distance from chance), and the reconstruction should equal the picture
        (`cycle`, L1).
        """
        self.average.to(fabric.device).eval()
        sizes: dict[str, list[float]] = {"normal": [], "abnormal": [], "generated": []}
        cycles = []
        for name, pool in zip(("normal", "abnormal"), self.parts["validation"]):
            pool = self.draw(f"validation {name}", 0).permutation(pool)[: self.preset.validated]
            for start in range(0, len(pool), 32):
                x = self.films.batch(pool[start : start + 32]).to(fabric.device, memory_format=torch.channels_last)
                with fabric.autocast():
                    change = self.average(x).float()
                sizes[name] += map_size(change).tolist()
                if name == "abnormal":
                    generated_normal = translated(x, change)
                    with fabric.autocast():
                        sizes["generated"] += map_size(self.average(generated_normal).float()).tolist()
                        again = self.reconstruction(x, generated_normal)
                    if again is not None:
                        cycles.append(float((again.float() - x).abs().mean()))
        separation = _separation(sizes["abnormal"], sizes["normal"])
        left = abs(_separation(sizes["generated"], sizes["normal"]) - 0.5)
        cycle = float(np.mean(cycles)) if cycles else 0.0
        return {"score": separation - left - cycle, "separation": separation, "left": left, "cycle": cycle}


def translated(x: Picture, change: Picture, amount: float = 1.0) -> Picture:
    """x + a M(x): with a = 1 the normal counterpart (Eq. 1 of Zia et al.).

    Never clipped, anywhere: the sum that a discriminator judged in training is the one that is looked at again,
    measured and shown. It may leave the range that pictures are brought to, as M does not know where that ends.

    Args:
        x, change: arrays or tensors of one shape.
    """
    return x + amount * change


def map_size(change: Tensor) -> Tensor:
    """(B, 1, H, W) to (B,): the root mean square, in which a strong change in one place outweighs a faint
    one everywhere.
    """
    return change.float().square().mean(dim=(1, 2, 3)).sqrt()


def _separation(above: list[float], below: list[float]) -> float:
    return float(roc_auc_score([1] * len(above) + [0] * len(below), np.nan_to_num([*above, *below], posinf=1e6)))
