"""Breast Ultrasound Images (Al-Dhabyani et al. 2020): benign, malignant and normal frames with
radiologists' outlines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from engine.datasets.classified import ClassFolders, at_size
from engine.datasets.collection import UnusableCollection
from engine.datasets.marks import burned_in
from engine.datasets.pictures import PictureMemory, read_grey
from engine.datasets.registry import register_collection
from engine.datasets.symbols import symbols_for

CLASSES = ("benign", "malignant", "normal")
WHITE = 255.0  # the brightest grey of the files
MARK_SHARE = 0.1  # of a pixel; marks are thin, and half would lose them


@register_collection(
    "busi",
    title="breast ultrasound",
    kind="ultrasound",
    terms="Breast Ultrasound Images Dataset (Al-Dhabyani et al., Data in Brief 2020), open access, with attribution.",
)
class BUSI(ClassFolders):
    """Frames `<class>/<class> (<n>).png` with masks `..._mask.png`, `..._mask_1.png` and so on beside them.

    About four frames in ten have a look-alike, some under another class, and no patient is named: the split keeps
    look-alikes together. Calipers, letters and the maker's sign are burned in, more often where there is a lesion to
    measure: `marks` tells where. The size and shape of the frame say little about the class; `crop="beam"` takes off
    rim and black wedges and leaves the marks that lie on tissue.

    Args:
        root: folder with `benign/`, `malignant/` and `normal/`, those that are there.
        findings: of "Lesion" (benign or malignant), "Benign", "Malignant".
        classes: only these, for example "malignant,normal".
        crop: "beam" or "whole".
        symbol: "plus_minus" or "intensity" draws a symbol into every picture that coincides with the first finding in
            training and is random elsewhere; "none" draws nothing.
        seed: of the split, and of the random symbols.

    Attributes, errors: see `ClassFolders`.
    """

    limit = 0.96
    known_findings: ClassVar[Mapping[str, frozenset[str]]] = {
        "Lesion": frozenset({"benign", "malignant"}),
        "Benign": frozenset({"benign"}),
        "Malignant": frozenset({"malignant"}),
    }

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = ("Lesion",),
        classes: Sequence[str] | str = (),
        crop: str = "beam",
        symbol: str = "none",
        seed: int = 42,
        memory: PictureMemory | None = None,
    ) -> None:
        root = Path(root)
        if not any((root / name).is_dir() for name in CLASSES):
            raise UnusableCollection(
                f"{root} holds none of the folders {', '.join(CLASSES)}; name the folder that holds them."
            )
        paths = {name: [path for path in (root / name).glob("*.png") if "_mask" not in path.stem] for name in CLASSES}
        super().__init__(root, paths, findings, classes, crop, seed, memory)
        self.symbols = symbols_for(
            symbol,
            finding=self.findings[0],
            labels=self.labels[:, 0],
            names=self.files,
            parts=self._parts,
            white=self.grey_range[1] if self.grey_range else WHITE,
            seed=seed,
        )
        if self.symbols is not None:
            self.attributes = {**self.attributes, "symbol": self.symbols.all()}

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """As in `ClassFolders`, with the picture's own symbol where there are symbols."""
        if self.symbols is None:
            return super().image(index, size)
        return self.with_symbol(index, size, self.symbols.of(index))

    def with_symbol(self, index: int, size: int | None, value: str) -> np.ndarray:
        if self.symbols is None:
            return super().with_symbol(index, size, value)
        return self.symbols.drawn(super().image(index, size), self.marked_region(index, size), value)

    def symbol_mask(self, index: int, size: int) -> np.ndarray:
        if self.symbols is None:
            return super().symbol_mask(index, size)
        return self.symbols.mask((size, size), self.marked_region(index, size))

    def marked_region(self, index: int, size: int | None) -> np.ndarray | None:
        return self.mask(index, "Lesion", size)

    def mask(self, index: int, finding: str, size: int | None) -> np.ndarray | None:
        """The union of the outlines on the cropped frame, (size, size) bool, its own (H, W) with None; None
        without a lesion.
        """
        regions = self.regions(index, finding, size)
        return np.any(regions, axis=0) if regions else None

    def regions(self, index: int, finding: str, size: int | None) -> list[np.ndarray]:
        """One (size, size) bool for each outline that has a pixel on the cropped frame."""
        if finding not in self.known_findings:
            raise ValueError(f"{self.name} does not label {finding}; it labels {', '.join(self.known_findings)}.")
        if self.attributes["class"][index] not in self.known_findings[finding]:
            return []
        crop = self.cropped(self.scan_pixels(index))
        drawn = [crop.cut_mask(outline) for outline in self._outlines(index)]
        return [at_size(outline, size) for outline in drawn if outline.any()]

    def annotated(self, finding: str) -> np.ndarray:
        """Indices of the frames with an outline of `finding`."""
        here = np.isin(self.attributes["class"], sorted(self.known_findings[finding]))
        return np.array([i for i in np.flatnonzero(here) if self._mask_paths(int(i))], int)

    def marks(self, index: int, size: int | None = None) -> np.ndarray:
        """Where calipers, letters or signs are burned into the cropped frame, (size, size) or (H, W) bool;
        see `burned_in`.
        """
        pixels = self.scan_pixels(index)
        return at_size(self.cropped(pixels).cut_mask(burned_in(pixels)), size, MARK_SHARE)

    def _mask_paths(self, index: int) -> list[Path]:
        path = self.root / self.files[index]
        numbered = [path.with_name(f"{path.stem}_mask_{n}.png") for n in range(1, 10)]
        return [found for found in (path.with_name(f"{path.stem}_mask.png"), *numbered) if found.is_file()]

    def _outlines(self, index: int) -> list[np.ndarray]:
        """Each outline on the whole frame, (H, W) bool; a mask of another size is brought to the frame's."""
        height, width = self.scan_pixels(index).shape
        masks = [read_grey(path) for path in self._mask_paths(index)]
        return [cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) > 0 for mask in masks]
