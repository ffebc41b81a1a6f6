"""Chest films with and without tuberculosis, from the four collections of the CX-GAN paper (section 4.2.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.datasets.classified import at_size, listed
from engine.datasets.collection import SPLITS, Collection, UnusableCollection
from engine.datasets.crop import CROPS
from engine.datasets.look_alikes import dealt
from engine.datasets.pictures import PictureMemory, read_grey
from engine.datasets.registry import register_collection

PICTURES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")
SHOWN = ("inside", "whole")  # of `CROPS`


@dataclass(frozen=True)
class Film:
    """One film as its collection lists it: path below the root, source, patient, tuberculosis or not, sex and age (""
    unknown).
    """

    path: Path
    source: str
    patient: str
    ill: bool
    sex: str = ""
    age: str = ""


@register_collection(
    "tuberculosis",
    title="films with and without tuberculosis",
    kind="radiograph",
    terms="Shenzhen and Montgomery (Jaeger et al. 2014, free with attribution), Belarus TB portal and KIT, "
    "each under its own terms.",
)
class Tuberculosis(Collection):
    """The films of those of the four collections that are in the folder.

    - `ChinaSet_AllFiles/CXR_png/CHNCXR_0001_0.png` (Shenzhen, 662) and `MontgomerySet/CXR_png/MCUCXR_0001_0.png` (138):
      the last digit is 1 with tuberculosis; `ClinicalReadings/<name>.txt` beside it gives sex and age. Public, Jaeger
      et al. 2014.
    - `Belarus/`: any PNG, JPEG or DICOM files in it or below, all with tuberculosis (304 in the paper).
    - `KIT/normal/` and `KIT/tuberculosis/`: DICOM or pictures (Korean Institute of Tuberculosis, 10848). Not public;
      this layout is ours.

    Of Shenzhen, `ChinaSet_AllFiles/lesions/CHNCXR_0327_1*.png`, one or more a film, are read as masks of what is ill;
    lung masks, which some copies carry under similar names, do not belong there. The sources differ in machines and
    grey; a set of which one source is all ill (Belarus) invites to recognise the source, so `sources` chooses.

    Borders are cut off as in the paper, by a crop that a checkpoint keeps, so that an uploaded scan loses the same. The
    paper's z-score of each picture is left out: `Preprocessing` maps each picture's own percentiles to the network's
    range, which undoes any shift and scale before it. No patient has two films as far as is known; parts are 70/10/20,
    each source and class spread over all three.

    Args:
        root: folder with any of `ChinaSet_AllFiles/`, `MontgomerySet/`, `Belarus/`, `KIT/`.
        findings: the one finding, "Tuberculosis"; there is no other.
        sources: of "shenzhen", "montgomery", "belarus", "kit", a sequence or one text with commas; all that are there
            when empty.
        crop: "inside", without the outer 3 % at each edge, or "whole".
        seed: of the split.
        memory: of resized pictures.

    Attributes:
        films: the N `Film`.
        crop: the crop's name.
        attributes: ``source``, ``sex`` ("F", "M"), ``age`` in whole years as text; "" where unknown.

    Raises:
        UnusableCollection: none of the folders is there, or they are empty.
        ValueError: an unknown source, finding or crop.
    """

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = ("Tuberculosis",),
        sources: Sequence[str] | str = (),
        crop: str = "inside",
        seed: int = 42,
        memory: PictureMemory | None = None,
    ) -> None:
        if tuple(findings) != ("Tuberculosis",):
            raise ValueError(f"tuberculosis is labelled for Tuberculosis only, got {', '.join(findings)}")
        chosen = listed(sources)
        if unknown := [name for name in chosen if name not in READERS]:
            raise ValueError(f"sources must be of {', '.join(READERS)}, got {', '.join(unknown)}")
        if crop not in SHOWN:
            raise ValueError(f"crop must be one of {', '.join(SHOWN)}, got {crop!r}")
        self.root, self.findings, self.crop = Path(root), ("Tuberculosis",), crop
        self.films = [film for name in chosen or READERS for film in READERS[name](self.root)]
        if not self.films:
            wanted = ", ".join(FOLDERS[name] for name in chosen or READERS)
            raise UnusableCollection(f"{root} holds no films in {wanted}; name the folder that holds these.")
        self.labels = np.array([[film.ill] for film in self.films], np.float32)
        self.patients = np.array([film.patient for film in self.films], str)
        self.attributes = {
            name: np.array([getattr(film, name) for film in self.films], str) for name in ("source", "sex", "age")
        }
        kinds = np.array([f"{film.source} {film.ill}" for film in self.films], str)
        self._parts = {**dealt(self.patients, kinds, seed), "all": np.arange(len(self.films))}
        self._memory = memory or PictureMemory()
        lesions = self.root / FOLDERS["shenzhen"] / "lesions"
        self._lesions: dict[str, list[Path]] = {}
        for path in sorted(lesions.glob("CHNCXR_*.png")):
            self._lesions.setdefault("_".join(path.stem.split("_")[:2]), []).append(path)  # CHNCXR_0327

    def scan_pixels(self, index: int) -> np.ndarray:
        """The whole film as it lies in the file, (H, W) float32, bright = dense."""
        return _read(self.films[index].path)

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """Film `index` cropped as `crop` says, (H, W) float32, bright = dense; (size, size) when `size` is given."""

        def read() -> np.ndarray:
            pixels = self.scan_pixels(index)
            return CROPS[self.crop](pixels).cut(pixels)

        return read() if size is None else self._memory.resized(index, size, read)

    def mask(self, index: int, finding: str, size: int | None) -> np.ndarray | None:
        """The union of the lesion masks, (size, size) or (H, W) bool; None where there is none."""
        regions = self.regions(index, finding, size)
        return np.any(regions, axis=0) if regions else None

    def regions(self, index: int, finding: str, size: int | None) -> list[np.ndarray]:
        """One (size, size) bool for each lesion mask that has a pixel on the cropped film."""
        if finding != "Tuberculosis":
            raise ValueError(f"tuberculosis is labelled for Tuberculosis only, got {finding}")
        masks = [read_grey(path) > 0 for path in self._lesions.get(self.films[index].patient, [])]
        drawn = [CROPS[self.crop](mask).cut_mask(mask) for mask in masks]
        return [at_size(outline, size) for outline in drawn if outline.any()]

    def annotated(self, finding: str) -> np.ndarray:
        """Indices of the films with lesion masks."""
        has = [film.patient in self._lesions for film in self.films]
        return np.flatnonzero(has) if finding == "Tuberculosis" else np.array([], int)

    def split(self, name: str) -> np.ndarray:
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return self._parts[name].copy()


def _named(root: Path, source: str) -> Iterator[Film]:
    """Shenzhen and Montgomery: CHNCXR_0001_0.png, with a reading beside it."""
    folder = root / FOLDERS[source]
    for path in sorted((folder / "CXR_png").glob("*.png")):
        if match := re.fullmatch(r"((?:CHN|MCU)CXR_\d+)_([01])", path.stem):
            sex, age = _reading(folder / "ClinicalReadings" / f"{path.stem}.txt")
            yield Film(path, source, match[1], match[2] == "1", sex, age)


def _reading(path: Path) -> tuple[str, str]:
    """Sex and age from "male 45yrs" or "Patient's Sex: F", "Patient's Age: 027Y"; "" where not said."""
    if not path.is_file():
        return "", ""
    text = path.read_text(encoding="utf-8", errors="replace").lower()
    sex = re.search(r"\b(female|male)\b|sex:\s*([fm])\b", text)
    age = re.search(r"age:\s*0*(\d+)\s*y|\b0*(\d+)\s*y(?:rs?|ears?)?\b", text)
    return (sex[1] or sex[2])[0].upper() if sex else "", (age[1] or age[2]) if age else ""


def _belarus(root: Path) -> Iterator[Film]:
    yield from _unnamed(root / FOLDERS["belarus"], "belarus", True)


def _kit(root: Path) -> Iterator[Film]:
    for name, ill in (("normal", False), ("tuberculosis", True)):
        yield from _unnamed(root / FOLDERS["kit"] / name, "kit", ill, f"{name}-")


def _unnamed(folder: Path, source: str, ill: bool, prefix: str = "") -> Iterator[Film]:
    """Belarus and KIT: every picture in the folder or below, told apart by where it lies."""
    for path in _pictures_below(folder):
        yield Film(path, source, f"{source}-{prefix}{path.relative_to(folder).with_suffix('').as_posix()}", ill)


def _pictures_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)


def _read(path: Path) -> np.ndarray:
    """(H, W) float32, bright = dense."""
    if path.suffix.lower() not in (".dcm", ".dicom"):
        return read_grey(path)
    from engine.scan import UnreadableScan, read_scan  # DICOM decoders are only loaded by those who need them

    try:
        pixels = read_scan(path.read_bytes()).pixels
    except UnreadableScan as error:
        raise UnusableCollection(f"{path}: {error}") from error
    if pixels.ndim != 2:
        raise UnusableCollection(f"{path} must hold one picture, got {len(pixels)} slices.")
    return pixels


FOLDERS = {"shenzhen": "ChinaSet_AllFiles", "montgomery": "MontgomerySet", "belarus": "Belarus", "kit": "KIT"}
READERS = {
    "shenzhen": lambda root: _named(root, "shenzhen"),
    "montgomery": lambda root: _named(root, "montgomery"),
    "belarus": _belarus,
    "kit": _kit,
}
