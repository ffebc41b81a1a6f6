"""A trained CX-GAN looks at a scan; only the map generator is left of it (3.2 of Zia et al.)."""

from __future__ import annotations

from engine.checkpoints.format import Checkpoint
from engine.methods.cx_gan.fast import FastMapGenerator
from engine.methods.cx_gan.network import Architecture, MapGenerator
from engine.methods.map_translation.explain import DiscrepancyModel


class CxGanModel(DiscrepancyModel[MapGenerator]):
    """An opened CX-GAN checkpoint, integrated or cascaded: `network` in its configuration is an `Architecture`."""

    def __init__(self, checkpoint: Checkpoint, device: str):
        super().__init__("CX-GAN", Architecture, MapGenerator, FastMapGenerator, checkpoint, device)


def open_model(checkpoint: Checkpoint, device: str) -> CxGanModel:
    """The model behind `checkpoint`, on `device` ("cpu", "cuda")."""
    return CxGanModel(checkpoint, device)
