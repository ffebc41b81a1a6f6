"""`stroke_phantom`, a collection of drawn heads with and without an infarct, kept on disk once they have been drawn.

Heads and infarcts are those of `engine.datasets.stroke_phantom`. A head takes a fifth of a second; so each is drawn
when it is first asked for, with its neighbours, and kept in the cache of `engine.datasets.source_archives`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from engine.datasets.collection import split_by_patient
from engine.datasets.drawn_volumes import DrawnPatients
from engine.datasets.head_ct import COVERED_MM, Grid
from engine.datasets.registry import register_collection
from engine.datasets.stroke_phantom import SIZES, TERRITORIES, Case, Plan, case

FINDINGS = ("Infarct",)
FIELD_MM = 204.8  # side of a slice
SHARES = {"train": 0.6, "validation": 0.1, "test": 0.3}  # drawn heads cost little: many to measure on
MOST = 1_000_000


@register_collection(
    "stroke_phantom",
    title="drawn heads",
    kind="CT",
    terms="Drawn by `engine/datasets/stroke_phantom.py` in the brain atlas of TotalSegmentator 2.18.0 (Wasserthal et "
    "al. 2023, Apache-2.0), an average of many heads; no single patient.",
    needs_folder=False,
)
class StrokePhantom(DrawnPatients):
    """`count` drawn patients, one CT of the head each; half of them have an infarct, left, right or on both sides.

    Patient i depends on the seed and i alone.

    Args:
        count: how many, at most a million.
        seed: another seed, other patients.
        size: side of a slice in pixels, 32 to 512.
        slices: how many, evenly from the base of the brain to the vertex.
        root: a folder that holds TotalSegmentator's source archive or the atlas; the cache or pip when not given.

    Attributes:
        attributes: ``side`` ("none", "left", "right", "both"), ``territory`` (of the first infarct, "left MCA" ...)
            and ``lesion_size`` (of the largest, "very small" to "large"); "" without one.
        grey_range: HU that a network's range should span: from fluid to what is brighter than any brain.
    """

    findings = FINDINGS
    masks = MappingProxyType({"mask": bool, "territory": np.uint8})
    grey_range = (5.0, 55.0)

    def __init__(
        self, count: int = 3000, seed: int = 1, size: int = 64, slices: int = 11, root: Path | None = None
    ) -> None:
        if not 1 <= count <= MOST:
            raise ValueError(f"count must be at least 1 and at most {MOST}, got {count}")
        if not 32 <= size <= 512 or not 1 <= slices <= 110:
            raise ValueError(f"size must be 32 to 512 and slices 1 to 110, got {size} and {slices}")
        super().__init__(seed, size, slices, root)
        self.grid = Grid(slices, size, FIELD_MM / size, COVERED_MM / slices)
        plans = [Plan.of(seed, index) for index in range(count)]
        ill = np.array([plan.ill for plan in plans])
        self.labels = ill.astype(np.float32)[:, None]
        self.patients = np.array([f"stroke-{seed}-{index:06d}" for index in range(count)])
        self.attributes: Mapping[str, np.ndarray] = {
            "side": np.array([plan.side for plan in plans]),
            "territory": np.array([TERRITORIES[plan.strokes[0][0]] if plan.ill else "" for plan in plans]),
            "lesion_size": np.array([SIZES[max(s for _, s in plan.strokes)] if plan.ill else "" for plan in plans]),
        }
        self._parts = split_by_patient(self.patients, SHARES, seed)

    @property
    def description(self) -> str:
        """Seed, number of patients and size."""
        return (
            f"drawn heads ({self.name}), patients of seed {self.seed}, {len(self)} in all, "
            f"{self.slices} slices of {self.size} x {self.size}"
        )

    def case(self, index: int, present: bool | None = None) -> Case:
        return case(self.seed, index, self.grid, self._root, present)

    def territory_map(self, index: int) -> np.ndarray:
        """(S, H, W) uint8: 1 + the place in `TERRITORIES` of each voxel, 0 outside of them."""
        return self.kept_mask("territory", index)

    def stroke_territories(self, index: int) -> tuple[int, ...]:
        """Places in `TERRITORIES` of the patient's infarcts; none in a healthy one."""
        plan = Plan.of(self.seed, index)
        return tuple(territory for territory, _ in plan.strokes) if plan.ill else ()
