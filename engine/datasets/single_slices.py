"""Single slices of CT or MR as volumes of one slice, for a method that reads volumes of any number of slices."""

from __future__ import annotations

from collections.abc import Collection as Names

import numpy as np

from engine.datasets.collection import Collection
from engine.datasets.selected_findings import SelectedFindings

SLICED = ("CT", "MR")  # kinds of which a single picture is a slice


class SingleSlices(SelectedFindings):
    """`collection` with every picture as a volume (1, H, W); labels, patients and parts stay as they are.

    Raises:
        ValueError: pictures that are no slices, such as radiographs, or volumes.
    """

    def __init__(self, collection: Collection):
        if collection.dimensions != 2 or collection.kind not in SLICED:
            raise ValueError(f"{collection.name} holds no single slices of {' or '.join(SLICED)}.")
        super().__init__(collection, collection.findings)
        self.dimensions, self.single_slices = 3, True

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        return super().image(index, size)[None]

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        return _deep(super().mask(index, finding, size))

    def regions(self, index: int, finding: str, size: int) -> list[np.ndarray]:
        return [region[None] for region in super().regions(index, finding, size)]

    def body(self, index: int, size: int | None = None) -> np.ndarray | None:
        return _deep(super().body(index, size))

    def organ(self, index: int, size: int | None = None) -> np.ndarray | None:
        return _deep(super().organ(index, size))

    def counterfactual(
        self, index: int, size: int | None = None, *, without: Names[str] = (), with_: Names[str] = ()
    ) -> np.ndarray:
        return super().counterfactual(index, size, without=without, with_=with_)[None]


def _deep(picture: np.ndarray | None) -> np.ndarray | None:
    return None if picture is None else picture[None]
