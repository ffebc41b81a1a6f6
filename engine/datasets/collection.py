"""What every collection of labelled pictures answers: which pictures, which labels, whose, and where the finding lies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

SPLITS = ("train", "validation", "test", "all")


class UnusableCollection(ValueError):
    """A folder that is not in the collection's public layout; the message names what is missing and where it was sought."""


class Collection(ABC):
    """N labelled pictures of one kind.

    Attributes:
        name: as on the command line, for example ``"chestxray8"``.
        kind: a `Scan.kind`.
        findings: the C finding names, in the order of the label columns.
        labels: (N, C) float32; 1 present, 0 absent, NaN unknown.
        patients: (N,) str; pictures of one patient (or one group of look-alikes) share it.
        attributes: for example ``{"sex": (N,) str, "view_position": (N,) str}``; "" where unknown.
        options: what it was opened with by name on the command line, less folders of this machine; what it has by default
            is not among them.
    """

    name: str
    kind: str = "radiograph"
    findings: Sequence[str]
    labels: np.ndarray
    patients: np.ndarray
    attributes: Mapping[str, np.ndarray]
    options: Mapping[str, int | float | str] = MappingProxyType({})

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def description(self) -> str:
        """The collection and what of it is a choice, for reports."""
        return self.name

    @abstractmethod
    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """Picture `index` as (H, W) float32 in the scanner's own units; resized to (size, size), aspect not kept, when `size` is given."""

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        """Where experts saw `finding`, as (size, size) bool over the whole picture, or None when nobody drew it."""
        return None

    def regions(self, index: int, finding: str, size: int) -> list[np.ndarray]:
        """Like `mask`, one (size, size) bool for each separate annotation; empty when nobody drew one."""
        mask = self.mask(index, finding, size)
        return [] if mask is None else [mask]

    @abstractmethod
    def split(self, name: str) -> np.ndarray:
        """Indices of `name`, one of `SPLITS`; no patient is in two of train, validation and test."""


def split_by_patient(patients: np.ndarray, shares: Mapping[str, float], seed: int) -> dict[str, np.ndarray]:
    """Whole patients to named parts.

    Args:
        patients: (N,) patient of every picture.
        shares: part name to share of the patients, adding up to 1.
        seed: the same seed gives the same parts, whatever the order of the pictures.
    """
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"shares must add up to 1, got {sum(shares.values()):.3f}")
    order = np.random.default_rng(seed).permutation(np.unique(patients))
    bounds = np.round(np.cumsum([0.0, *shares.values()]) * len(order)).astype(int)
    return {
        part: np.flatnonzero(np.isin(patients, order[start:stop]))
        for part, start, stop in zip(shares, bounds[:-1], bounds[1:])
    }
