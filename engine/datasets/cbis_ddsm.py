"""CBIS-DDSM (Lee et al. 2017): masses on digitised mammograms, with outlines, descriptions and pathology, in the layout
of The Cancer Imaging Archive.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine.datasets.collection import UnusableCollection, split_by_patient
from engine.datasets.dicom_files import read_any
from engine.datasets.pictures import PictureMemory
from engine.datasets.region_crops import CutCrops, boxed, square
from engine.datasets.registry import register_collection

TABLES = {"train": "mass_case_description_train_set.csv", "test": "mass_case_description_test_set.csv"}
FOLDERS = {"train": "Mass-Training", "test": "Mass-Test"}
COLUMNS = (
    "patient_id", "left or right breast", "image view", "abnormality id", "mass shape", "mass margins", "subtlety",
    "pathology",
)  # fmt: skip
ROOM = 0.5  # of the longer side of a mass's box, left free all round
SMALLEST = 128  # pixels of a crop
VALIDATION = 0.2  # of the patients of the official training part; the collection has no part of its own for it
GREYS = (0.0, 65535.0)  # of 16 bits


@dataclass(frozen=True)
class Mass:
    """One row of the tables: whose mass it is, on which view, how it was described, and what pathology said."""

    part: str
    patient: str
    breast: str
    view: str
    number: int
    shape: str
    margins: str
    subtlety: int
    malignant: bool

    @property
    def picture(self) -> str:
        """The folder of the whole mammogram; that of the mass's outline has its number behind it."""
        return f"{FOLDERS[self.part]}_{self.patient}_{self.breast}_{self.view}"

    @property
    def concepts(self) -> dict[str, int]:
        """The six attributes of Liu et al. 2025 as 0 and 1, 1 as malignant masses tend to be; the paper names them and
        does not say how they were cut.
        """
        return {
            "subtlety": int(self.subtlety == 5),
            "shape": int("IRREGULAR" in self.shape or "DISTORTION" in self.shape),
            "circumscription": int("CIRCUMSCRIBED" not in self.margins),
            "obscuration": int("OBSCURED" in self.margins),
            "ill-definiteness": int("ILL_DEFINED" in self.margins),
            "spiculation": int("SPICULATED" in self.margins),
        }


@register_collection(
    "cbis_ddsm",
    title="masses on mammograms of CBIS-DDSM",
    kind="mammogram",
    terms="CBIS-DDSM (Lee et al., Scientific Data 2017), The Cancer Imaging Archive, CC BY 3.0.",
)
class CBISDDSM(CutCrops):
    """One picture a mass: a square about its box with half the box's longer side free all round.

    The official test part is the test part; a fifth of the patients of the training part is validation.

    Args:
        root: holds the two tables `mass_case_description_*_set.csv` and, at any depth, the folders of pictures
            (`Mass-Training_P_00001_LEFT_CC`) and outlines (`Mass-Training_P_00001_LEFT_CC_1`). Masses whose picture or
            outline is not there are left out.
        seed: of validation and of the random symbols.
        region, symbol: see `RegionCrops`.

    Raises:
        UnusableCollection: no table, or no mass with its picture and outline.
    """

    findings = ("Malignant",)

    def __init__(
        self,
        root: str | Path,
        seed: int = 42,
        region: str = "box",
        symbol: str = "none",
        memory: PictureMemory | None = None,
    ) -> None:
        self.root = Path(root)
        self._folders = {path.name: path for path in self.root.rglob("Mass-*") if path.is_dir()}
        self._masses = [m for m in _masses(self.root) if {m.picture, f"{m.picture}_{m.number}"} <= {*self._folders}]
        if not self._masses:
            raise UnusableCollection(
                f"{root} holds no mass of CBIS-DDSM with its picture and its outline; name the folder that holds "
                f"{TABLES['train']} and the folders of the download."
            )
        patients = np.array([m.patient for m in self._masses], str)
        official = np.array([m.part for m in self._masses])
        cut = split_by_patient(patients, {"train": 1 - VALIDATION, "validation": VALIDATION}, seed)
        both = {*patients[official == "train"]} & {*patients[official == "test"]}
        training = np.flatnonzero((official == "train") & ~np.isin(patients, [*both]))  # nobody is in two parts
        parts = {name: np.intersect1d(training, cut[name]) for name in cut} | {
            "test": np.flatnonzero(official == "test")
        }
        super().__init__(
            [int(m.malignant) for m in self._masses],
            {name: [m.concepts[name] for m in self._masses] for name in self._masses[0].concepts},
            [m.patient for m in self._masses],
            parts,
            names=[f"{m.picture}_{m.number}" for m in self._masses],
            region=region,
            symbol=symbol,
            greys=GREYS,
            seed=seed,
        )
        self.attributes = {**self.attributes, "view": np.array([m.view for m in self._masses], str)}
        self.keep_crops(memory, 16)

    @property
    def masses(self) -> list[Mass]:
        """One a picture."""
        return self._masses

    def _crop(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        mass = self._masses[index]
        whole = self._pictures(mass.picture)
        pixels = max(whole, key=lambda found: found.size)
        outline = self._outline(mass, pixels.shape)
        rows, columns = (np.flatnonzero(boxed(outline).any(axis=axis)) for axis in (1, 0))
        longest = max(len(rows), len(columns))
        side = max(round(longest * (1 + 2 * ROOM)), SMALLEST)
        corner = (int(rows[0] + (len(rows) - side) // 2), int(columns[0] + (len(columns) - side) // 2))
        return square(pixels, corner, side, GREYS[0]), square(outline, corner, side, False)

    def _outline(self, mass: Mass, shape: tuple[int, ...]) -> np.ndarray:
        """(H, W) bool. Its folder also holds a crop of the mass; the outline is the largest picture of two greys."""
        found = [p for p in self._pictures(f"{mass.picture}_{mass.number}") if len(np.unique(p)) == 2]
        if not found:
            raise UnusableCollection(f"{self._folders[mass.picture]} has no outline of mass {mass.number} beside it.")
        drawn = max(found, key=lambda picture: picture.size)
        drawn = (drawn > drawn.min()).astype(np.uint8)
        if drawn.shape != shape:  # a few were drawn on another size of the film
            drawn = cv2.resize(drawn, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
        return drawn > 0

    def _pictures(self, folder: str) -> list[np.ndarray]:
        files = sorted(self._folders[folder].rglob("*.dcm"))
        if not files:
            raise UnusableCollection(f"{self._folders[folder]} holds no picture; download it again.")
        return [read_any(path) for path in files]


def _masses(root: Path) -> list[Mass]:
    """The rows of the tables that are there.

    Raises:
        UnusableCollection: neither is, or one lacks a column.
    """
    files = [(part, root / name) for part, name in TABLES.items() if (root / name).is_file()]
    if not files:
        raise UnusableCollection(
            f"{root} holds neither {' nor '.join(TABLES.values())}; download them from the archive."
        )
    found = []
    for part, path in files:
        with path.open(newline="", encoding="utf-8-sig") as opened:
            rows = csv.DictReader(opened)
            if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
                raise UnusableCollection(f"{path} has no column {missing[0]!r}; download it again.")
            found += [_mass(part, row) for row in rows]
    return found


def _mass(part: str, row: dict[str, str]) -> Mass:
    text = {name: (row[name] or "").strip().upper() for name in COLUMNS}
    return Mass(
        part=part,
        patient=text["patient_id"],
        breast=text["left or right breast"],
        view=text["image view"],
        number=int(text["abnormality id"] or 1),
        shape=text["mass shape"],
        margins=text["mass margins"],
        subtlety=int(text["subtlety"] or 0),
        malignant=text["pathology"].startswith("MALIGNANT"),
    )
