"""CIT-LR: would a model's answer change if only the sex, the scanner or the marker changed?

After "AI Alignment in Medical Imaging".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.registry import Generator, register


@register
class CitLrGenerator(Generator):
    """The same patient under another attribute, by a disentangled conditional latent diffusion model."""

    name = "cit_lr"
    title = "CIT-LR"
    paper = "AI Alignment in Medical Imaging 2025"

    def presets(self) -> Mapping[str, Any]:
        from engine.methods.cit_lr.training_data import PRESETS

        return PRESETS
