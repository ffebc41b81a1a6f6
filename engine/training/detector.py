"""The detector of unlike scans that a checkpoint carries, learned from the pictures that it was trained on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.datasets.collection import Collection
from engine.networks.films import Films
from engine.ood import ENOUGH, OutOfDistributionDetector, middle_slices


def detector_of(films: Films, collection: Collection) -> dict[str, Tensor]:
    """The tensors of a detector fitted to training pictures, its limit from them and from validation; of volumes, to
    their middle slices.
    """
    training, validation = (_pictures(films, collection.split(part)) for part in ("train", "validation"))
    return detector_tensors(training, validation)


def _pictures(films: Films, indices: np.ndarray) -> np.ndarray:
    """(N, H, W) of pictures, or of the middle slices of volumes, no more than `ENOUGH`."""
    slices = films.batch(indices[:1]).shape[1] if len(indices) else 1  # pictures are (B, 1, H, W)
    places = middle_slices(slices)
    chosen = films.batch(indices[: ENOUGH // len(places)])
    return chosen[:, places].flatten(0, 1).numpy()


def detector_tensors(training: np.ndarray, validation: np.ndarray) -> dict[str, Tensor]:
    """As `detector_of`, from preprocessed pictures (N, H, W) and (M, H, W)."""
    return {k: torch.as_tensor(v) for k, v in OutOfDistributionDetector.of(training, validation).tensors().items()}
