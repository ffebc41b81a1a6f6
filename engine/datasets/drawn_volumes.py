"""Drawn volumes, drawn when they are first asked for, with their neighbours, and kept in the user's cache."""

from __future__ import annotations

import io
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Collection as Names
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile

import numpy as np

from engine.datasets.collection import SPLITS, Collection
from engine.datasets.pictures import resized_slices
from engine.datasets.source_archives import cache_folder
from engine.files import write_whole

TOGETHER = 16  # volumes drawn and kept in one file
REMEMBERED = 8  # such files held in memory


@dataclass(frozen=True)
class DrawnTogether:
    """Volumes drawn together: hu (n, S, H, W) int16, and further arrays (n, S, H, W) of bool or uint8 by name."""

    hu: np.ndarray
    masks: Mapping[str, np.ndarray]

    def packed(self) -> bytes:
        file = io.BytesIO()
        bits = {name: np.packbits(mask, axis=-1) if mask.dtype == bool else mask for name, mask in self.masks.items()}
        np.savez_compressed(file, allow_pickle=False, hu=self.hu, **bits)
        return file.getvalue()

    @classmethod
    def unpacked(cls, data: bytes, kinds: Mapping[str, type]) -> DrawnTogether:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            hu = stored["hu"]
            masks = {
                name: np.unpackbits(stored[name], axis=-1, count=hu.shape[-1]).astype(bool)
                if kind is bool
                else stored[name]
                for name, kind in kinds.items()
            }
        return cls(hu, masks)


class DrawnVolumes(Collection):
    """A collection whose volumes are drawn one by one from their index, and kept once they are.

    Attributes:
        masks: name to bool or np.uint8, what is kept beside the pixels.
        drawing: raised whenever the volume of one index changes, so that older files are left alone.
    """

    dimensions = 3
    masks: Mapping[str, type]
    drawing: int = 1

    def __init__(self) -> None:
        self._recent: OrderedDict[int, DrawnTogether] = OrderedDict()

    @property
    @abstractmethod
    def kept_as(self) -> str:
        """What tells the volumes of one set of options from those of another, as the name of a folder."""

    @abstractmethod
    def drawn(self, index: int) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Volume `index` (S, H, W) in HU and its masks by name; also of an index beyond the last."""

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """(S, H, W) float32 in HU, lowest slice first, rows to the back, columns to the patient's left."""
        together, place = self._together(index)
        return resized_slices(together.hu[place].astype(np.float32), size)

    def kept_mask(self, name: str, index: int) -> np.ndarray:
        """(S, H, W), one of `masks`."""
        together, place = self._together(index)
        return together.masks[name][place]

    def _together(self, index: int) -> tuple[DrawnTogether, int]:
        chunk, place = divmod(int(index), TOGETHER)
        if chunk not in self._recent:
            self._recent[chunk] = self._kept(chunk)
            while len(self._recent) > REMEMBERED:
                self._recent.popitem(last=False)
        return self._recent[chunk], place

    def _kept(self, chunk: int) -> DrawnTogether:
        file = cache_folder() / self.name / f"{self.kept_as}-{self.drawing}" / f"{chunk:05d}.npz"
        if file.is_file():
            try:
                return DrawnTogether.unpacked(file.read_bytes(), self.masks)
            except (OSError, ValueError, KeyError, BadZipFile):
                pass  # damaged: drawn anew
        volumes, masks = zip(*(self.drawn(chunk * TOGETHER + place) for place in range(TOGETHER)), strict=True)
        together = DrawnTogether(
            np.stack(volumes).astype(np.int16), {name: np.stack([one[name] for one in masks]) for name in self.masks}
        )
        write_whole(file, together.packed())
        return together


class DrawnCase(Protocol):
    """One patient: (S, H, W) what the scanner records, what it would have recorded without the finding, and where the
    finding is (bool).
    """

    @property
    def hu(self) -> np.ndarray: ...
    @property
    def healthy(self) -> np.ndarray: ...
    @property
    def mask(self) -> np.ndarray: ...


class DrawnPatients(DrawnVolumes):
    """Drawn volumes of patients who have one finding or do not, and would have it otherwise.

    A subclass sets `labels`, `patients` and `_parts`. What it keeps beside the pixels are attributes of its cases,
    `mask` among them.

    Args:
        seed: another seed, other patients.
        size: side of a slice in pixels.
        slices: of a volume.
        root: see the subclass.
    """

    has_counterfactuals = True
    _parts: Mapping[str, np.ndarray]

    def __init__(self, seed: int, size: int, slices: int, root: Path | None) -> None:
        super().__init__()
        self.seed, self.size, self.slices, self._root = seed, size, slices, root

    @abstractmethod
    def case(self, index: int, present: bool | None = None) -> DrawnCase:
        """Patient `index`, with or without the finding whatever is planned where `present` says so."""

    @property
    def kept_as(self) -> str:
        return f"{self.seed}-{self.slices}x{self.size}"

    def drawn(self, index: int) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        made = self.case(index)
        return made.hu, {name: getattr(made, name) for name in self.masks}

    def split(self, name: str) -> np.ndarray:
        """60 % train, 10 % validation, 30 % test of the patients."""
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return np.arange(len(self)) if name == "all" else self._parts[name].copy()

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        """(S, size, size) bool, where the finding is; None in a patient without it."""
        if not self.labels[index, self.findings.index(finding)]:
            return None
        return resized_slices(self.kept_mask("mask", index).astype(np.float32), size) >= 0.5

    def annotated(self, finding: str) -> np.ndarray:
        return np.flatnonzero(self.labels[:, self.findings.index(finding)] == 1)

    def counterfactual(
        self, index: int, size: int | None = None, *, without: Names[str] = (), with_: Names[str] = ()
    ) -> np.ndarray:
        """The same patient, noise and all, without the finding or with the one that would have been; as `image`."""
        for names in (without, with_):
            if isinstance(names, str) or set(names) - set(self.findings):
                known = ", ".join(self.findings)
                raise ValueError(f"findings must be a collection of names out of {known}; got {names!r}")
        if without and with_:
            raise ValueError(f"{self.findings[0]} cannot be taken away and added at once")
        ill = bool(self.labels[index, 0])
        if not (without if ill else with_):
            return self.image(index, size)
        made = self.case(index, present=True)
        return resized_slices(made.healthy if without else made.hu, size)
