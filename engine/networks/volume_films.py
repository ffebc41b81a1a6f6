"""The volumes of a collection as a network wants them, kept in memory once they have been read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from engine.datasets.collection import Collection
from engine.networks.films import Films
from engine.preprocessing import Preprocessing

MANY = 64  # volumes, of which the reading is shown as a bar


class VolumeFilms(Films):
    """Preprocessed volumes (N, slices, size, size) of a collection, stored as 8-bit steps of the network's range.

    Args:
        collection: of volumes.
        preprocessing: how their slices are made.
        slices: how many, evenly spaced; of single slices the one.

    Raises:
        ValueError: a collection of pictures.
    """

    def __init__(self, collection: Collection, preprocessing: Preprocessing, slices: int):
        if collection.dimensions != 3:
            raise ValueError(f"{collection.name} holds single pictures; volumes are needed.")
        self.collection, self.preprocessing = collection, preprocessing
        self.slices = slices_read(collection, slices)
        self._stored: dict[int, np.ndarray] = {}

    def batch(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """Volumes (B, slices, size, size) float32 in [-value_range, value_range]; the step is value_range / 127."""
        self.read(indices)
        stored = np.stack([self._stored[int(index)] for index in indices])
        value_range = self.preprocessing.value_range
        return torch.from_numpy(stored.astype(np.float32) * (2 * value_range / 254) - value_range)

    def read(self, indices: Sequence[int] | np.ndarray) -> None:
        """Reads what is not in memory yet, in the collection's order, in which neighbours lie in one file."""
        missing = [index for index in sorted(map(int, indices)) if index not in self._stored]
        value_range = self.preprocessing.value_range
        for index in tqdm(missing, desc="volumes", unit="volume", disable=len(missing) < MANY, mininterval=5.0):
            volume = self.preprocessing.apply_volume(self.collection.image(index), self.slices)
            self._stored[index] = np.rint((volume + value_range) * (254 / (2 * value_range))).astype(np.uint8)


def slices_read(collection: Collection, slices: int) -> int:
    """Of how many slices a network reads the volumes of a collection that is asked for `slices`."""
    return 1 if collection.single_slices else slices
