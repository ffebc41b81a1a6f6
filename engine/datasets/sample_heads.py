"""Drawn CT heads that come with the package, so that a volume with known truth is there without any download.

Each is a patient of the test part of `stroke_phantom`, drawn on a finer grid, in the brain atlas of TotalSegmentator
2.18.0 (Wasserthal et al. 2023, Apache-2.0): an average of many heads, no single patient. `python -m
tools.draw_sample_heads` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.datasets.head_ct import COVERED_MM, Grid

COLLECTION = "stroke_phantom"  # that draws them
FOLDER = Path(__file__).with_name("samples")
GRID = Grid(22, 128, 1.6, COVERED_MM / 22)
SEED = 1  # of the collection's default stream
PATIENTS = {"large": 161, "small": 202}  # name to index


@dataclass(frozen=True)
class SampleHead:
    """One drawn head on `GRID`.

    Attributes:
        hu: (S, H, W) float32, with its infarct; lowest slice first, rows to the back, columns to the patient's left.
        change: likewise, what the same head without it, noise and all, adds to that.
        spacing_mm: (slice, row, column).
    """

    hu: np.ndarray
    change: np.ndarray
    spacing_mm: tuple[float, float, float] = (GRID.spacing, GRID.pixel, GRID.pixel)

    @property
    def affine(self) -> np.ndarray:
        """(4, 4) from (slice, row, column, 1) to millimetres (LPS)."""
        affine = np.zeros((4, 4))
        affine[[2, 1, 0, 3], [0, 1, 2, 3]] = *self.spacing_mm, 1.0
        side = (GRID.size - 1) / 2 * GRID.pixel
        affine[:3, 3] = -side, 17.0 - side, GRID.lowest  # from the anterior commissure, as `Grid` counts
        return affine


def sample_head(name: str, folder: Path = FOLDER) -> SampleHead:
    """The head called `name`, of `PATIENTS`."""
    with np.load(folder / f"head-{name}.npz", allow_pickle=False) as stored:
        return SampleHead(stored["hu"].astype(np.float32), stored["change"].astype(np.float32))


def draw(folder: Path = FOLDER, root: Path | None = None) -> list[Path]:
    """Writes the file of every head; `root` as for `engine.datasets.stroke_phantom.case`.

    Raises:
        UnusableCollection: there is no atlas.
    """
    from engine.datasets.stroke_phantom import case

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, index in PATIENTS.items():
        made = case(SEED, index, GRID, root)
        file = folder / f"head-{name}.npz"
        change = (made.healthy - made.hu).astype(np.int16)
        np.savez_compressed(file, allow_pickle=False, hu=made.hu.astype(np.int16), change=change)
        files.append(file)
    return files
