"""CheXpert (Irvin et al. 2019): chest films from Stanford with labels read from reports, and CheXlocalize's
segmentations.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from engine.datasets.collection import SPLITS, Collection, UnusableCollection, split_by_patient
from engine.datasets.demographics import race_group
from engine.datasets.pictures import PictureMemory, read_grey
from engine.datasets.registry import register_collection

if TYPE_CHECKING:
    import pandas as pd

KNOWN_FINDINGS = (
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
PAPER_FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Pleural Effusion",
)  # section 4.1.1 of Sun et al. 2025
# What an uncertain label (-1) becomes. A finding that the report does not mention (blank) counts as absent in all
# three.
POLICIES = {"zeros": 0.0, "ones": 1.0, "ignore": np.nan}
TABLES = {
    "train": ("train.csv",),
    "validation": ("valid.csv", "val_labels.csv"),
    "test": ("test.csv", "test_labels.csv", "groundtruth.csv"),
}
SEGMENTATIONS = ("gt_segmentations_val.json", "gt_segmentations_test.json")
SEXES = {"Female": "F", "Male": "M"}
DEMOGRAPHICS = ("CHEXPERT DEMO.csv", "CHEXPERT DEMO.xlsx")


@register_collection(
    "chexpert",
    title="CheXpert films",
    kind="radiograph",
    terms="CheXpert (Irvin et al. 2019), Stanford University Dataset Research Use Agreement.",
)
class CheXpert(Collection):
    """The frontal films of CheXpert-v1.0 or CheXpert-v1.0-small that are present in the folder.

    The official parts, by table. Without a test table, `valid.csv` is the test part and a tenth of the training
    patients, seeded, are for validation.

    Args:
        root: folder with `train.csv`, `valid.csv` and, where there is one, a test table (`test.csv`, or CheXlocalize's
            `test_labels.csv`), the folders `train/`, `valid/`, `test/`, and optionally CheXlocalize's
            `gt_segmentations_val.json` and `gt_segmentations_test.json` (here or under `CheXlocalize/`) and
            `CHEXPERT DEMO.xlsx` (or the same saved as .csv).
        findings: label columns, any of `KNOWN_FINDINGS`.
        uncertain: what to make of uncertain labels, a key of `POLICIES`; "zeros" is the paper's.
        seed: of the validation part when there is no test table.

    Attributes:
        attributes: `sex` "F"/"M", `age` in years as text, `view_position` "AP"/"PA", and `race` ("White", "Black",
            "Asian", "Other") when the demographics are there; "" where unknown. The demographics also tell the sex
            where a test table does not.
        guidance_part: all segmentations lie in validation and test, so pseudo masks are made of validation's.

    Raises:
        UnusableCollection: folder, table, column or pictures missing.
        ValueError: a finding or policy that does not exist.
    """

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = PAPER_FINDINGS,
        uncertain: str = "zeros",
        seed: int = 42,
        memory: PictureMemory | None = None,
    ) -> None:
        import pandas as pd  # slow to load

        unknown = [finding for finding in findings if finding not in KNOWN_FINDINGS]
        if unknown:
            raise ValueError(f"CheXpert does not label {', '.join(unknown)}; it labels {', '.join(KNOWN_FINDINGS)}.")
        if uncertain not in POLICIES:
            raise ValueError(f"uncertain must be one of {', '.join(POLICIES)}, got {uncertain!r}")
        self.root = Path(root)
        self.findings = tuple(findings)
        table = _read_tables(self.root, self.findings)
        said = table[list(self.findings)].fillna(0).to_numpy(np.float32)
        self.labels = np.where(said == -1, np.float32(POLICIES[uncertain]), said).astype(np.float32)
        self.pictures = table["file"].to_numpy(str)
        self.patients = np.array([picture.split("/")[1] for picture in self.pictures])
        self.attributes = {
            "sex": table["Sex"].map(SEXES.get).fillna("").to_numpy(str),
            "age": np.array(["" if pd.isna(age) else str(int(age)) for age in table["Age"]], str),
            "view_position": table["AP/PA"].where(table["AP/PA"].isin(["AP", "PA"]), "").to_numpy(str),
        }
        people = _demographics(self.root)
        if people is not None:
            who = people.reindex(self.patients)
            self.attributes["race"] = who["PRIMARY_RACE"].fillna("").map(race_group).to_numpy(str)
            sex = who["GENDER"].map(SEXES.get).fillna("").to_numpy(str)
            self.attributes["sex"] = np.where(self.attributes["sex"] == "", sex, self.attributes["sex"])
        self._segmentations = _segmentations(self.root)
        self._memory = memory or PictureMemory()
        self._parts = self._split(table["part"].to_numpy(str), seed)

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """(H, W) float32, 0 to 255; see `Collection.image`."""
        path = self.root / self.pictures[index]
        return read_grey(path) if size is None else self._memory.resized(index, size, lambda: read_grey(path))

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        """CheXlocalize's segmentation, resized by nearest neighbour to (size, size) bool, or None."""
        drawn = self._segmentation_of(index).get(finding)
        whole = decode_run_lengths(drawn) if drawn else np.zeros((1, 1), bool)
        if not whole.any():  # CheXlocalize lists findings that were looked for and not seen as empty masks
            return None
        return cv2.resize(whole.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST).astype(bool)

    def annotated(self, finding: str) -> np.ndarray:
        """Indices of the pictures on which CheXlocalize segmented `finding`."""
        listed = [i for i in range(len(self)) if finding in self._segmentation_of(i)] if self._segmentations else []
        return np.array([i for i in listed if decode_run_lengths(self._segmentation_of(i)[finding]).any()], int)

    def split(self, name: str) -> np.ndarray:
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return self._parts[name].copy()

    def _segmentation_of(self, index: int) -> Mapping[str, Mapping]:
        # valid/patient64541/study1/view1_frontal.jpg is listed as patient64541_study1_view1_frontal
        return self._segmentations.get("_".join(self.pictures[index].removesuffix(".jpg").split("/")[1:]), {})

    def _split(self, part: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        parts = {"all": np.arange(len(part)), **{name: np.flatnonzero(part == name) for name in TABLES}}
        self.guidance_part = "validation"
        if not len(parts["test"]):
            self.guidance_part = "train"  # valid.csv is the test part now: none of it may guide
            development = parts["train"]
            shares = split_by_patient(self.patients[development], {"train": 0.9, "validation": 0.1}, seed)
            parts.update(
                train=development[shares["train"]],
                validation=development[shares["validation"]],
                test=parts["validation"],
            )
        return parts


def decode_run_lengths(segmentation: Mapping) -> np.ndarray:
    """COCO's run lengths, compressed or plain, to a mask.

    Args:
        segmentation: `size` (H, W) and `counts`: lengths of alternating runs of 0 and 1 down the columns, as a list, or
            as COCO's text: five bits a character from "0" on, the sixth bit says that more follow, and from the fourth
            number on each is the difference to the one before the last.

    Returns:
        (H, W) bool.
    """
    height, width = segmentation["size"]
    counts = segmentation["counts"]
    if isinstance(counts, str):
        counts = _numbers(counts)
    values = np.arange(len(counts)) % 2 == 1
    flat = np.repeat(values, counts)
    if len(flat) != height * width:
        raise UnusableCollection(
            f"A segmentation of {height} x {width} pixels lists {len(flat)} pixels; download the file again."
        )
    return flat.reshape(width, height).T


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift  # the last character's top bit is the sign
            numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
            value = shift = 0
    return numbers


def _read_tables(root: Path, findings: Sequence[str]) -> pd.DataFrame:
    import pandas as pd  # slow to load

    if not root.is_dir():
        raise UnusableCollection(f"{root} is not a folder; name the CheXpert folder that holds train.csv and train/.")
    tables = []
    for part, names in TABLES.items():
        path = next((root / name for name in names if (root / name).is_file()), None)
        if path is None and part == "test":
            continue
        if path is None:
            raise UnusableCollection(f"{root} has no {' and no '.join(names)}.")
        table = pd.read_csv(path)
        missing = [column for column in ("Path", *findings) if column not in table]
        if missing:
            raise UnusableCollection(f"{path} has no column {', '.join(missing)}.")
        # paths start with the name of the release, or in the test table with "test/"
        table["file"] = table["Path"].str.extract(r"((?:train|valid|val|test)/.*)$")[0]
        tables.append(table.assign(part=part))
    whole = pd.concat(tables, ignore_index=True)
    whole = whole.reindex(
        columns=list(dict.fromkeys([*whole.columns, "Sex", "Age", "AP/PA"]))
    )  # test tables lack these
    frontal = whole["file"].str.contains("frontal", na=False).to_numpy(bool)
    whole = whole.take(np.flatnonzero(frontal))
    present = np.array([(root / file).is_file() for file in whole["file"]], bool)
    if not present.any():
        raise UnusableCollection(f"None of the frontal pictures listed in the tables is under {root}.")
    return whole.take(np.flatnonzero(present)).reset_index(drop=True)


def _beside(root: Path, names: Sequence[str]) -> list[Path]:
    return [path for name in names for path in (root / name, root / "CheXlocalize" / name) if path.is_file()]


def _segmentations(root: Path) -> dict[str, Mapping[str, Mapping]]:
    found: dict[str, Mapping[str, Mapping]] = {}
    for path in _beside(root, SEGMENTATIONS):
        found.update(json.loads(path.read_text()))
    return found


def _demographics(root: Path) -> pd.DataFrame | None:
    """PRIMARY_RACE and GENDER by patient, None where the table is not there."""
    import pandas as pd  # slow to load

    paths = _beside(root, DEMOGRAPHICS)
    if not paths:
        return None
    if paths[0].suffix == ".xlsx" and importlib.util.find_spec("openpyxl") is None:
        raise UnusableCollection(
            f"{paths[0]} needs openpyxl to be read; install it, or save the table as {DEMOGRAPHICS[0]}."
        )
    table = pd.read_excel(paths[0]) if paths[0].suffix == ".xlsx" else pd.read_csv(paths[0])
    missing = [column for column in ("PATIENT", "PRIMARY_RACE", "GENDER") if column not in table]
    if missing:
        raise UnusableCollection(f"{paths[0]} has no column {', '.join(missing)}.")
    return table.drop_duplicates("PATIENT").set_index("PATIENT")
