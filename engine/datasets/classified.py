"""Collections that are folders of pictures, one folder a class: what breast ultrasound and brain MR have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from engine.datasets.collection import SPLITS, Collection, UnusableCollection
from engine.datasets.crop import CROPS, LEVELLED, Crop
from engine.datasets.look_alikes import dealt, groups_of
from engine.datasets.pictures import PictureMemory, read_grey, resized


class ClassFolders(Collection):
    """Pictures whose class is the folder they lie in; a finding is a set of classes.

    Args:
        root: the collection's folder.
        paths: class name to its pictures, all below `root`.
        findings: the label columns, any of `known_findings`.
        classes: only pictures of these, a sequence or one text with commas; all when empty. Parts stay as without the
            choice.
        crop: "whole", or the name of one of `engine.datasets.crop.CROPS`.
        seed: of the split.
        memory: of resized pictures.

    Attributes:
        known_findings: finding name to the classes that have it.
        limit: above which correlation two thumbnails are look-alikes.
        files: (N,) paths below the root, with forward slashes.
        patients: (N,) groups of look-alikes; the collections here do not tell patients.
        grouping: one sentence that says where these groups come from.
        attributes: ``class``.
        crop: the crop's name.
        grey_range: the levels that a network's range should span, where the crop brings greys to levels; else None.

    Raises:
        UnusableCollection: nothing there to read.
        ValueError: an unknown finding, class or crop.
    """

    known_findings: ClassVar[Mapping[str, frozenset[str]]]
    limit: ClassVar[float]

    def __init__(
        self,
        root: Path,
        paths: Mapping[str, Sequence[Path]],
        findings: Sequence[str],
        classes: Sequence[str] | str,
        crop: str,
        seed: int,
        memory: PictureMemory | None,
    ) -> None:
        if unknown := [finding for finding in findings if finding not in self.known_findings]:
            raise ValueError(
                f"{self.name} does not label {', '.join(unknown)}; it labels {', '.join(self.known_findings)}."
            )
        chosen = listed(classes)
        if unknown := [name for name in chosen if name not in paths]:
            raise ValueError(f"{self.name} has no class {', '.join(unknown)}; it has {', '.join(paths)}.")
        if crop not in CROPS:
            raise ValueError(f"crop must be one of {', '.join(CROPS)}, got {crop!r}")
        self.root, self.findings, self.crop = root, tuple(findings), crop
        self.grey_range = (0.0, 1.0) if crop in LEVELLED else None
        everything = sorted(
            (path.relative_to(root).as_posix(), name) for name, found in paths.items() for path in found
        )
        if not everything:
            raise UnusableCollection(f"There are no pictures below {root} in folders called {', '.join(paths)}.")
        files, kinds = (np.array(column, str) for column in zip(*everything))
        groups, self.grouping = groups_of(root, files.tolist(), self.limit)
        selected = np.isin(kinds, chosen or list(paths))
        place = np.cumsum(selected) - 1  # of each file among those that are kept
        self._parts = {part: place[indices[selected[indices]]] for part, indices in dealt(groups, kinds, seed).items()}
        self.files, self.patients, kinds = files[selected], groups[selected], kinds[selected]
        self._parts["all"] = np.arange(len(self.files))
        self.attributes = {"class": kinds}
        having = [np.isin(kinds, sorted(self.known_findings[finding])) for finding in self.findings]
        self.labels = np.array(having, np.float32).reshape(len(self.findings), len(kinds)).T
        self._memory = memory or PictureMemory()

    def scan_pixels(self, index: int) -> np.ndarray:
        """The whole picture as it lies in the file, (H, W) float32, 0 to 255."""
        return read_grey(self.root / self.files[index])

    def cropped(self, pixels: np.ndarray) -> Crop:
        """How this collection crops a scan of (H, W)."""
        return CROPS[self.crop](pixels)

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """(H, W) float32, 0 to 255 or levels from 0 to 1, cropped as `crop` says; see `Collection.image`."""

        def read() -> np.ndarray:
            pixels = self.scan_pixels(index)
            return self.cropped(pixels).cut(pixels)

        return read() if size is None else self._memory.resized(index, size, read)

    def keep(self, stays: np.ndarray) -> None:
        """Leaves out the pictures that do not stay, (N,) bool; parts and groups of the others remain as they are."""
        place = np.cumsum(stays) - 1
        self._parts = {part: place[indices[stays[indices]]] for part, indices in self._parts.items()}
        self.files, self.patients, self.labels = self.files[stays], self.patients[stays], self.labels[stays]
        self.attributes = {name: values[stays] for name, values in self.attributes.items()}
        self._memory = PictureMemory()

    def split(self, name: str) -> np.ndarray:
        """70 % train, 10 % validation, 20 % test of the groups of look-alikes."""
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return self._parts[name].copy()


def listed(names: Sequence[str] | str) -> tuple[str, ...]:
    """Names as a sequence, or as one text with commas; none from an empty one."""
    return tuple(filter(None, (name.strip() for name in names.split(",")))) if isinstance(names, str) else tuple(names)


def at_size(mask: np.ndarray, size: int | None, least: float = 0.5) -> np.ndarray:
    """(H, W) bool to (size, size) bool: pixels of which at least the share `least` is set; unchanged without a size."""
    return mask if size is None else resized(mask.astype(np.float32), size) >= least
