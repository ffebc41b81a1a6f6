"""Trainings of discrepancy maps small enough for tests."""

from __future__ import annotations

from functools import lru_cache

from engine.datasets.vagan_synthetic import VAGANSynthetic
from engine.methods.cx_gan import network, train
from engine.methods.va_gan import train as va_gan


@lru_cache(maxsize=1)
def pictures() -> VAGANSynthetic:
    return VAGANSynthetic(100)


def cx_gan(seed: int = 42, **changes) -> train.CxGanRecipe:
    sizes = network.Architecture(size=32, width=4, levels=3, critic_width=4)
    chosen = {
        "steps": 6,
        "validate_every": 3,
        "patience": 0,
        "pairs": 4,
        "history": 3,
        "averaging": 0.9,
        "mirror": 1,
        "validated": 4,
    }
    return train.CxGanRecipe(pictures(), train.Preset(architecture=sizes, **{**chosen, **changes}), seed)


def va(seed: int = 42, **changes) -> va_gan.VaGanRecipe:
    chosen = {
        "steps": 4,
        "validate_every": 2,
        "pairs": 4,
        "critic_steps": 2,
        "warm_steps": 1,
        "warm_critic_steps": 3,
        "validated": 4,
    }
    return va_gan.VaGanRecipe(
        pictures(), va_gan.Preset(architecture=va_gan.Architecture(size=32, width=4), **{**chosen, **changes}), seed
    )


RECIPES = {
    "integrated": cx_gan,
    "cascaded": lambda **changes: cx_gan(cascaded=1, first_phase=0.5, **changes),
    "VA-GAN": va,
}
