"""The oracle of Liu et al. 2025: a classifier that is shown nothing but the marked region, in training and in tests."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.datasets.collection import Collection
from engine.methods.causal_alignment.network import CausalAlignmentNetwork
from engine.methods.causal_alignment.pictures import RegionBatch, RegionPictures, on_plain_background
from engine.methods.causal_alignment.presets import Preset
from engine.methods.causal_alignment.region_recipe import RegionRecipe


class OracleRecipe(RegionRecipe):
    """Cross-entropy on pictures whose surroundings are a plain grey."""

    def __init__(self, collection: Collection, preset: Preset, seed: int = 42):
        torch.manual_seed(seed)
        super().__init__(collection, preset, CausalAlignmentNetwork(0, preset.architecture), seed, RegionOnly)

    def losses(self, batch: RegionBatch, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        x = on_plain_background(batch.x, batch.region, 0.0)
        return {"diagnosis": self.diagnosis_loss(self.net(x)[1], batch.y)}, {}


class RegionOnly(RegionPictures):
    """Pictures of which only the marked region is shown."""

    def under(self, indices: np.ndarray, value: str) -> np.ndarray:
        x = torch.from_numpy(super().under(indices, value))[:, None]
        region = torch.from_numpy(self.regions(indices).astype(np.float32))[:, None]
        return on_plain_background(x, region, 0.0)[:, 0].numpy()
