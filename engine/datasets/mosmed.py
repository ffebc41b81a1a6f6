"""MosMedData: chest CT with and without signs of viral pneumonia (Morozov et al. 2020), as ACAT's paper uses it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.datasets.collection import SPLITS, Collection, UnusableCollection
from engine.datasets.look_alikes import dealt
from engine.datasets.lung_slices import SIDE, lungs_of, tenths_of
from engine.datasets.pictures import resized, resized_slices
from engine.datasets.registry import register_collection
from engine.datasets.volume_memory import VolumeMemory, evenly, read_ct, read_outline

FINDINGS = ("Pneumonia",)
WITHOUT, MILD, WITH = ("CT-0",), ("CT-1",), ("CT-2", "CT-3", "CT-4")
MILD_CHOICES = ("left out", "positive")


@register_collection(
    "mosmed",
    title="chest CT with and without viral pneumonia",
    kind="CT",
    terms="MosMedData (Morozov et al. 2020, arXiv 2005.06465), CC BY-NC-ND 3.0.",
)
class MosMed(Collection):
    """The studies of classes CT-0 (no signs of pneumonia) and CT-2 to CT-4 (moderate to critical), as in appendix A and
    B of Fontanella et al. 2023; CT-1 (mild) is left out.

    - `studies/CT-0/study_0001.nii.gz` and so on to `CT-4/`; `.nii` as well.
    - `masks/study_0255_mask.nii.gz`: opacities, of some studies.

    No patient has two studies. Parts are 70/10/20, each class spread over all three.

    Args:
        root: the folder that holds `studies/`.
        findings: the one finding, "Pneumonia".
        slices: of a volume, evenly through the lungs.
        mild: "left out" or "positive": what becomes of CT-1.
        seed: of the split.
        memory: of resized volumes.

    Attributes:
        attributes: ``severity``, "CT-0" to "CT-4".
        grey_range: HU that a network's range should span.

    Raises:
        UnusableCollection: no studies, or one that cannot be read.
        ValueError: another finding or choice, or a number out of range.
    """

    dimensions = 3
    grey_range = (-1000.0, 200.0)

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = FINDINGS,
        slices: int = 12,
        mild: str = "left out",
        seed: int = 42,
        memory: VolumeMemory | None = None,
    ) -> None:
        if tuple(findings) != FINDINGS:
            raise ValueError(f"mosmed is labelled for {FINDINGS[0]} only, got {', '.join(findings)}.")
        if mild not in MILD_CHOICES:
            raise ValueError(f"mild must be one of {', '.join(MILD_CHOICES)}, got {mild!r}.")
        if not 1 <= slices <= 100:
            raise ValueError(f"slices must be 1 to 100, got {slices}.")
        self.root, self.findings, self.slices = Path(root), FINDINGS, slices
        classes = (*WITHOUT, *(MILD if mild == "positive" else ()), *WITH)
        found = [
            (path, name, match[1])
            for name in classes
            for path in sorted((self.root / "studies" / name).glob("*.nii*"))
            if (match := re.fullmatch(r"(study_\d+)\.nii(?:\.gz)?", path.name))
        ]
        if not found:
            raise UnusableCollection(
                f"{root} holds no studies/CT-0/study_0001.nii.gz and the like; name the folder that holds studies/."
            )
        paths, severity, studies = zip(*found, strict=True)
        self.paths, self.patients = list(paths), np.array(studies, str)
        self.labels = np.array([[name not in WITHOUT] for name in severity], np.float32)
        self.attributes = {"severity": np.array(severity, str)}
        self._parts = {
            **dealt(self.patients, self.attributes["severity"], seed),
            "all": np.arange(len(self.paths)),
        }
        self._memory = memory or VolumeMemory()

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """(S, H, W) float32 in HU, from the feet up, rows to the back, columns to the patient's left."""

        def read() -> np.ndarray:
            volume = read_ct(self.paths[index])
            return evenly(volume[self._through_lungs(volume)], self.slices)

        return read() if size is None else self._memory.resized(index, size, read)

    def split(self, name: str) -> np.ndarray:
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return self._parts[name].copy()

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        """(S, size, size) bool, outlined opacities; None where there is no outline."""
        path = self._outline(index)
        if finding not in self.findings or path is None:
            return None
        volume, outline = read_ct(self.paths[index]), read_outline(path)
        if outline.shape != volume.shape:
            raise UnusableCollection(f"{path} is not of the size of its study; download it again.")
        slabs = evenly(outline[self._through_lungs(volume)].astype(np.float32), self.slices)
        return resized_slices(slabs, size) >= 0.5

    def annotated(self, finding: str) -> np.ndarray:
        if finding not in self.findings:
            return np.array([], int)
        return np.flatnonzero([self._outline(index) is not None for index in range(len(self))])

    def organ(self, index: int, size: int | None = None) -> np.ndarray:
        """The lungs, (S, size, size) or (S, H, W) bool."""
        lungs = np.stack([lungs_of(plane) for plane in self.image(index)]).astype(np.float32)
        return resized_slices(lungs, size) >= 0.5

    def _outline(self, index: int) -> Path | None:
        if not self.labels[index, 0]:
            return None
        names = [f"{self.patients[index]}_mask.nii{ending}" for ending in (".gz", "")]
        return next((self.root / "masks" / name for name in names if (self.root / "masks" / name).is_file()), None)

    @staticmethod
    def _through_lungs(volume: np.ndarray) -> slice:
        """The slices from the first with lungs to the last; all where none shows any."""
        small = [resized(plane, SIDE) if min(plane.shape) >= SIDE else plane for plane in volume]
        inside = np.flatnonzero(tenths_of([lungs_of(plane).sum() for plane in small]) >= 0)
        return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(None)
