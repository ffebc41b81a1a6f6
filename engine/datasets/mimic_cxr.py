"""MIMIC-CXR-JPG (Johnson et al. 2019): chest films from Boston with CheXpert's labels, and MIMIC-IV's demographics."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.datasets.chexpert import KNOWN_FINDINGS, PAPER_FINDINGS, POLICIES
from engine.datasets.collection import SPLITS, Collection, UnusableCollection
from engine.datasets.demographics import race_group
from engine.datasets.pictures import PictureMemory, read_grey
from engine.datasets.registry import register_collection

if TYPE_CHECKING:
    import pandas as pd

TABLES = {
    "metadata": ("dicom_id", "subject_id", "study_id", "ViewPosition", "StudyDate"),
    "chexpert": ("subject_id", "study_id"),
    "split": ("dicom_id", "split"),
}
PARTS = {"train": "train", "validate": "validation", "test": "test"}
FRONTAL = ("AP", "PA")
WHERE = (
    "",
    "hosp",
    "core",
    "mimic-iv",
    "mimic-iv/hosp",
    "mimiciv",
    "mimiciv/hosp",
)  # MIMIC-IV's tables, below the root


@register_collection(
    "mimic_cxr",
    title="MIMIC films",
    kind="radiograph",
    terms="MIMIC-CXR-JPG (Johnson et al. 2019) and MIMIC-IV, PhysioNet Credentialed Health Data License.",
)
class MimicCxr(Collection):
    """The frontal films of MIMIC-CXR-JPG that are present in the folder, in the official parts, which are by patient.

    Args:
        root: folder with `files/pXX/pXXXXXXXX/sXXXXXXXX/*.jpg` and the tables `mimic-cxr-2.0.0-metadata`, `-chexpert`
            and `-split`, each as .csv.gz or unpacked as .csv.
        findings: label columns, any of CheXpert's `KNOWN_FINDINGS`.
        uncertain: what to make of uncertain labels, a key of CheXpert's `POLICIES`. A finding that the report does not
            mention counts as absent; a study that was not labelled at all is unknown.
        demographics: folder with MIMIC-IV's `patients.csv.gz` and `admissions.csv.gz`; sought in `WHERE` when not
            given.

    Attributes:
        attributes: `view_position` "AP"/"PA" and, with MIMIC-IV's tables, `sex` "F"/"M", `age` in years at the time of
            the film as text, and `race` ("White", "Black", "Asian", "Other"); "" where unknown. A patient whose
            admissions name several races has none.
        pictures: (N,) paths below the root, with forward slashes.

    Raises:
        UnusableCollection: folder, table, column or pictures missing.
        ValueError: a finding or policy that does not exist.
    """

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = PAPER_FINDINGS,
        uncertain: str = "zeros",
        demographics: str | Path | None = None,
        memory: PictureMemory | None = None,
    ) -> None:
        if unknown := [finding for finding in findings if finding not in KNOWN_FINDINGS]:
            raise ValueError(f"MIMIC-CXR does not label {', '.join(unknown)}; it labels {', '.join(KNOWN_FINDINGS)}.")
        if uncertain not in POLICIES:
            raise ValueError(f"uncertain must be one of {', '.join(POLICIES)}, got {uncertain!r}")
        self.root = Path(root)
        if not self.root.is_dir():
            raise UnusableCollection(
                f"{self.root} is not a folder; name the MIMIC-CXR-JPG folder that holds files/ and the tables."
            )
        self.findings = tuple(findings)
        films = self._films()
        self.labels = _labels(films, self._table("chexpert", self.findings), self.findings, POLICIES[uncertain])
        self.pictures = films["file"].to_numpy(str)
        self.patients = films["subject_id"].to_numpy(str)
        self.attributes = {"view_position": films["ViewPosition"].to_numpy(str)}
        self.attributes |= self._demographics(None if demographics is None else Path(demographics), films)
        part = films["split"].to_numpy(str)
        self._parts = {
            "all": np.arange(len(films)),
            **{ours: np.flatnonzero(part == theirs) for theirs, ours in PARTS.items()},
        }
        self._memory = memory or PictureMemory()

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """(H, W) float32, 0 to 255; see `Collection.image`."""
        path = self.root / self.pictures[index]
        return read_grey(path) if size is None else self._memory.resized(index, size, lambda: read_grey(path))

    def split(self, name: str) -> np.ndarray:
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return self._parts[name].copy()

    def _films(self) -> pd.DataFrame:
        """Frontal films that are there, with their part."""
        films = self._table("metadata")
        films = films[films["ViewPosition"].isin(FRONTAL)].merge(
            self._table("split"), on="dicom_id", validate="one_to_one"
        )
        if strange := sorted(set(films["split"]) - set(PARTS)):
            raise UnusableCollection(
                f"The split table names the part {strange[0]!r}; it must be one of {', '.join(PARTS)}."
            )
        folder = "files/p" + films["subject_id"].str[:2] + "/p" + films["subject_id"] + "/s" + films["study_id"]
        films["file"] = folder + "/" + films["dicom_id"] + ".jpg"
        present = np.array([(self.root / file).is_file() for file in films["file"]], bool)
        if not present.any():
            raise UnusableCollection(f"None of the frontal pictures listed in the tables is under {self.root}/files.")
        return films.take(np.flatnonzero(present)).reset_index(drop=True)

    def _table(self, name: str, more: Sequence[str] = ()) -> pd.DataFrame:
        paths = [
            path for ending in ("csv.gz", "csv") for path in sorted(self.root.glob(f"mimic-cxr-*-{name}.{ending}"))
        ]
        if not paths:
            raise UnusableCollection(f"{self.root} has no mimic-cxr-2.0.0-{name}.csv.gz.")
        return _read(paths[0], (*TABLES[name], *more))

    def _demographics(self, folder: Path | None, films: pd.DataFrame) -> dict[str, np.ndarray]:
        """sex, age and race from MIMIC-IV's two tables; nothing where there are none."""
        import pandas as pd  # slow to load

        places = [folder] if folder is not None else [self.root / place for place in WHERE]
        patients, admissions = (_sought(places, table) for table in ("patients", "admissions"))
        if folder is not None and (patients is None or admissions is None):
            raise UnusableCollection(
                f"{folder} lacks {'patients' if patients is None else 'admissions'}.csv.gz of MIMIC-IV."
            )
        found = {}
        if patients is not None:
            table = _read(patients, ("subject_id", "gender", "anchor_age", "anchor_year")).set_index("subject_id")
            who = table.reindex(self.patients)
            found["sex"] = who["gender"].where(who["gender"].isin(["F", "M"]), "").to_numpy(str)
            # dates of both collections are shifted by the same years, so their difference is the true one
            age = (
                np.asarray(pd.to_numeric(who["anchor_age"]))
                + films["StudyDate"].str[:4].astype(float).to_numpy()
                - np.asarray(pd.to_numeric(who["anchor_year"]))
            )
            found["age"] = np.array(["" if np.isnan(years) else str(int(years)) for years in age], str)
        if admissions is not None:
            found["race"] = pd.Series(_races(admissions)).reindex(self.patients).fillna("").to_numpy(str)
        return found


def _labels(films: pd.DataFrame, table: pd.DataFrame, findings: Sequence[str], uncertain: float) -> np.ndarray:
    """(N, C) float32: the study's labels for each of its films, NaN where the study has none."""
    import pandas as pd  # slow to load

    table = table.drop_duplicates(["subject_id", "study_id"])
    joined = films[["subject_id", "study_id"]].merge(
        table.assign(labelled=True), on=["subject_id", "study_id"], how="left", validate="many_to_one"
    )
    said = joined[list(findings)].apply(pd.to_numeric).fillna(0).to_numpy(np.float32)
    said = np.where(said == -1, np.float32(uncertain), said)
    return np.where(joined["labelled"].isna().to_numpy()[:, None], np.float32(np.nan), said).astype(np.float32)


def _races(path: Path) -> dict[str, str]:
    """Patient to group, where all admissions that name one name the same."""
    column = "ethnicity" if "ethnicity" in _csv(path, nrows=0) else "race"  # the former before MIMIC-IV 2.0
    table = _read(path, ("subject_id", column))
    groups = table.assign(group=table[column].map(race_group))
    groups = groups[groups["group"] != ""].groupby("subject_id")["group"].agg(set)
    return {str(patient): next(iter(named)) for patient, named in groups.items() if len(named) == 1}


def _sought(places: Sequence[Path], table: str) -> Path | None:
    return next(
        (path for place in places for ending in ("csv.gz", "csv") if (path := place / f"{table}.{ending}").is_file()),
        None,
    )


def _read(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    """The needed columns as text; what is empty is "" in those that hold words and missing in those that hold numbers.

    Raises:
        UnusableCollection: a damaged file, or a column that is missing.
    """
    there = _csv(path, nrows=0)
    if missing := [column for column in needed if column not in there]:
        raise UnusableCollection(f"{path} has no column {', '.join(missing)}.")
    table = _csv(path, usecols=list(dict.fromkeys(needed)), dtype=str)
    words = [column for column in ("ViewPosition", "gender", "race", "ethnicity") if column in table]
    return table.assign(**{column: table[column].fillna("") for column in words})


def _csv(path: Path, **how) -> pd.DataFrame:
    import pandas as pd  # slow to load

    try:
        return pd.read_csv(path, **how)
    except (
        OSError,
        EOFError,
        zlib.error,
        UnicodeDecodeError,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
    ) as error:
        raise UnusableCollection(f"{path} cannot be read ({error}); download it again.") from error
