"""An autoencoder is trained on the pictures of one collection, with and without findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.datasets.collection import Collection
from engine.datasets.identity import data_settings
from engine.networks.autoencoder import Autoencoder
from engine.networks.films import Films
from engine.training.loop import Recipe, descend

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(frozen=True)
class Preset:
    """How the autoencoder is trained: Adam on the mean absolute difference."""

    width: int = 8
    latent: int = 4
    steps: int = 600
    validate_every: int = 200
    batch: int = 16
    learning_rate: float = 2e-3
    validated: int = 64


class AutoencoderRecipe(Recipe):
    """The autoencoder on the films of the training part, with and without findings.

    Args:
        films: as the classifier sees them; those that were read for it are not read again.
        make: makes what is trained, from pictures (B, 1, H, W) to the same, of the preset's width and latent channels.
    """

    def __init__(
        self,
        collection: Collection,
        films: Films,
        preset: Preset,
        seed: int = 42,
        make: Callable[[int, int], nn.Module] = Autoencoder,
    ):
        self.collection, self.films, self.preset, self.seed = collection, films, preset, seed
        self.steps, self.validate_every = preset.steps, preset.validate_every
        torch.manual_seed(seed)
        self.net = make(preset.width, preset.latent)
        self.train = collection.split("train")
        self._optimiser = torch.optim.Adam(self.net.parameters(), lr=preset.learning_rate)

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.net}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"net": self._optimiser}

    def weights_to_keep(self) -> dict[str, Tensor]:
        return self.net.state_dict()

    def settings(self) -> dict:
        chosen = {name: value for name, value in asdict(self.preset).items() if name not in ("steps", "validate_every")}
        return chosen | data_settings(self.collection) | {"size": self.films.preprocessing.size}

    def step(self, step: int, fabric: Fabric) -> dict[str, float]:
        left = 1 - step / self.steps
        for group in self._optimiser.param_groups:
            group["lr"] = self.preset.learning_rate * max(min(1.0, 2 * left), 0.02)
        x = self.films.batch(self.draw("batch", step).choice(self.train, self.preset.batch)).to(fabric.device)
        self.net.train()
        with fabric.autocast():
            loss = F.l1_loss(self.net(x).float(), x)
        descend(loss, self._optimiser, fabric, longest=1.0)
        return {"reconstruction": float(loss.detach())}

    @torch.no_grad()
    def validate(self, fabric: Fabric) -> dict[str, float]:
        self.net.eval()
        x = self.films.batch(self.collection.split("validation")[: self.preset.validated]).to(fabric.device)
        return {"score": -float(F.l1_loss(self.net(x), x))}
