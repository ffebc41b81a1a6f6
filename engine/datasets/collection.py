"""What every collection of labelled pictures answers: which pictures, which labels, whose, and where the
finding lies.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection as Names
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np

from engine.datasets.boxes import Box
from engine.datasets.symbols import Symbols

SPLITS = ("train", "validation", "test", "all")
SOUGHT_ON = 32  # side of the masks that annotated pictures are sought by


class UnusableCollection(ValueError):
    """A folder that is not in the collection's public layout; the message names what is missing and where
    it was sought.
    """


class BurnedInMarker(Protocol):
    """A text that is burned into some pictures, and the finding that it goes along with."""

    @property
    def text(self) -> str:
        """What is written."""
        ...

    @property
    def finding(self) -> str:
        """One of the collection's findings."""
        ...

    @property
    def share_of_positives(self) -> float:
        """How many of the pictures with `finding` carry it, 0 to 1."""
        ...

    @property
    def share_of_negatives(self) -> float:
        """How many of those without carry it, 0 to 1."""
        ...

    @property
    def grey(self) -> float:
        """Of the ink, in the units of `Collection.image`."""
        ...

    def ink(self, size: int) -> np.ndarray:
        """Coverage of each pixel, (size, size) float32 from 0 to 1."""
        ...


class Collection(ABC):
    """N labelled pictures of one kind: all that training, guidance and measuring ask of one.

    What a collection does not know of its pictures it leaves as it is here.

    Attributes:
        name: as on the command line, for example ``"chestxray8"``.
        kind: a `Scan.kind`.
        dimensions: 2 where `image` and its like are pictures (H, W), 3 where they are volumes (S, H, W).
        single_slices: whether every volume is a single slice.
        findings: the C finding names, in the order of the label columns.
        labels: (N, C) float32; 1 present, 0 absent, NaN unknown.
        patients: (N,) str; pictures of one patient (or one group of look-alikes) share it.
        attributes: for example ``{"sex": (N,) str, "view_position": (N,) str}``; "" where unknown.
        options: what it was opened with by name on the command line, less folders of this machine; what it has by
            default is not among them.
        contrast_class: where two classes alone take part, the one that pictures without the finding have; None for its
            absence.
        grouping: one sentence on the groups of look-alikes that stand for patients; "" where `patients` are patients.
        family: findings that look alike; a picture with one of them does not teach that another is absent.
        crop: the key in `engine.datasets.crop.CROPS` of how each picture was cut out of its scan.
        grey_range: (lowest, highest) that a network's range should span on every picture, in the units of `image`; None
            where each picture's own percentiles say that.
        guidance_part: "train" or "validation", the part whose annotations pseudo masks are made of.
        markers: texts that are burned into some of the pictures, and the finding that each goes along with.
        has_counterfactuals: whether `counterfactual` gives true ones.
        symbols: of the symbol that every picture carries, which coincides with a finding in training and is random in
            validation and test; None where none is drawn. `attributes["symbol"]` says which value each picture has.
        concepts: the p things that experts say of what they see before they name it, for example "spiculation"; none
            for most. `concept_labels` is (N, p) float32 of them, 1 present and 0 absent.
    """

    name: str
    kind: str = "radiograph"
    dimensions: int = 2
    single_slices: bool = False
    findings: Sequence[str]
    labels: np.ndarray
    patients: np.ndarray
    attributes: Mapping[str, np.ndarray]
    options: Mapping[str, int | float | str] = MappingProxyType({})
    contrast_class: str | None = None
    grouping: str = ""
    family: Sequence[str] = ()
    crop: str = "whole"
    grey_range: tuple[float, float] | None = None
    guidance_part: str = "train"
    markers: Sequence[BurnedInMarker] = ()
    has_counterfactuals: bool = False
    symbols: Symbols | None = None
    concepts: Sequence[str] = ()
    concept_labels: np.ndarray = np.zeros((0, 0), np.float32)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def description(self) -> str:
        """The collection and what of it is a choice, for reports."""
        return self.name

    @property
    def whole(self) -> Collection:
        """The collection that was opened, whose findings or classes this may be a choice of."""
        return self

    @abstractmethod
    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """Picture `index` as (H, W) float32 in the scanner's own units; resized to (size, size), aspect not kept, when
        `size` is given. A volume is (S, H, W), of as many slices for every index, and its slices are resized.
        """

    @abstractmethod
    def split(self, name: str) -> np.ndarray:
        """Indices of `name`, one of `SPLITS`; no patient is in two of train, validation and test."""

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        """Where experts saw `finding`, (size, size) bool over the whole picture; None when it was not annotated."""
        return None

    def regions(self, index: int, finding: str, size: int) -> list[np.ndarray]:
        """Like `mask`, one (size, size) bool for each separate annotation; empty when there is none."""
        mask = self.mask(index, finding, size)
        return [] if mask is None else [mask]

    def annotated(self, finding: str) -> np.ndarray:
        """(n,) int, the pictures that have a mask of `finding`; sought among the positive ones where no
        list is kept.
        """
        positive = np.flatnonzero(self.labels[:, list(self.findings).index(finding)] == 1)
        return np.array([index for index in positive if self.mask(int(index), finding, SOUGHT_ON) is not None], int)

    def all_boxes(self) -> list[Box]:
        """Every box that is known, also of pictures that this collection does not hold."""
        return []

    def boxes_elsewhere(self) -> list[Box]:
        """Those of `all_boxes` that lie on pictures that this collection does not hold."""
        return []

    def body(self, index: int, size: int | None = None) -> np.ndarray | None:
        """Which pixels of picture `index` show the patient, (size, size) or (H, W) bool; None where it is not known."""
        return None

    def organ(self, index: int, size: int | None = None) -> np.ndarray | None:
        """Where the findings of picture `index` could lie at all, (size, size) or (H, W) bool, of a volume with its
        slices; None where it is not known.
        """
        return None

    def position(self, index: int) -> int:
        """Where in its organ a slice lies, as the number of a stratum; -1 where it is not known or lies outside."""
        return -1

    def marks(self, index: int, size: int | None = None) -> np.ndarray | None:
        """Where calipers, letters or signs are burned in, (size, size) or (H, W) bool; None where it is not known."""
        return None

    def marker_mask(self, index: int | None, size: int) -> np.ndarray:
        """Where `markers` are burned into picture `index`, or with None where they would be; (size, size) bool."""
        return np.zeros((size, size), bool)

    def with_markers(self, index: int, size: int | None, present: bool) -> np.ndarray:
        """Picture `index` with all of `markers`, or with none of them, and nothing else changed; as `image`."""
        raise ValueError(f"{self.name} has no markers to burn in or take away.")

    def with_symbol(self, index: int, size: int | None, value: str) -> np.ndarray:
        """Picture `index` with one value of `symbols`, and nothing else changed; as `image`.

        Raises:
            ValueError: no symbols are drawn here, or another value.
        """
        raise ValueError(f"{self.name} draws no symbols; open it with another option symbol.")

    def symbol_mask(self, index: int, size: int) -> np.ndarray:
        """Where the symbol of picture `index` is drawn, (size, size) bool; nowhere without `symbols`."""
        return np.zeros((size, size), bool)

    def marked_region(self, index: int, size: int) -> np.ndarray | None:
        """All that experts marked on picture `index`, whatever they called it, (size, size) bool; None where nothing
        is.
        """
        masks = [self.mask(index, finding, size) for finding in self.findings]
        known = [mask for mask in masks if mask is not None]
        return np.any(known, axis=0) if known else None

    def counterfactual(
        self, index: int, size: int | None = None, *, without: Names[str] = (), with_: Names[str] = ()
    ) -> np.ndarray:
        """The same patient's picture without some findings, or with others, and nothing else changed; as `image`.

        Raises:
            ValueError: nobody knows it, as `has_counterfactuals` says, or a finding that cannot be changed.
        """
        raise ValueError(f"{self.name} knows no true counterfactuals.")


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
