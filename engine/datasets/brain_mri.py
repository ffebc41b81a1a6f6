"""Brain Tumor Classification (MRI) (Bhuvaji et al. 2020): slices with a glioma, a meningioma, a pituitary
tumour, or none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from engine.datasets.classified import ClassFolders, at_size
from engine.datasets.collection import UnusableCollection
from engine.datasets.crop import head_mask
from engine.datasets.matching import acquisition, alike
from engine.datasets.pictures import PictureMemory
from engine.datasets.registry import register_collection

CLASSES = ("glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor")
HALVES = ("Training", "Testing")


@register_collection(
    "brain_mri",
    title="brain MR",
    kind="MR",
    terms="Brain Tumor Classification (MRI), Bhuvaji et al. 2020; the copy used states no terms.",
)
class BrainMRI(ClassFolders):
    """Slices `Training/<class>/*.jpg` and `Testing/<class>/*.jpg`; the tumours are not annotated.

    The published halves share look-alikes, so the parts here are made anew of whole groups of look-alikes. Slices
    without a tumour come from other sources than those with one: size, aspect, border and contrast alone tell them
    apart. `crop="head"` shows a disc around the head at one scale, flat background beside it; "levelled-head" replaces
    the greys in it by their ranks as well. What neither can mend is that the tumour slices were taken after contrast
    medium, the others mostly not, and lie in other planes.

    Args:
        root: folder with `Training/` or `Testing/` or both.
        findings: of "Tumour" (any), "Glioma", "Meningioma", "Pituitary tumour".
        classes: only these, for example "meningioma_tumor,no_tumor".
        crop: "levelled-head", "head" or "whole".
        seed: of the split.
        matched: how many slices with a tumour stay beside each slice without, in every part those that are most like
            these in format, greys, sharpness and noise (see `engine.datasets.matching`); 0 keeps all.

    Attributes, errors: see `ClassFolders`.
    """

    limit = 0.97
    known_findings: ClassVar[Mapping[str, frozenset[str]]] = {
        "Tumour": frozenset({"glioma_tumor", "meningioma_tumor", "pituitary_tumor"}),
        "Glioma": frozenset({"glioma_tumor"}),
        "Meningioma": frozenset({"meningioma_tumor"}),
        "Pituitary tumour": frozenset({"pituitary_tumor"}),
    }

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = ("Tumour",),
        classes: Sequence[str] | str = (),
        crop: str = "levelled-head",
        seed: int = 42,
        memory: PictureMemory | None = None,
        matched: int = 0,
    ) -> None:
        root = Path(root)
        if not 0 <= matched <= 100:
            raise ValueError(f"matched must lie between 0 and 100, got {matched}.")
        if not any((root / half / name).is_dir() for half in HALVES for name in CLASSES):
            raise UnusableCollection(
                f"{root} has neither Training/ nor Testing/ with the folders {', '.join(CLASSES)}."
            )
        endings = (".jpg", ".jpeg", ".png")
        paths = {
            name: [path for half in HALVES for path in (root / half / name).glob("*") if path.suffix.lower() in endings]
            for name in CLASSES
        }
        super().__init__(root, paths, findings, classes, crop, seed, memory)
        if matched:
            self.keep(self._alike(matched))

    def _alike(self, each: int) -> np.ndarray:
        """(N,) bool, the slices that stay when those with a tumour are matched to those without."""
        scans = (self.scan_pixels(index) for index in range(len(self)))
        features = np.array([acquisition(pixels, head_mask(pixels)) for pixels in scans])
        ill, stays = self.attributes["class"] != "no_tumor", np.zeros(len(self), bool)
        for part in ("train", "validation", "test"):
            indices = self.split(part)
            stays[indices] = alike(features[indices], ill[indices], each)
        return stays

    def body(self, index: int, size: int | None = None) -> np.ndarray:
        """Where the head is on the cropped slice, (size, size) or (H, W) bool."""
        pixels = self.scan_pixels(index)
        return at_size(self.cropped(pixels).cut_mask(head_mask(pixels)), size)
