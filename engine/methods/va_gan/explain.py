"""A trained VA-GAN looks at a scan; only the map generator is left of it."""

from __future__ import annotations

from engine.checkpoints.format import Checkpoint
from engine.methods.map_translation.explain import DiscrepancyModel
from engine.methods.va_gan.train import Architecture, MapGenerator, folded


def open_model(checkpoint: Checkpoint, device: str) -> DiscrepancyModel:
    """The model behind `checkpoint`, on `device` ("cpu", "cuda")."""
    return DiscrepancyModel("VA-GAN", Architecture, MapGenerator, folded, checkpoint, device)
