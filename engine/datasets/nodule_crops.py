"""What the collections of lung nodules share: one crop a nodule, six attributes and a diagnosis by the readers'
ratings, and parts by patient.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.datasets.collection import split_by_patient
from engine.datasets.lidc_annotations import ATTRIBUTES, SMALLEST_MM, Nodule
from engine.datasets.region_crops import RegionCrops

FINDINGS = ("Malignant",)
WINDOW = (-1000.0, 400.0)  # HU, the range of the authors' code; the paper says "normalizing the intensity"
PAD_MM, JITTER_MM = 25, 20  # around a nodule's box, and how far the crop may lie off; of the authors' code
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}  # 731, 238 and 244 nodules in the paper
SMALL_MM = 10.0  # of diameter; tells small nodules from large ones in tables of subgroups


def chosen_nodules(nodules: Sequence[Nodule], initial: bool = False) -> list[Nodule]:
    """Those of `SMALLEST_MM` and more; of the first release, whose spiculation and lobulation were rated on another
    scale, only when `initial`.
    """
    return [n for n in nodules if n.diameter_mm >= SMALLEST_MM and (initial or not n.from_initial)]


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


class NoduleCrops(RegionCrops):
    """Crops about lung nodules, in HU; the finding is "Malignant", a median rating of 4 or 5.

    `concepts` are the six attributes of the paper, 1 as malignant nodules tend to be. The outline is what at least half
    of the readers drew.

    Args:
        nodules: one a picture.
        names, region, symbol: see `RegionCrops`.
        seed: of the parts and of the random symbols.
    """

    findings = FINDINGS
    grey_range = WINDOW

    def __init__(self, nodules: Sequence[Nodule], names: Sequence[str], region: str, symbol: str, seed: int) -> None:
        self._nodules = list(nodules)
        patients = [n.patient for n in nodules]
        values = np.array([n.attributes for n in nodules]).T
        super().__init__(
            [n.malignant for n in nodules],
            dict(zip(ATTRIBUTES, values, strict=True)),
            patients,
            split_by_patient(np.array(patients, str), SHARES, seed),
            names=names,
            region=region,
            symbol=symbol,
            greys=WINDOW,
            seed=seed,
        )
        size = np.where([n.diameter_mm < SMALL_MM for n in nodules], "below 10 mm", "10 mm and more").astype(str)
        self.attributes = {**self.attributes, "diameter": size}

    @property
    def nodules(self) -> Sequence[Nodule]:
        """One a picture."""
        return self._nodules
