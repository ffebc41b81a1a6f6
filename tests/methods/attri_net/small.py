"""A training of Attri-Net small enough for tests: few patients, drawn once, and a network of a few thousand weights."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from engine.checkpoints.format import Checkpoint
from engine.datasets import registered_collection, registry
from engine.datasets.phantom.collection import Phantom
from engine.methods.attri_net.network import Architecture
from engine.methods.attri_net.produce import tiny
from engine.methods.attri_net.train import AttriNetRecipe, Preset
from engine.networks.augmentation import Augmentation

SMALL = {"size": 32, "width": 4, "residual_blocks": 1, "critic_layers": 4, "pool": 8, "code_repeat": 4}
SCHEDULE = {
    "steps": 4,
    "validate_every": 2,
    "pairs": 4,
    "warm_steps": 1,
    "warm_critic_steps": 2,
    "critic_steps": 1,
    "classifier_steps": 2,
}
PATIENTS = 60  # enough for every finding, present and absent, in every part


_films: dict[tuple, np.ndarray] = {}


class DrawnOnce(Phantom):
    """A phantom that remembers its films: drawing them is most of a small training's time."""

    def counterfactual(self, index, size=None, *, without=(), **changes):
        key = (self.seed, self.markers, int(index), size or self.size, tuple(without), *sorted(changes.items()))
        if key not in _films:
            _films[key] = super().counterfactual(index, size, without=without, **changes)
        return _films[key].copy()


def draw_once(patch: pytest.MonkeyPatch) -> None:
    """The collection called phantom is a `DrawnOnce` while the patch lasts."""
    patch.setitem(registry._registered, "phantom", replace(registered_collection("phantom"), opens=DrawnOnce))


@lru_cache(maxsize=1)
def patients() -> DrawnOnce:
    return DrawnOnce(PATIENTS)


def preset(**changes) -> Preset:
    architecture = Architecture(**SMALL)
    augmentation = Augmentation(rotate=5, shift=0.03, scale=0.05, gamma=0.2)
    return Preset(architecture=architecture, augmentation=augmentation, averaging=0.9, **{**SCHEDULE, **changes})


def recipe(guidance=None, seed: int = 42, **changes) -> AttriNetRecipe:
    """The real recipe, from random weights that do not say "no change"."""
    return AttriNetRecipe(patients(), preset(**changes), guidance, seed)


def beginning(folder: Path) -> Checkpoint:
    """A checkpoint of the same sizes with random maps to begin with, in which rounding does not decide a
    step's sign.
    """
    return tiny(folder, tuple(patients().findings))
