"""BraTS 2017 and 2020 (Menze et al. 2015, Bakas et al. 2017): axial slices of brain MR volumes with
outlined gliomas.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.datasets.classified import at_size
from engine.datasets.collection import SPLITS, Collection, UnusableCollection, split_by_patient
from engine.datasets.pictures import PictureMemory
from engine.datasets.registry import register_collection

MODALITIES = ("flair", "t1", "t1ce", "t2")
ENDINGS = (".nii.gz", ".nii")
SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


@register_collection(
    "brats",
    title="brain MR volumes",
    kind="MR",
    terms="BraTS (Bakas et al. 2017), for research, with registration.",
)
class BraTS(Collection):
    """Slices that show the full brain, with or without tumour, of every patient in the folder.

    The CX-GAN paper takes "slices that contain the full brain", 3174 of 285 patients, and says no more. Here a slice
    counts when its brain covers at least `least_brain` of that in the same volume's largest slice, and every `every`-th
    of these is taken, so that there are about as many as in the paper. A slice is with tumour when any of its pixels is
    outlined. The paper splits slices 80/20; here whole patients are split 70/10/20. Opening reads two volumes of each
    patient, about half a second each.

    Args:
        root: folder with `HGG/` and `LGG/` (2017) or with the patients' folders (2020); in each
            `<patient>_flair.nii.gz` and so on (or `.nii`), and the outlines `<patient>_seg.nii.gz`.
        findings: the one finding, "Tumour"; there is no other.
        modality: "flair", "t1", "t1ce" or "t2".
        least_brain: 0 to 1.
        every: 1 takes all.
        seed: of the split.
        memory: of resized slices.

    Attributes:
        slices: (N,) int, the axial slice's number from below.
        attributes: ``grade`` ("HGG", "LGG", "" where the layout does not say).

    Raises:
        UnusableCollection: no patients, or a patient without the wanted volume or outlines.
        ValueError: an unknown modality or finding, or a number out of range.
    """

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = ("Tumour",),
        modality: str = "flair",
        least_brain: float = 0.9,
        every: int = 5,
        seed: int = 42,
        memory: PictureMemory | None = None,
    ) -> None:
        if tuple(findings) != ("Tumour",):
            raise ValueError(f"brats is labelled for Tumour only, got {', '.join(findings)}")
        if modality not in MODALITIES:
            raise ValueError(f"modality must be one of {', '.join(MODALITIES)}, got {modality!r}")
        least_brain = float(least_brain)  # a text when it was an option of the command line
        if not 0 < least_brain <= 1 or every < 1:
            raise ValueError(
                f"least_brain must lie above 0 and up to 1 and every be at least 1, got {least_brain} and {every}"
            )
        self.root, self.findings, self.modality = Path(root), ("Tumour",), modality
        self._folders = _patients_in(self.root)
        rows = []
        for patient, folder in self._folders.items():
            brain = (self._volume(patient, modality) > 0).sum(axis=(1, 2))
            tumour = np.asarray(self._volume(patient, "seg").any(axis=(1, 2)))
            if tumour.shape != brain.shape:
                raise UnusableCollection(f"{folder} holds a volume and outlines of different size.")
            full = np.flatnonzero((brain > 0) & (brain >= least_brain * brain.max()))[::every]
            grade = folder.parent.name if folder.parent.name in ("HGG", "LGG") else ""
            rows += [(patient, int(z), bool(tumour[z]), grade) for z in full]
        if not rows:
            raise UnusableCollection(f"The volumes below {self.root} are empty.")
        patients, slices, labels, grades = zip(*rows)
        self.patients, self.slices = np.array(patients, str), np.array(slices)
        self.labels = np.array(labels, np.float32)[:, None]
        self.attributes = {"grade": np.array(grades, str)}
        self._parts = {**split_by_patient(self.patients, SHARES, seed), "all": np.arange(len(rows))}
        self._memory = memory or PictureMemory()

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """Slice `index`, (H, W) float32 in the scanner's arbitrary units, nose up, the patient's right on the left."""

        def read() -> np.ndarray:
            return self._volume(str(self.patients[index]), self.modality)[self.slices[index]].astype(np.float32)

        return read() if size is None else self._memory.resized(index, size, read)

    def mask(self, index: int, finding: str, size: int | None) -> np.ndarray | None:
        """The whole tumour (core, oedema and enhancing part), (size, size) or (H, W) bool; None without one."""
        if finding != "Tumour":
            raise ValueError(f"brats is labelled for Tumour only, got {finding}")
        if not self.labels[index, 0]:
            return None
        return at_size(self._volume(str(self.patients[index]), "seg")[self.slices[index]] > 0, size)

    def annotated(self, finding: str) -> np.ndarray:
        """Indices of the slices with an outline: all with tumour."""
        return np.flatnonzero(self.labels[:, 0]) if finding == "Tumour" else np.array([], int)

    def body(self, index: int, size: int | None = None) -> np.ndarray:
        """Where the brain is (skull and skin were taken off by the publishers), (size, size) or (H, W) bool."""
        return at_size(self.image(index) > 0, size)

    def split(self, name: str) -> np.ndarray:
        """70 % train, 10 % validation, 20 % test of the patients."""
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return self._parts[name].copy()

    def _volume(self, patient: str, what: str) -> np.ndarray:
        return _read_volume(_volume_in(self._folders[patient], patient, what))


def _patients_in(root: Path) -> dict[str, Path]:
    """Patient to folder; the patient's name is the folder's."""
    if not root.is_dir():
        raise UnusableCollection(
            f"{root} is not a folder; name the BraTS folder that holds HGG/ and LGG/ or the patients."
        )
    parents = [root / grade for grade in ("HGG", "LGG") if (root / grade).is_dir()] or [root]
    folders = {path.name: path for parent in parents for path in sorted(parent.iterdir()) if path.is_dir()}
    folders = {name: path for name, path in folders.items() if any(path.glob(f"{name}_*.nii*"))}
    if not folders:
        raise UnusableCollection(f"{root} holds no patients: no folder NAME with files NAME_flair.nii.gz and so on.")
    return folders


def _volume_in(folder: Path, patient: str, what: str) -> Path:
    for ending in ENDINGS:
        if (path := folder / f"{patient}_{what}{ending}").is_file():
            return path
    if what == "seg":  # patient 355 of 2020 was published with outlines of another name
        for path in sorted(folder.glob("*.nii*")):
            if "segm" in path.name.lower():
                return path
    raise UnusableCollection(f"{folder} has no {patient}_{what}.nii.gz.")


@lru_cache(maxsize=4)
def _read_volume(path: Path) -> np.ndarray:
    """(S, H, W) from below upwards, each slice nose up with the patient's right on the left; read-only."""
    import nibabel  # only loaded by those who need it
    from nibabel.filebasedimages import ImageFileError

    try:
        turned = nibabel.as_closest_canonical(nibabel.load(path))  # axes to the right, front and top
        volume = np.asarray(turned.dataobj)
    except (ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise UnusableCollection(f"{path} cannot be read as a NIfTI volume ({error}); download it again.") from error
    if volume.ndim != 3:
        raise UnusableCollection(f"{path} must hold one volume, got an array of shape {volume.shape}.")
    volume = volume[::-1, ::-1].transpose(2, 1, 0)  # columns run to the patient's left, rows to the back
    volume.flags.writeable = False
    return volume
