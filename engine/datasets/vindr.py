"""VinDr-CXR (Nguyen et al. 2022): chest films from Hanoi, every finding boxed by three radiologists, or
five in consensus.
"""

from __future__ import annotations

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

LOCAL_FINDINGS = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Clavicle fracture",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Enlarged PA",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Lung cavity",
    "Lung cyst",
    "Mediastinal shift",
    "Nodule/Mass",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
    "Rib fracture",
    "Other lesion",
)
GLOBAL_FINDINGS = (
    "COPD",
    "Lung tumor",
    "Pneumonia",
    "Tuberculosis",
    "Other disease",
)  # said of the picture, never boxed
PAPER_FINDINGS = ("Aortic enlargement", "Cardiomegaly", "Pulmonary fibrosis", "Pleural thickening", "Pleural effusion")
ENDINGS = (".dicom", ".dcm", ".png")
EDGES = ["x_min", "y_min", "x_max", "y_max"]


@register_collection(
    "vindr",
    title="VinDr films",
    kind="radiograph",
    terms="VinDr-CXR (Nguyen et al. 2022), PhysioNet Credentialed Health Data License.",
)
class VinDr(Collection):
    """The pictures of VinDr-CXR that are present in the folder.

    A picture is positive when any radiologist boxed the finding or ticked it for the whole picture. The official test
    part; the others are 80/20 train and validation. The collection names no patients, so every picture counts as its
    own.

    Args:
        root: folder with `train/` and `test/` (one .dicom or .png a picture, in its original size) and, here or under
            `annotations/`, `annotations_train.csv`, `annotations_test.csv` and, where there are, `image_labels_*.csv`.
        findings: label columns, any of `LOCAL_FINDINGS` and `GLOBAL_FINDINGS`.
        seed: of the train and validation parts.

    Attributes:
        attributes: `view_position`, "PA" throughout.
        pictures: (N,) image ids.

    Raises:
        UnusableCollection: folder, table, column or pictures missing.
        ValueError: a finding that the collection does not label.
    """

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = PAPER_FINDINGS,
        seed: int = 42,
        memory: PictureMemory | None = None,
    ) -> None:
        import pandas as pd  # slow to load

        known = LOCAL_FINDINGS + GLOBAL_FINDINGS
        unknown = [finding for finding in findings if finding not in known]
        if unknown:
            raise ValueError(f"VinDr-CXR does not label {', '.join(unknown)}; it labels {', '.join(known)}.")
        self.root = Path(root)
        self.findings = tuple(findings)
        paths, part = _pictures_in(self.root)
        drawn = pd.concat([_read_boxes(self.root, name) for name in ("train", "test")], ignore_index=True)
        ticked = {pair for name in ("train", "test") for pair in _read_ticks(self.root, name)}
        listed = {*drawn["image_id"], *(image_id for image_id, _ in ticked)}
        self.pictures = np.array(sorted(image_id for image_id in paths if image_id in listed), str)
        if not len(self.pictures):
            raise UnusableCollection(
                f"None of the pictures listed in the tables is in {self.root}/train or {self.root}/test."
            )
        self._paths = [paths[image_id] for image_id in self.pictures]
        self.patients = self.pictures
        drawn = drawn.dropna(subset=EDGES)
        self._edges: dict[tuple[str, str], list[np.ndarray]] = {}
        for image_id, finding, *edges in drawn[["image_id", "class_name", *EDGES]].itertuples(index=False):
            self._edges.setdefault((image_id, finding), []).append(np.array(edges, float))
        positive = self._edges.keys() | ticked
        self.labels = np.array([[(p, f) in positive for f in self.findings] for p in self.pictures], np.float32)
        self.labels = self.labels.reshape(len(self.pictures), -1)
        self.attributes = {"view_position": np.full(len(self.pictures), "PA")}
        self._memory = memory or PictureMemory()
        self._shapes: dict[int, tuple[int, int]] = {}
        self._parts = self._split(np.array([part[image_id] for image_id in self.pictures], str), seed)

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """(H, W) float32 in the scanner's own units, bright = dense; see `Collection.image`."""
        return self._decoded(index) if size is None else self._memory.resized(index, size, lambda: self._decoded(index))

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        """The union of all radiologists' boxes, (size, size) bool, or None."""
        regions = self.regions(index, finding, size)
        return np.any(regions, axis=0) if regions else None

    def regions(self, index: int, finding: str, size: int) -> list[np.ndarray]:
        """One (size, size) bool for each radiologist's box."""
        picture = str(self.pictures[index])
        edges = self._edges.get((picture, finding), [])
        if edges and index not in self._shapes:
            self._decoded(index)  # boxes are in pixels of the original, so its size must be known
        masks = []
        for left, top, right, bottom in edges:
            height, width = self._shapes[index]
            masks.append(
                Box(picture, picture, finding, left / width, top / height, right / width, bottom / height).mask(size)
            )
        return masks

    def annotated(self, finding: str) -> np.ndarray:
        """Indices of the pictures that carry a box of `finding`."""
        return np.array([i for i, picture in enumerate(self.pictures) if (str(picture), finding) in self._edges], int)

    def split(self, name: str) -> np.ndarray:
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return self._parts[name].copy()

    def _decoded(self, index: int) -> np.ndarray:
        from engine.scan import UnreadableScan, read_scan  # DICOM decoders are only loaded by those who need them

        path = self._paths[index]
        if path.suffix == ".png":
            pixels = read_grey(path)
        else:
            try:
                pixels = read_scan(path.read_bytes()).pixels
            except UnreadableScan as error:
                raise UnusableCollection(f"{path}: {error}") from error
        self._shapes[index] = pixels.shape
        return pixels

    def _split(self, part: np.ndarray, seed: int) -> dict[str, np.ndarray]:
        development = np.flatnonzero(part == "train")
        shares = split_by_patient(self.patients[development], {"train": 0.8, "validation": 0.2}, seed)
        parts = {name: development[indices] for name, indices in shares.items()}
        return {"all": np.arange(len(part)), "test": np.flatnonzero(part == "test"), **parts}


def _pictures_in(root: Path) -> tuple[dict[str, Path], dict[str, str]]:
    if not root.is_dir():
        raise UnusableCollection(f"{root} is not a folder; name the VinDr-CXR folder that holds train/ and test/.")
    missing = [name for name in ("train", "test") if not (root / name).is_dir()]
    if missing:
        raise UnusableCollection(f"{root} has no folder {' and no '.join(missing)}.")
    found = {name: [p for p in (root / name).iterdir() if p.suffix in ENDINGS] for name in ("train", "test")}
    paths = {path.stem: path for name in found for path in found[name]}
    return paths, {path.stem: name for name in found for path in found[name]}


def _table(root: Path, name: str) -> Path | None:
    return next((path for path in (root / name, root / "annotations" / name) if path.is_file()), None)


def _read_boxes(root: Path, part: str) -> pd.DataFrame:
    import pandas as pd  # slow to load

    path = _table(root, f"annotations_{part}.csv")
    if path is None:
        raise UnusableCollection(f"Neither {root} nor {root}/annotations has annotations_{part}.csv.")
    table = pd.read_csv(path, dtype={"image_id": str})
    missing = [column for column in ("image_id", "class_name", *EDGES) if column not in table]
    if missing:
        raise UnusableCollection(f"{path} has no column {', '.join(missing)}.")
    return table


def _read_ticks(root: Path, part: str) -> set[tuple[str, str]]:
    """(image id, finding) pairs that any radiologist ticked for the whole picture, and (image id, "") for
    every picture.
    """
    import pandas as pd  # slow to load

    path = _table(root, f"image_labels_{part}.csv")
    if path is None:
        return set()
    table = pd.read_csv(path, dtype={"image_id": str})
    if "image_id" not in table:
        raise UnusableCollection(f"{path} has no column image_id.")
    findings = [finding for finding in LOCAL_FINDINGS + GLOBAL_FINDINGS if finding in table]
    ticked = {(image_id, finding) for finding in findings for image_id in table.loc[table[finding] == 1, "image_id"]}
    return ticked | {(image_id, "") for image_id in table["image_id"]}
