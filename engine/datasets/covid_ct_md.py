"""COVID-CT-MD: slices of chest CT, of which radiologists said whether they show infection, and in which lobes
(Afshar et al. 2021).

For loading, looking and measuring: the copies that are about state no terms.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from engine.datasets.collection import SPLITS, Collection, UnusableCollection
from engine.datasets.look_alikes import dealt
from engine.datasets.lung_slices import SIDE, lungs_of, tenths_of
from engine.datasets.pictures import PictureMemory
from engine.datasets.registry import register_collection

FINDINGS = ("Pneumonia",)
LOBES = ("LLL", "LUL", "RLL", "RML", "RUL")  # left and right, lower, middle and upper; the order of the label file
FOLDERS = ("COVID-19 Cases", "Cap Cases", "Normal Cases")
INDEX, SLICE_LABELS, LOBE_LABELS = "Index.csv", "Slice-level-labels.npy", "Lobe-level-labels.npy"
SAMPLE = "slices.csv"
SKIPPED_INDEX = 42  # Index.csv leaves out the number after it, the label files have no row for that
LARGEST_LABELS = 100_000_000  # bytes of a label file


@dataclass(frozen=True)
class LabelledSlice:
    """One slice: its file, patient, diagnosis ("COVID-19", "CAP" or "normal"), label, lobes and height in mm."""

    path: Path
    patient: str
    diagnosis: str
    infected: bool
    lobes: str
    height: float


@register_collection(
    "covid_ct_md",
    title="slices of chest CT with and without infection",
    kind="CT",
    terms="COVID-CT-MD (Afshar et al., Scientific Data 2021, doi 10.1038/s41597-021-00900-3); the copy used states no "
    "terms: for tests and measurements only.",
)
class CovidCtMd(Collection):
    """Every slice of the patients whose slices are labelled; all slices of normal patients are without infection.

    Either the full download (`COVID-19 Cases/P001/*.dcm`, `Cap Cases/`, `Normal Cases/`, `Index.csv`,
    `Slice-level-labels.npy`, `Lobe-level-labels.npy`), or a sample: folders of patients beside a `slices.csv` with the
    columns patient, diagnosis, slice_location, file, infection, LLL, LUL, RLL, RML, RUL. Labels belong to slices by
    their SliceLocation, never by file name. Parts are 70/10/20 by patient.

    Args:
        root: the folder.
        findings: the one finding, "Pneumonia": viral or bacterial.
        seed: of the split.
        memory: of resized slices.

    Attributes:
        slices: the N `LabelledSlice`, by patient and from the feet up.
        attributes: ``diagnosis``, and ``lobes`` as names in a row, "" where none is infected.
        grey_range: HU that a network's range should span: from air to soft tissue.

    Raises:
        UnusableCollection: neither layout is there, or a label file is not what it should be.
    """

    grey_range = (-1000.0, 200.0)

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = FINDINGS,
        seed: int = 42,
        memory: PictureMemory | None = None,
    ) -> None:
        if tuple(findings) != FINDINGS:
            raise ValueError(f"covid_ct_md is labelled for {FINDINGS[0]} only, got {', '.join(findings)}.")
        self.root, self.findings = Path(root), FINDINGS
        found = list(_sample(self.root) if (self.root / SAMPLE).is_file() else _full(self.root))
        if not found:
            raise UnusableCollection(f"{root} lists no slices; name the folder that holds {SAMPLE} or {INDEX}.")
        self.slices = sorted(found, key=lambda one: (one.patient, one.height))
        self.labels = np.array([[one.infected] for one in self.slices], np.float32)
        self.patients = np.array([one.patient for one in self.slices], str)
        self.attributes = {
            name: np.array([getattr(one, name) for one in self.slices], str) for name in ("diagnosis", "lobes")
        }
        parts = dealt(self.patients, self.attributes["diagnosis"], seed)
        self._parts = {**parts, "all": np.arange(len(self.slices))}
        self._memory = memory or PictureMemory()
        self._tenths_of_patient = lru_cache(maxsize=None)(self._measured_tenths)

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """Slice `index` in HU, (H, W) float32; (size, size) when `size` is given."""
        read = lambda: _read(self.slices[index].path)
        return read() if size is None else self._memory.resized(index, size, read)

    def split(self, name: str) -> np.ndarray:
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return self._parts[name].copy()

    def organ(self, index: int, size: int | None = None) -> np.ndarray:
        """The lungs of slice `index`, (size, size) or (H, W) bool."""
        lungs = lungs_of(self.image(index))
        if size is None:
            return lungs
        return cv2.resize(lungs.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) >= 0.5

    def position(self, index: int) -> int:
        """In which tenth of the lungs' height a slice lies, 0 to 9 from below; -1 above and below the lungs. Every
        slice of the patient is read for it, once.
        """
        of_patient = np.flatnonzero(self.patients == self.patients[index])
        return int(self._tenths_of_patient(str(self.patients[index]))[index - of_patient[0]])

    def _measured_tenths(self, patient: str) -> np.ndarray:
        chosen = np.flatnonzero(self.patients == patient)
        return tenths_of([lungs_of(self.image(int(index), SIDE)).sum() for index in chosen])


def _sample(root: Path) -> Iterator[LabelledSlice]:
    for row in _rows(root / SAMPLE, ("patient", "diagnosis", "slice_location", "file", "infection", *LOBES)):
        try:
            height = float(row["slice_location"])
        except ValueError as error:
            raise UnusableCollection(
                f"{SAMPLE} says a slice_location of {row['slice_location']!r}; it must be a number in millimetres."
            ) from error
        lobes = " ".join(lobe for lobe in LOBES if row[lobe] == "1")
        yield LabelledSlice(
            root / row["patient"] / row["file"],
            row["patient"],
            row["diagnosis"],
            row["infection"] == "1",
            lobes,
            height,
        )


def _full(root: Path) -> Iterator[LabelledSlice]:
    if not (root / INDEX).is_file():
        raise UnusableCollection(
            f"{root} holds neither {SAMPLE} nor {INDEX}; name the folder of COVID-CT-MD that holds {INDEX}, "
            f"{SLICE_LABELS} and {FOLDERS[0]}."
        )
    labels, lobes = _labels(root / SLICE_LABELS, 2), _labels(root / LOBE_LABELS, 3)
    for row in _rows(root / INDEX, ("Label Index", "Diagnosis", "Folder/ID")):
        patient = row["Folder/ID"]
        place = next((root / folder / patient for folder in FOLDERS if (root / folder / patient).is_dir()), None)
        if place is None:
            continue  # a part of the download
        number = int(row["Label Index"])
        number -= number > SKIPPED_INDEX
        if not 0 <= number < min(len(labels), len(lobes)):
            raise UnusableCollection(f"{INDEX} gives {patient} the row {number}, which {SLICE_LABELS} does not have.")
        for at, (height, path) in enumerate(_by_height(place)):
            ill = bool(labels[number, at]) if at < labels.shape[1] else False
            where = lobes[number, at] if at < lobes.shape[1] else np.zeros(len(LOBES))
            names = " ".join(lobe for lobe, there in zip(LOBES, where, strict=False) if there)
            yield LabelledSlice(path, patient, row["Diagnosis"], ill, names, height)
    for place in sorted(path for path in (root / FOLDERS[2]).glob("*") if path.is_dir()):
        for height, path in _by_height(place):
            yield LabelledSlice(path, place.name, "normal", False, "", height)


def _rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        table = csv.DictReader(file)
        missing = [name for name in columns if name not in (table.fieldnames or ())]
        if missing:
            raise UnusableCollection(f"{path} has no column {', '.join(missing)}.")
        yield from table


def _labels(path: Path, dimensions: int) -> np.ndarray:
    wrong = f"{path} is not the label file of COVID-CT-MD; download it again."
    if not path.is_file() or path.stat().st_size > LARGEST_LABELS:
        raise UnusableCollection(wrong)
    try:
        labels = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UnusableCollection(wrong) from error
    if labels.ndim != dimensions or labels.dtype.kind not in "biuf":
        raise UnusableCollection(wrong)
    return labels


def _by_height(place: Path) -> list[tuple[float, Path]]:
    """Files of a series by SliceLocation, ascending; headers only."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    heights = []
    for path in sorted(place.glob("*.dcm")):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SliceLocation"])
            heights.append((float(header.SliceLocation), path))
        except (InvalidDicomError, AttributeError, TypeError, ValueError) as error:
            raise UnusableCollection(f"{path} says no SliceLocation, so its label is not known.") from error
    return sorted(heights)


def _read(path: Path) -> np.ndarray:
    from engine.scan import UnreadableScan, read_scan  # DICOM decoders are only loaded by those who need them

    if not path.is_file():
        raise UnusableCollection(f"{path} is missing; download it again.")
    try:
        pixels = read_scan(path.read_bytes()).pixels
    except UnreadableScan as error:
        raise UnusableCollection(f"{path}: {error}") from error
    if pixels.ndim != 2:
        raise UnusableCollection(f"{path} must hold one slice, got {len(pixels)}.")
    return pixels
