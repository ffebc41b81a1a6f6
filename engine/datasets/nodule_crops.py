"""What the collections of lung nodules share: one crop a nodule, six attributes and a diagnosis by the readers'
ratings, and parts by patient.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from engine.datasets.collection import SPLITS, Collection, split_by_patient
from engine.datasets.lidc_annotations import ATTRIBUTES, SMALLEST_MM, Nodule
from engine.datasets.pictures import resized
from engine.datasets.symbols import symbols_for

FINDINGS = ("Malignant",)
WINDOW = (-1000.0, 400.0)  # HU, the range of the authors' code; the paper says "normalizing the intensity"
PAD_MM, JITTER_MM = 25, 20  # around a nodule's box, and how far the crop may lie off; of the authors' code
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}  # 731, 238 and 244 nodules in the paper
REGIONS = ("box", "outline")
SMALL_MM = 10.0  # of diameter; tells small nodules from large ones in tables of subgroups
WORDS = MappingProxyType(  # what 1 means, as a reader would say it
    {
        "subtlety": "obvious",
        "calcification": "not calcified",
        "margin": "ill-defined margin",
        "spiculation": "spiculated",
        "lobulation": "lobulated",
        "texture": "not solid",
    }
)


def chosen_nodules(nodules: Sequence[Nodule], initial: bool = False) -> list[Nodule]:
    """Those of `SMALLEST_MM` and more; of the first release, whose spiculation and lobulation were rated on another
    scale, only when `initial`.
    """
    return [n for n in nodules if n.diameter_mm >= SMALLEST_MM and (initial or not n.from_initial)]


def square(picture: np.ndarray, corner: tuple[int, int], side: int, fill: float) -> np.ndarray:
    """(side, side) of (H, W) from `corner` (row, column), which may lie outside; `fill` beyond the picture's edge."""
    out = np.full((side, side), fill, picture.dtype)
    rows, columns = (slice(max(at, 0), max(min(at + side, n), 0)) for at, n in zip(corner, picture.shape, strict=True))
    if rows.start < rows.stop and columns.start < columns.stop:
        top, left = corner
        out[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = picture[rows, columns]
    return out


def crop_of(outline: np.ndarray, random: np.random.Generator) -> tuple[tuple[int, int], int]:
    """First corner (row, column) and side in pixels of 1 mm of the crop about an outline (H, W) bool: its box with
    `PAD_MM` all round, moved by at most `JITTER_MM`, so that a nodule is not always in the middle.
    """
    rows, columns = np.flatnonzero(outline.any(axis=1)), np.flatnonzero(outline.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    side = int(max(height, width)) + 2 * PAD_MM
    moved = random.integers(-JITTER_MM, JITTER_MM + 1, 2)
    corner = (rows[0] + (height - side) // 2 + moved[0], columns[0] + (width - side) // 2 + moved[1])
    return (int(corner[0]), int(corner[1])), side


def boxed(mask: np.ndarray) -> np.ndarray:
    """The rectangle about a mask (H, W) bool."""
    box = np.zeros_like(mask)
    if mask.any():
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return box


class NoduleCrops(Collection):
    """Crops about lung nodules, in HU; the finding is "Malignant", a median rating of 4 or 5.

    Every crop has a nodule, and so a region, whatever its label. `concepts` are the six attributes of the paper, 1 as
    malignant nodules tend to be.

    Args:
        nodules: one a picture.
        names: (N,) of the pictures, for the random symbols.
        region: "box" (what the paper calls the annotated area) or "outline" (what at least half of the readers drew).
        symbol: "plus_minus" or "intensity" draws a symbol into every picture that coincides with the diagnosis in
            training and is random elsewhere; "none" draws nothing.
        seed: of the parts and of the random symbols.
    """

    findings = FINDINGS
    grey_range = WINDOW

    def __init__(self, nodules: Sequence[Nodule], names: np.ndarray, region: str, symbol: str, seed: int) -> None:
        if region not in REGIONS:
            raise ValueError(f"region must be one of {', '.join(REGIONS)}, got {region!r}.")
        self.nodules, self.region, self.seed = list(nodules), region, seed
        self.labels = np.array([[n.malignant] for n in nodules], np.float32).reshape(-1, 1)
        self.concepts = ATTRIBUTES
        self.concept_labels = np.array([n.attributes for n in nodules], np.float32).reshape(-1, len(ATTRIBUTES))
        self.patients = np.array([n.patient for n in nodules], str)
        self._parts = split_by_patient(self.patients, SHARES, seed)
        size = np.where([n.diameter_mm < SMALL_MM for n in nodules], "below 10 mm", "10 mm and more").astype(str)
        self.attributes: Mapping[str, np.ndarray] = {"diameter": size}
        self.symbols = symbols_for(
            symbol,
            finding=FINDINGS[0],
            labels=self.labels[:, 0],
            names=names,
            parts=self._parts,
            white=WINDOW[1],
            black=WINDOW[0],
            seed=seed,
        )
        if self.symbols is not None:
            self.attributes = {**self.attributes, "symbol": self.symbols.all()}

    @abstractmethod
    def crop_alone(self, index: int, size: int | None) -> np.ndarray:
        """The crop in HU without a symbol; (size, size), or pixels of 1 mm with None."""

    @abstractmethod
    def outline(self, index: int) -> np.ndarray:
        """(side, side) bool on the crop's own pixels of 1 mm."""

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """Picture `index` in HU with its own symbol where there are symbols; see `Collection.image`."""
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
        """(size, size) bool: where the nodule of picture `index` is, whatever its label."""
        return self._region(index, (size, size))

    def _region(self, index: int, shape: tuple[int, ...]) -> np.ndarray:
        outline = self.outline(index)
        area = boxed(outline) if self.region == "box" else outline
        if area.shape != shape:
            share = resized(area.astype(np.float32), shape[0])
            area = share > min(0.5, float(share.max()) / 2)
        return area

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        """The region of a malignant nodule; None for a benign one."""
        if finding not in self.findings:
            raise ValueError(f"{self.name} does not label {finding}; it labels {', '.join(self.findings)}.")
        return self.marked_region(index, size) if self.labels[index, 0] == 1 else None

    def annotated(self, finding: str) -> np.ndarray:
        return np.flatnonzero(self.labels[:, list(self.findings).index(finding)] == 1)
