"""NIH ChestX-ray8/14 (Wang et al. 2017): frontal chest films with up to 14 findings, and radiologists'
boxes for a few.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.datasets.boxes import Box
from engine.datasets.collection import SPLITS, Collection, UnusableCollection, split_by_patient
from engine.datasets.pictures import PictureMemory, read_grey
from engine.datasets.registry import register_collection

if TYPE_CHECKING:
    import pandas as pd

KNOWN_FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
)
PAPER_FINDINGS = KNOWN_FINDINGS[:5]  # section 4.1.1 of Sun et al. 2025
BOX_GRID = 1024  # boxes are in pixels of the published 1024 x 1024 pictures
TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
# A folder without official lists is dealt out ten patients at a time, 70/10/20, see `_deal_out`.
DEAL = ("train", "train", "test", "train", "train", "validation", "train", "test", "train", "train")
RAREST_FIRST = ("Cardiomegaly", "Consolidation", "Edema", "Effusion", "Atelectasis", "Pneumonia")


@register_collection(
    "chestxray8",
    title="NIH films",
    kind="radiograph",
    terms="NIH ChestX-ray8/14 (Wang et al. 2017), free to use with attribution to the NIH Clinical Center.",
)
class ChestXray8(Collection):
    """The pictures of the NIH table that are present in the folder.

    Split by patient: with `test_list.txt` that list is the test part, and the other patients are 80/20 train and
    validation. All of the collection's boxes were drawn on films of that list, so guided training must borrow some of
    its
    patients: a seeded `guidance_share` of the boxed ones move to train, whole, and never count as test. Without lists
    the patients are dealt out 70/10/20, so that the five findings of the paper have positives in each part.

    Args:
        root: folder with the table, the box list and `images/` or `images_001/images/` to `images_012/images/`.
        findings: label columns, any of `KNOWN_FINDINGS`.
        seed: of the split; the same seed and pictures give the same parts, whatever the findings asked for.
        guidance_share: 0 keeps the official test list as published.

    Attributes:
        attributes: `sex` "F"/"M", `view_position` "PA"/"AP", `age` in whole years as text; "" where unknown.
        pictures: (N,) file names.

    Raises:
        UnusableCollection: folder, table, column or pictures missing.
        ValueError: a finding that the collection does not label.
    """

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = PAPER_FINDINGS,
        seed: int = 42,
        guidance_share: float = 0.4,
        memory: PictureMemory | None = None,
    ) -> None:
        unknown = [finding for finding in findings if finding not in KNOWN_FINDINGS]
        if unknown:
            raise ValueError(f"ChestX-ray8 does not label {', '.join(unknown)}; it labels {', '.join(KNOWN_FINDINGS)}.")
        self.root = Path(root)
        self.findings = tuple(findings)
        self._paths = _pictures_in(self.root)
        table = _read_table(self.root)
        here = table["Image Index"].isin(list(self._paths)).to_numpy(bool)
        table = table.take(np.flatnonzero(here)).reset_index(drop=True)
        if table.empty:
            raise UnusableCollection(
                f"None of the pictures listed in the table is in {self.root}/images or images_001/images ..."
            )
        said = [frozenset(text.split("|")) for text in table["Finding Labels"]]
        self.labels = np.array([[finding in s for finding in self.findings] for s in said], np.float32).reshape(
            len(said), -1
        )
        self.pictures = table["Image Index"].to_numpy(str)
        self.patients = table["Patient ID"].astype(str).to_numpy(str)
        years = table["Patient Age"].astype(str).str.extract(r"^0*(\d+)")[0].fillna("")  # "58" and the older "058Y"
        self.attributes = {
            "sex": table["sex"].fillna("").to_numpy(str),
            "view_position": table["View Position"].fillna("").to_numpy(str),
            "age": years.to_numpy(str),
        }
        own = self.root / "BBox_List_2017.csv"
        self.boxes = _read_boxes(own) if own.is_file() else _packaged_boxes()
        self._boxes_of: dict[tuple[str, str], list[Box]] = {}
        for box in self.boxes:
            self._boxes_of.setdefault((box.picture, box.finding), []).append(box)
        self._memory = memory or PictureMemory()
        self._parts = self._split(said, seed, guidance_share)

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """(H, W) float32, 0 to 255; see `Collection.image`."""
        path = self._paths[self.pictures[index]]
        return read_grey(path) if size is None else self._memory.resized(index, size, lambda: read_grey(path))

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        """The union of the boxes, (size, size) bool, or None."""
        regions = self.regions(index, finding, size)
        return np.any(regions, axis=0) if regions else None

    def regions(self, index: int, finding: str, size: int) -> list[np.ndarray]:
        """One (size, size) bool for each box."""
        return [box.mask(size) for box in self._boxes_of.get((str(self.pictures[index]), finding), [])]

    def annotated(self, finding: str) -> np.ndarray:
        """Indices of the pictures that carry a box of `finding`."""
        return np.array(
            [i for i, picture in enumerate(self.pictures) if (str(picture), finding) in self._boxes_of], int
        )

    def all_boxes(self) -> list[Box]:
        """The folder's boxes, and those of other pictures in the table of the installed torchxrayvision
        (984 rows), if any.
        """
        listed = {box.picture for box in self.boxes}
        return self.boxes + [box for box in _packaged_boxes() if box.picture not in listed]

    def boxes_elsewhere(self) -> list[Box]:
        present = set(self.pictures.tolist())
        return [box for box in self.all_boxes() if box.picture not in present]

    def split(self, name: str) -> np.ndarray:
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return self._parts[name].copy()

    def _split(self, said: Sequence[frozenset[str]], seed: int, guidance_share: float) -> dict[str, np.ndarray]:
        everything = np.arange(len(self.patients))
        test_list = self.root / "test_list.txt"
        if not test_list.is_file():
            part_of = _deal_out(self.patients, said, seed)
            parts = np.array([part_of[patient] for patient in self.patients])
            return {"all": everything, **{part: np.flatnonzero(parts == part) for part in SPLITS[:3]}}
        in_test = set(self.patients[np.isin(self.pictures, test_list.read_text().split())])
        boxed = sorted(in_test & {box.patient for box in self.boxes})
        borrowed = np.random.default_rng(seed).permutation(boxed)[: round(guidance_share * len(boxed))].tolist()
        test = np.isin(self.patients, sorted(in_test - set(borrowed)))
        development = np.flatnonzero(~np.isin(self.patients, sorted(in_test)))
        halves = split_by_patient(self.patients[development], {"train": 0.8, "validation": 0.2}, seed)
        train = np.union1d(development[halves["train"]], np.flatnonzero(np.isin(self.patients, borrowed)))
        return {
            "all": everything,
            "train": train,
            "validation": development[halves["validation"]],
            "test": np.flatnonzero(test),
        }


def _deal_out(patients: np.ndarray, said: Sequence[frozenset[str]], seed: int) -> dict[str, str]:
    """Patients in random order, those with the rarest finding first, dealt like cards: every ten in a row are 7/1/2."""
    findings_of: dict[str, set[str]] = {}
    for patient, findings in zip(patients, said):
        findings_of.setdefault(str(patient), set()).update(findings)

    def rarity(patient: str) -> int:
        return next((i for i, finding in enumerate(RAREST_FIRST) if finding in findings_of[patient]), len(RAREST_FIRST))

    shuffled = np.random.default_rng(seed).permutation(sorted(findings_of)).tolist()
    return {patient: DEAL[i % len(DEAL)] for i, patient in enumerate(sorted(shuffled, key=rarity))}


def _pictures_in(root: Path) -> dict[str, Path]:
    if not root.is_dir():
        raise UnusableCollection(
            f"{root} is not a folder; name the ChestX-ray8 folder that holds {TABLES[0]} and images/."
        )
    folders = [folder for folder in (root / "images", *sorted(root.glob("images_*/images"))) if folder.is_dir()]
    if not folders:
        raise UnusableCollection(f"{root} has no images/ and no images_001/images/; unpack the pictures there.")
    return {path.name: path for folder in folders for path in folder.glob("*.png")}


def _read_table(root: Path) -> pd.DataFrame:
    import pandas as pd  # slow to load

    path = next((root / name for name in TABLES if (root / name).is_file()), None)
    if path is None:
        raise UnusableCollection(f"{root} has neither {' nor '.join(TABLES)}.")
    table = pd.read_csv(path, dtype={"Finding Labels": str})
    table = table.rename(columns={"Patient Gender": "sex", "Patient Sex": "sex"})  # the name differs between releases
    needed = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "sex", "View Position")
    missing = [
        column if column != "sex" else "Patient Gender (or Patient Sex)" for column in needed if column not in table
    ]
    if missing:
        raise UnusableCollection(f"{path} has no column {', '.join(missing)}.")
    return table


def _read_boxes(path: Path) -> list[Box]:
    import pandas as pd  # slow to load

    table = pd.read_csv(path).iloc[:, :6]  # "Bbox [x,y,w,h]" is one unquoted heading, so it falls into four columns
    if table.shape[1] < 6 or not str(table.columns[2]).startswith("Bbox"):
        raise UnusableCollection(f"{path} must start with the columns Image Index, Finding Label, Bbox [x, y, w, h].")
    boxes = []
    for picture, finding, left, top, width, height in table.itertuples(index=False):
        finding = "Infiltration" if finding == "Infiltrate" else finding  # the box list's own spelling
        patient = str(int(picture.split("_")[0]))  # 00001280_004.png is the fifth picture of patient 1280
        edges = np.clip(np.array([left, top, left + width, top + height], float) / BOX_GRID, 0, 1)
        boxes.append(Box(picture, patient, finding, *edges.tolist()))
    return boxes


def _packaged_boxes() -> list[Box]:
    """The 984 published boxes, from torchxrayvision's data folder; none when the package is not installed."""
    package = importlib.util.find_spec("torchxrayvision")  # found, not imported: importing it loads torch
    for folder in package.submodule_search_locations or () if package else ():
        path = Path(folder) / "data" / "BBox_List_2017.csv.gz"
        if path.is_file():
            return _read_boxes(path)
    return []
