"""What ACAT trains, one after the other: baseline classifier, autoencoder, and the network that saliency steers
(Algorithm 1 of Fontanella et al. 2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.datasets.identity import data_settings
from engine.datasets.stroke_phantom import SIDES
from engine.methods.acat.counterfactual import Search
from engine.methods.acat.network import ACAT, BACKBONES, Baseline
from engine.networks.augmentation import Augmentation
from engine.networks.autoencoder import FACTOR, Autoencoder
from engine.networks.volume_films import VolumeFilms
from engine.preprocessing import Preprocessing
from engine.training.loop import Recipe, descend, follow, shard
from engine.training.presets import at_least_one, not_negative, whole_numbers

if TYPE_CHECKING:
    from lightning.fabric import Fabric

LARGEST = 1024  # pixels a side
MIRRORED = [SIDES.index(side) for side in ("none", "right", "left", "both")]  # classes of a mirrored head
WARM = 50  # steps in which the learning rate rises
CLIP = 5.0  # of the gradient's norm


@dataclass(frozen=True)
class Architecture:
    """Sizes of the three networks.

    Attributes:
        size: side of a slice in pixels, a multiple of 4.
        classes: 4 for no lesion, left, right and both, told by halves of the brain; 2 for without and with.
        backbone: a name of `BACKBONES`; with 4 classes the seven convolutions of the multi-task network.
        width: of the backbone; ResNet-50 has its own.
        autoencoder_width: channels of the autoencoder at the picture's size.
        latent: channels of its latent space, which has a sixteenth of the pixels.
    """

    size: int = 64
    classes: int = 2
    backbone: str = "small_resnet"
    width: int = 16
    autoencoder_width: int = 8
    latent: int = 4

    def __post_init__(self):
        whole_numbers(self)
        if self.backbone not in BACKBONES:
            raise ValueError(f"backbone must be one of {', '.join(BACKBONES)}, got {self.backbone!r}")
        if self.classes not in (2, len(SIDES)):
            raise ValueError(f"classes must be 2 or {len(SIDES)}, got {self.classes}")
        if self.size % FACTOR or not 16 <= self.size <= LARGEST:
            raise ValueError(f"size must be a multiple of {FACTOR} from 16 to {LARGEST}, got {self.size}")
        if self.latent > 8:
            raise ValueError(f"a latent of more than 8 channels hardly compresses, got {self.latent}")

    @property
    def half_brain(self) -> bool:
        return self.classes == len(SIDES)

    @property
    def classifier(self) -> dict:
        """Arguments of `Baseline` and `ACAT`."""
        sizes = {} if self.backbone == "resnet50" else {"width": self.width}
        return {"backbone": self.backbone, "classes": self.classes, "half_brain": self.half_brain, **sizes}

    def suited_to(self, collection: Collection) -> Architecture:
        """The same for the classes that the collection knows."""
        if sides_known(collection):
            return replace(self, classes=len(SIDES), backbone="seven_layers")
        return replace(self, classes=2)


class Networks(nn.Module):
    """Baseline, autoencoder and ACAT of one architecture."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.baseline = Baseline(**architecture.classifier)
        self.autoencoder = Autoencoder(architecture.autoencoder_width, architecture.latent)
        self.acat = ACAT(**architecture.classifier)


@dataclass(frozen=True)
class Preset:
    """What decides a training of ACAT.

    Attributes:
        slices: of each volume, evenly spaced; 11 in the paper.
        baseline_steps, autoencoder_steps, attention_steps: of the three trainings.
        batch: volumes a step; the autoencoder sees as many slices as `slice_batch`.
        learning_rate: of baseline and autoencoder. fine_tuning_rate: of ACAT, which starts from the baseline.
        averaging: decay of the running averages of the weights that are kept.
        search: how counterfactuals are sought.
        percentile: of a volume that are the ends of the network's range, where the collection states no grey values.
    """

    architecture: Architecture = field(default_factory=Architecture)
    slices: int = 11
    baseline_steps: int = 4000
    autoencoder_steps: int = 1500
    attention_steps: int = 1500
    validate_every: int = 250
    batch: int = 16
    slice_batch: int = 32
    learning_rate: float = 2e-3
    fine_tuning_rate: float = 5e-4
    weight_decay: float = 1e-3
    averaging: float = 0.99
    percentile: float = 1.0
    value_range: float = 0.9
    search: Search = field(default_factory=Search)
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(rotate=5, shift=0.04, scale=0.06))

    def __post_init__(self):
        at_least_one(
            self, "slices", "baseline_steps", "autoencoder_steps", "attention_steps", "validate_every", "batch"
        )
        at_least_one(self, "slice_batch")
        not_negative(self, "learning_rate", "fine_tuning_rate", "weight_decay")
        if not 0 <= self.averaging < 1:
            raise ValueError(f"averaging must lie in [0, 1), got {self.averaging}.")

    def suited_to(self, collection: Collection) -> Preset:
        """The same with an architecture for the classes that the collection knows."""
        return replace(self, architecture=self.architecture.suited_to(collection))


def sides_known(collection: Collection) -> bool:
    """Whether every scan of a collection says on which side of the head its finding is."""
    return {*collection.attributes.get("side", ("",))} <= {*SIDES}


def targets(collection: Collection) -> np.ndarray:
    """(N,) int64, the class of each scan; -1 where it is not known.

    Raises:
        ValueError: more findings than one.
    """
    if len(collection.findings) != 1:
        raise ValueError(
            f"ACAT learns one finding; choose it with --finding out of {', '.join(map(str, collection.findings))}."
        )
    if sides_known(collection):
        return np.array([SIDES.index(side) for side in collection.attributes["side"]], np.int64)
    labels = collection.labels[:, 0]
    return np.where(np.isnan(labels), -1, np.nan_to_num(labels)).astype(np.int64)


class TrainingData:
    """A collection's volumes and classes.

    Args:
        preset: its architecture is suited to the collection.

    Raises:
        ValueError: pictures, several findings, or too few scans of a part.
    """

    def __init__(self, collection: Collection, preset: Preset):
        size, fixed = preset.architecture.size, collection.grey_range
        preprocessing = Preprocessing(size, preset.percentile, preset.value_range, fixed)
        self.collection, self.films = collection, VolumeFilms(collection, preprocessing, preset.slices)
        self.targets = targets(collection)
        self.parts = {part: _known(collection.split(part), self.targets) for part in ("train", "validation")}
        for part, least in (("train", preset.batch), ("validation", 1)):
            if len(self.parts[part]) < least:
                raise ValueError(f"{least} scans are needed for {part}; there are {len(self.parts[part])}.")


def _known(indices: np.ndarray, classes: np.ndarray) -> np.ndarray:
    return indices[classes[indices] >= 0]


class Phase(Recipe):
    """One network that learns, and the running average of its weights, which is kept.

    Args:
        net: what learns. average: a network of the same shape, which ends with the average.
        rate: the highest learning rate; it rises in `WARM` steps and falls along a cosine.
    """

    def __init__(
        self,
        data: TrainingData,
        preset: Preset,
        net: nn.Module,
        average: nn.Module,
        steps: int,
        rate: float,
        seed: int,
    ):
        self.data, self.preset, self.net, self.average = data, preset, net, average
        self.steps, self.rate, self.seed = steps, rate, seed
        self.validate_every = min(preset.validate_every, steps)
        self._optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=preset.weight_decay)
        average.load_state_dict(net.state_dict())
        average.eval().requires_grad_(False)

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.net, "average": self.average}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"net": self._optimiser}

    def weights_to_keep(self) -> dict[str, Tensor]:
        return self.average.state_dict()

    def settings(self) -> dict:
        preset = {k: v for k, v in asdict(self.preset).items() if k not in (*self.indifferent, "validate_every")}
        return preset | data_settings(self.data.collection)

    def learn_at(self, step: int) -> None:
        share = min((step + 1) / WARM, 0.5 * (1 + np.cos(np.pi * step / self.steps)))
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate * share

    def chosen(self, step: int, count: int) -> np.ndarray:
        """`count` training scans; every epoch in an order of its own."""
        train = self.data.parts["train"]
        epochs, places = np.divmod(np.arange(step * count, (step + 1) * count), len(train))
        orders = {epoch: self.draw("order", epoch).permutation(train) for epoch in np.unique(epochs).tolist()}
        return np.array([orders[epoch][place] for epoch, place in zip(epochs.tolist(), places.tolist(), strict=True)])

    def learn(self, loss: Tensor, step: int, fabric: Fabric) -> None:
        self.learn_at(step)
        descend(loss, self._optimiser, fabric, longest=CLIP)
        follow(self.average, self.net, self.preset.averaging, step)


class BaselinePhase(Phase):
    """The classifier that counterfactuals are sought for."""

    indifferent = ("autoencoder_steps", "slice_batch", "attention_steps", "fine_tuning_rate", "search")

    def __init__(self, data: TrainingData, preset: Preset, net: nn.Module, average: nn.Module, seed: int):
        super().__init__(data, preset, net, average, preset.baseline_steps, preset.learning_rate, seed)

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        chosen = self.chosen(step, self.preset.batch)[shard(self.preset.batch, fabric)]
        inputs, classes = self.augmented(self.inputs(chosen), self.data.targets[chosen], step, fabric)
        self.net.train()
        with fabric.autocast():
            said = self.net(*inputs)
        loss = F.nll_loss(said.float(), classes)
        self.learn(loss, step, fabric)
        return {"loss": float(loss.detach())}

    def inputs(self, chosen: np.ndarray) -> list[Tensor]:
        """What the network reads of the scans `chosen`, (B, S, H, W) each."""
        return [self.data.films.batch(chosen)]

    def augmented(
        self, inputs: Sequence[Tensor], classes: np.ndarray, step: int, fabric: Fabric
    ) -> tuple[list[Tensor], Tensor]:
        """Moved and mirrored alike; a mirrored head has its lesion on the other side."""
        p, draw = self.preset, self.draw(f"changes {fabric.global_rank}", step)
        changes = torch.from_numpy(draw.uniform(-1, 1, (len(classes), 5)).astype(np.float32)).to(fabric.device)
        mirrored = draw.random(len(classes)) < 0.5
        if p.architecture.half_brain:
            classes = np.where(mirrored, np.array(MIRRORED)[classes], classes)
        volume, *others = (part.to(fabric.device) for part in inputs)
        moved, grid = p.augmentation(volume, changes, p.value_range)
        others = [F.grid_sample(part, grid, padding_mode="reflection", align_corners=False) for part in others]
        flip = torch.from_numpy(mirrored).to(fabric.device)[:, None, None, None]
        turned = [torch.where(flip, part.flip(-1), part) for part in (moved, *others)]
        return turned, torch.from_numpy(classes).to(fabric.device)

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        chosen = self.data.parts["validation"]
        parts = [chosen[start : start + 32] for start in range(0, len(chosen), 32)]
        self.average.to(fabric.device)
        said = torch.cat([self.average(*(t.to(fabric.device) for t in self.inputs(part))).float() for part in parts])
        classes = torch.from_numpy(self.data.targets[chosen]).to(fabric.device)
        right = (said.argmax(1) == classes).float().mean()
        loss = F.nll_loss(said, classes)
        return {"score": -float(loss), "accuracy": float(right)}


class AutoencoderPhase(Phase):
    """Reconstructs single slices."""

    indifferent = ("baseline_steps", "batch", "attention_steps", "fine_tuning_rate", "search", "augmentation")

    def __init__(self, data: TrainingData, preset: Preset, net: nn.Module, average: nn.Module, seed: int):
        super().__init__(data, preset, net, average, preset.autoencoder_steps, preset.learning_rate, seed)

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        volumes = -(-self.preset.slice_batch // self.data.films.slices)
        slices = self.data.films.batch(self.chosen(step, volumes)).flatten(0, 1)[:, None]
        some = self.draw("slices", step).permutation(len(slices))[: self.preset.slice_batch]
        x = slices[torch.from_numpy(some[shard(len(some), fabric)])].to(fabric.device)
        self.net.train()
        with fabric.autocast():
            made = self.net(x)
        loss = F.mse_loss(made.float(), x)
        self.learn(loss, step, fabric)
        return {"mse": float(loss.detach())}

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        x = self.data.films.batch(self.data.parts["validation"][:64]).flatten(0, 1)[:, None].to(fabric.device)
        self.average.to(fabric.device)
        loss = float(np.mean([float(F.mse_loss(self.average(part), part)) for part in x.split(64)]))
        return {"score": -loss, "mse": loss}


class AttentionPhase(BaselinePhase):
    """ACAT, from the baseline's weights.

    Args:
        saliency: (S, H, W) uint8 of 0 to 255 by the scan's index.
    """

    indifferent = ()

    def __init__(
        self, data: TrainingData, preset: Preset, net: nn.Module, average: nn.Module, saliency: Mapping, seed: int
    ):
        Phase.__init__(self, data, preset, net, average, preset.attention_steps, preset.fine_tuning_rate, seed)
        self.saliency = saliency

    def inputs(self, chosen: np.ndarray) -> list[Tensor]:
        maps = np.stack([self.saliency[int(index)] for index in chosen]).astype(np.float32) / 255
        return [*super().inputs(chosen), torch.from_numpy(maps)]


# 200 epochs of 777 MosMed scans, then 100, in batches of 8; rates and decay are those of the authors' code.
PAPER = Preset(
    architecture=Architecture(size=128, backbone="resnet50", width=32, autoencoder_width=32, latent=4),
    baseline_steps=20_000,
    autoencoder_steps=10_000,
    attention_steps=10_000,
    validate_every=500,
    batch=8,
    slice_batch=64,
    learning_rate=1e-4,
    fine_tuning_rate=1e-5,
    weight_decay=5e-5,
    search=Search(alpha=100.0),
)
DEMO = Preset()
GPU = Preset(
    architecture=Architecture(size=128, width=32, autoencoder_width=16),
    baseline_steps=12_000,
    autoencoder_steps=3000,
    attention_steps=4000,
    batch=32,
    slice_batch=128,
)
PRESETS: Mapping[str, Preset] = {"paper": PAPER, "gpu": GPU, "demo": DEMO}
