"""CT of the head after acute stroke, with the side and the arterial territory of the infarct, as in the third
International Stroke Trial (IST-3).

The trial's pictures are given on request and have no public layout; the one below is ours.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.datasets.collection import SPLITS, Collection, UnusableCollection
from engine.datasets.look_alikes import dealt
from engine.datasets.registry import register_collection
from engine.datasets.stroke_phantom import SIDES, TERRITORIES
from engine.datasets.volume_memory import VolumeMemory, evenly, read_ct

FINDINGS = ("Infarct",)
TABLE = "scans.csv"
COLUMNS = ("patient", "scan", "side", "territory")


@register_collection(
    "ist3",
    title="CT of the head after acute stroke",
    kind="CT",
    terms="IST-3 (Sandercock et al. 2012), pictures on request from the trial's office.",
)
class IST3(Collection):
    """One volume a line of `scans.csv`, with the columns patient, scan (a NIfTI file, or a folder of DICOM slices,
    below the folder), side (none, left, right, both) and territory ("left MCA" and so on, several with a semicolon;
    empty where it is not known or there is no infarct). Parts are 70/10/20 by patient, each side spread over all three.

    Args:
        root: the folder that holds `scans.csv`.
        findings: the one finding, "Infarct".
        slices: of a volume, evenly from the base to the vertex.
        seed: of the split.
        memory: of resized volumes.

    Attributes:
        attributes: ``side`` and ``territory`` (the first).
        grey_range: HU that a network's range should span: from fluid to what is brighter than any brain.

    Raises:
        UnusableCollection: no table, a column or value that is not one, or a scan that cannot be read.
        ValueError: another finding, or a number out of range.
    """

    dimensions = 3
    grey_range = (5.0, 55.0)

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = FINDINGS,
        slices: int = 11,
        seed: int = 42,
        memory: VolumeMemory | None = None,
    ) -> None:
        if tuple(findings) != FINDINGS:
            raise ValueError(f"ist3 is labelled for {FINDINGS[0]} only, got {', '.join(findings)}.")
        if not 1 <= slices <= 100:
            raise ValueError(f"slices must be 1 to 100, got {slices}.")
        self.root, self.findings, self.slices = Path(root), FINDINGS, slices
        rows = self._rows()
        self.paths = [self.root / row["scan"] for row in rows]
        self.patients = np.array([row["patient"] for row in rows], str)
        sides = [row["side"].strip().lower() for row in rows]
        self._territories = [tuple(filter(None, map(str.strip, row["territory"].split(";")))) for row in rows]
        for side, named in zip(sides, self._territories, strict=True):
            if side not in SIDES or set(named) - set(TERRITORIES):
                raise UnusableCollection(
                    f"{TABLE} says side {side!r} and territory {'; '.join(named)!r}; sides are {', '.join(SIDES)}, "
                    f"territories {', '.join(TERRITORIES)}."
                )
        self.labels = np.array([[side != "none"] for side in sides], np.float32)
        first = [named[0] if named else "" for named in self._territories]
        self.attributes = {"side": np.array(sides, str), "territory": np.array(first, str)}
        self._parts = {**dealt(self.patients, self.attributes["side"], seed), "all": np.arange(len(rows))}
        self._memory = memory or VolumeMemory()

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """(S, H, W) float32 in HU, from the base up, rows to the back, columns to the patient's left."""
        read = lambda: evenly(read_ct(self.paths[index]), self.slices)
        return read() if size is None else self._memory.resized(index, size, read)

    def split(self, name: str) -> np.ndarray:
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return self._parts[name].copy()

    def stroke_territories(self, index: int) -> tuple[int, ...]:
        """Places in `TERRITORIES` of the patient's infarcts; none where they are not known."""
        return tuple(TERRITORIES.index(name) for name in self._territories[index])

    def _rows(self) -> list[dict[str, str]]:
        path = self.root / TABLE
        if not path.is_file():
            raise UnusableCollection(f"{self.root} holds no {TABLE}, which lists {', '.join(COLUMNS)} of every scan.")
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            table = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (table.fieldnames or ())]:
                raise UnusableCollection(f"{path} has no column {', '.join(missing)}.")
            rows = [{name: row[name] or "" for name in COLUMNS} for row in table]
        if not rows:
            raise UnusableCollection(f"{path} lists no scans.")
        return rows
