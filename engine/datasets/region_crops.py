"""Crops about lesions that experts marked, described and named: what the collections of nodules and of masses share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from engine.datasets.collection import SPLITS, Collection
from engine.datasets.pictures import PictureMemory, resized
from engine.datasets.symbols import symbols_for

REGIONS = ("box", "outline")


def square(picture: np.ndarray, corner: tuple[int, int], side: int, fill: float) -> np.ndarray:
    """(side, side) of (H, W) from `corner` (row, column), which may lie outside; `fill` beyond the picture's edge."""
    out = np.full((side, side), fill, picture.dtype)
    rows, columns = (slice(max(at, 0), max(min(at + side, n), 0)) for at, n in zip(corner, picture.shape, strict=True))
    if rows.start < rows.stop and columns.start < columns.stop:
        top, left = corner
        out[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = picture[rows, columns]
    return out


def boxed(mask: np.ndarray) -> np.ndarray:
    """The rectangle about a mask (H, W) bool."""
    box = np.zeros_like(mask)
    if mask.any():
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return box


class RegionCrops(Collection):
    """Every crop has a lesion, and so a region, whatever its label.

    Args:
        labels: (N,) of the finding, 1 and 0.
        concepts: name -> (N,) of 0 and 1, what experts say of the lesion.
        patients: (N,). parts: the indices of each part.
        names: (N,) of the pictures, for the random symbols.
        region: "box" (what Liu et al. call the annotated area) or "outline" (what was drawn).
        symbol: "plus_minus" or "intensity" draws a symbol into every picture that coincides with the finding in
            training and is random elsewhere; "none" draws nothing.
        greys: the darkest and the brightest grey, for the symbols.
        seed: of the random symbols.

    Raises:
        ValueError: another region or symbol.
    """

    def __init__(
        self,
        labels: Sequence[int],
        concepts: Mapping[str, Sequence[int]],
        patients: Sequence[str],
        parts: Mapping[str, np.ndarray],
        *,
        names: Sequence[str],
        region: str,
        symbol: str,
        greys: tuple[float, float],
        seed: int,
    ) -> None:
        if region not in REGIONS:
            raise ValueError(f"region must be one of {', '.join(REGIONS)}, got {region!r}.")
        self.region, self.seed, self._parts = region, seed, parts
        self.labels = np.array(labels, np.float32).reshape(-1, 1)
        self.concepts = tuple(concepts)
        self.concept_labels = np.array([*concepts.values()], np.float32).reshape(len(concepts), -1).T
        self.patients, self.attributes = np.array(patients, str), {}
        self.symbols = symbols_for(
            symbol,
            finding=self.findings[0],
            labels=self.labels[:, 0],
            names=np.array(names, str),
            parts=parts,
            white=greys[1],
            black=greys[0],
            seed=seed,
        )
        if self.symbols is not None:
            self.attributes = {"symbol": self.symbols.all()}

    @abstractmethod
    def crop_alone(self, index: int, size: int | None) -> np.ndarray:
        """The crop without a symbol, in the scanner's own units; (size, size), or its own pixels with None."""

    @abstractmethod
    def outline(self, index: int) -> np.ndarray:
        """(side, side) bool on the crop's own pixels."""

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """Picture `index` with its own symbol where there are symbols; see `Collection.image`."""
        return self.marked(index, self.crop_alone(index, size))

    def marked(self, index: int, crop: np.ndarray, value: str | None = None) -> np.ndarray:
        """A crop (H, W) of picture `index` with a value of its symbol, with its own for None."""
        if self.symbols is None:
            return crop
        value = self.symbols.of(index) if value is None else value
        return self.symbols.drawn(crop, self._region(index, crop.shape), value)

    def with_symbol(self, index: int, size: int | None, value: str) -> np.ndarray:
        if self.symbols is None:
            return super().with_symbol(index, size, value)
        return self.marked(index, self.crop_alone(index, size), value)

    def symbol_mask(self, index: int, size: int) -> np.ndarray:
        if self.symbols is None:
            return super().symbol_mask(index, size)
        return self.symbols.mask((size, size), self._region(index, (size, size)))

    def split(self, name: str) -> np.ndarray:
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return np.arange(len(self)) if name == "all" else self._parts[name]

    def marked_region(self, index: int, size: int) -> np.ndarray:
        """(size, size) bool: where the lesion of picture `index` is, whatever its label."""
        return self._region(index, (size, size))

    def _region(self, index: int, shape: tuple[int, ...]) -> np.ndarray:
        outline = self.outline(index)
        area = boxed(outline) if self.region == "box" else outline
        if area.shape != shape:
            share = resized(area.astype(np.float32), shape[0])
            area = share > min(0.5, float(share.max()) / 2)
        return area

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        """The region of a lesion with the finding; None without it."""
        if finding not in self.findings:
            raise ValueError(f"{self.name} does not label {finding}; it labels {', '.join(self.findings)}.")
        return self.marked_region(index, size) if self.labels[index, 0] == 1 else None

    def annotated(self, finding: str) -> np.ndarray:
        return np.flatnonzero(self.labels[:, list(self.findings).index(finding)] == 1)


class CutCrops(RegionCrops):
    """Crops that are cut out of files when they are first asked for; those used last are kept with their outlines."""

    def keep_crops(self, memory: PictureMemory | None, most: int) -> None:
        """Prepares the memory of crops at a size, and of `most` crops as they were cut."""
        self._memory = memory or PictureMemory()
        self._cropped = lru_cache(maxsize=most)(self._crop)
        self._outlines: dict[int, np.ndarray] = {}

    @abstractmethod
    def _crop(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(side, side) in the file's grey values, and the lesion's outline on it, bool."""

    def crop_alone(self, index: int, size: int | None) -> np.ndarray:
        if size is None:
            return self._cropped(int(index))[0].copy()
        return self._memory.resized(int(index), size, lambda: self._cropped(int(index))[0])

    def outline(self, index: int) -> np.ndarray:
        if int(index) not in self._outlines:
            self._outlines[int(index)] = self._cropped(int(index))[1]
        return self._outlines[int(index)]
