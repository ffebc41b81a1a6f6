"""An autoencoder of one collection's films, in whose latent space counterfactuals of any classifier are sought."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from engine.datasets.collection import Collection
from engine.networks.autoencoder import Autoencoder
from engine.networks.films import Films
from engine.training.autoencoder import AutoencoderRecipe, Preset
from engine.training.loop import Machine, best_weights, ended_in, train_in

__all__ = ["PRESETS", "Preset", "trained", "typical_size"]

PRESETS: Mapping[str, Preset] = {"demo": Preset(), "paper": Preset(width=32, steps=20_000, validate_every=1000)}


def trained(
    collection: Collection, films: Films, preset: Preset, folder: Path, machine: Machine, seed: int, train: bool
) -> Autoencoder | None:
    """The autoencoder of `folder`, trained there (or on) when it is not; None where it is not and `train` is False."""
    recipe = AutoencoderRecipe(collection, films, preset, seed)
    if not train and not ended_in(recipe, folder):
        return None
    train_in(recipe, folder, machine)
    net = recipe.net
    assert isinstance(net, Autoencoder)
    net.load_state_dict(best_weights(folder))
    return net.to("cpu").eval().requires_grad_(False)


def typical_size(z: Tensor) -> Tensor:
    """Root mean square of each latent (B, ...), (B, 1, 1, 1)."""
    return z.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)
