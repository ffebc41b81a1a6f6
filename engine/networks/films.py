"""The pictures of a collection as a network wants them, kept in memory once they have been read."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from engine.datasets.collection import Collection
from engine.preprocessing import Preprocessing


class Films:
    """Preprocessed pictures (N, size, size) of a collection, stored as 8-bit steps of the network's range.

    Args:
        collection: where they come from.
        preprocessing: how they are made.
        threads: how many pictures are read at once.
    """

    def __init__(self, collection: Collection, preprocessing: Preprocessing, threads: int = 4):
        self.collection, self.preprocessing, self.threads = collection, preprocessing, threads
        size = preprocessing.size
        self._stored = np.zeros((len(collection), size, size), np.uint8)
        self._known = np.zeros(len(collection), bool)

    def batch(self, indices: Sequence[int] | np.ndarray) -> Tensor:
        """Pictures (B, 1, size, size) float32 in [-value_range, value_range]; the step is value_range / 127."""
        indices = np.asarray(indices)
        missing = np.unique(indices[~self._known[indices]])
        if len(missing) > 8:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(self._read, missing))
        else:
            for index in missing:
                self._read(index)
        value_range = self.preprocessing.value_range
        return torch.from_numpy(self._stored[indices].astype(np.float32) * (2 * value_range / 254) - value_range)[
            :, None
        ]

    def _read(self, index: int) -> None:
        side = self.preprocessing.size
        picture = self.preprocessing.apply(self.collection.image(int(index), side))
        value_range = self.preprocessing.value_range
        self._stored[index] = np.rint((picture + value_range) * (254 / (2 * value_range)))
        self._known[index] = True
