"""The detector of unlike scans that a checkpoint carries, learned from the pictures that it was trained on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.datasets.collection import Collection
from engine.networks.films import Films
from engine.ood import ENOUGH, OutOfDistributionDetector


def detector_of(films: Films, collection: Collection) -> dict[str, Tensor]:
    """The tensors of a detector fitted to training pictures, its limit from them and from validation."""
    training, validation = (
        films.batch(collection.split(part)[:ENOUGH])[:, 0].numpy() for part in ("train", "validation")
    )
    return detector_tensors(training, validation)


def detector_tensors(training: np.ndarray, validation: np.ndarray) -> dict[str, Tensor]:
    """As `detector_of`, from preprocessed pictures (N, H, W) and (M, H, W)."""
    return {k: torch.as_tensor(v) for k, v in OutOfDistributionDetector.of(training, validation).tensors().items()}
