"""Lesions put into real films without findings: labelled radiographs whose true counterfactual, the film itself, is
known.

The films, and the parts they are dealt into, are those of ChestX-ray8: a patient whose film is tested on there is not
trained on here. How a lesion changes a film stands in `engine.datasets.implant_lesions`; where experts saw each
finding, in the 984 published boxes where torchxrayvision is installed, else in their published quartiles.

What is simplified: lesions are drawn, not grown; they know the lungs of a film only as far as these stand out from it;
a heart enlarges by a stretch of the whole film about it; findings are drawn independently, but for the air-space
family, of which a film has one at most.
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.datasets.boxes import Box
from engine.datasets.chestxray8 import KNOWN_FINDINGS, PAPER_FINDINGS, ChestXray8
from engine.datasets.collection import SPLITS, Collection, UnusableCollection
from engine.datasets.implant_lesions import AIRSPACE, LESIONS, Lesion, Place, film_with, make
from engine.datasets.lung_fields import LungFields, lung_fields
from engine.datasets.pictures import PictureMemory
from engine.datasets.registry import register_collection

SHARE = 0.3  # of the films of each finding
BLANK = 0.15  # of the films without any
CHANGED = 0.15  # of the largest change: what a mask of a lesion holds
MOST_COPIES = 10_000
FEWEST_BOXES = 50  # of which places can be drawn
# Of the published boxes, in shares of the picture: 10th, 50th and 90th percentile of middle x, middle y, width and
# height.
PUBLISHED = {
    "Atelectasis": ((0.25, 0.50, 0.78), (0.43, 0.57, 0.71), (0.10, 0.17, 0.32), (0.06, 0.11, 0.22)),
    "Cardiomegaly": ((0.52, 0.57, 0.63), (0.49, 0.57, 0.65), (0.40, 0.47, 0.53), (0.30, 0.37, 0.44)),
    "Effusion": ((0.17, 0.38, 0.82), (0.42, 0.56, 0.71), (0.10, 0.20, 0.31), (0.09, 0.27, 0.59)),
    "Infiltration": ((0.29, 0.56, 0.74), (0.38, 0.52, 0.67), (0.16, 0.22, 0.65), (0.15, 0.26, 0.48)),
    "Mass": ((0.26, 0.44, 0.78), (0.31, 0.45, 0.60), (0.07, 0.12, 0.31), (0.08, 0.14, 0.36)),
    "Nodule": ((0.22, 0.63, 0.81), (0.29, 0.47, 0.70), (0.05, 0.07, 0.10), (0.04, 0.07, 0.10)),
    "Pneumonia": ((0.27, 0.52, 0.72), (0.42, 0.56, 0.69), (0.16, 0.22, 0.57), (0.16, 0.27, 0.50)),
}
BOXES_OF = {"Consolidation": "Pneumonia", "Edema": "Infiltration"}  # findings that nobody boxed


@register_collection(
    "implants",
    title="films with lesions put into them",
    kind="radiograph",
    terms="Lesions drawn by `engine/datasets/implants.py` into films of NIH ChestX-ray8/14 (Wang et al. 2017), "
    "free to use with attribution to the NIH Clinical Center.",
    pairs_of=LESIONS,
    made_of="chestxray8",
)
class Implants(Collection):
    """`copies` patients made of every film without findings on which both lungs are found.

    Args:
        root: folder of ChestX-ray8 in its public layout.
        findings: any of `LESIONS`; a copy has each with the same chance whatever others are asked for.
        seed: of the lesions; the parts are those of `split_seed`.
        copies: how often each film is used, with other lesions each time.
        split_seed: as the seed of `ChestXray8`.

    Attributes:
        attributes: those of the films.
        pictures: (N,) file name of the film and number of the copy.

    Raises:
        UnusableCollection: as ChestXray8, or no film without findings whose lungs are found.
        ValueError: a finding that cannot be put into a film.
    """

    family = AIRSPACE
    has_counterfactuals = True

    def __init__(
        self,
        root: str | Path,
        findings: Sequence[str] = PAPER_FINDINGS,
        seed: int = 1,
        copies: int = 3,
        split_seed: int = 42,
        memory: PictureMemory | None = None,
    ) -> None:
        unknown = [finding for finding in findings if finding not in LESIONS]
        if unknown or not findings:
            raise ValueError(
                f"no film can be given {', '.join(unknown) or 'no finding'}; there are {', '.join(LESIONS)}."
            )
        if not 1 <= copies <= MOST_COPIES:
            raise ValueError(f"copies must be at least 1 and at most {MOST_COPIES}, got {copies}.")
        self.findings, self.seed, self.copies = tuple(findings), seed, copies
        self._whole = ChestXray8(root, KNOWN_FINDINGS, split_seed, memory=memory)
        self._said = _said_normal(self._whole)
        self._lungs: dict[int, LungFields | None] = {}
        self._films = np.array([film for film in self._said if self.lungs_of_film(int(film)) is not None], int)
        if not len(self._films):
            raise UnusableCollection(f"{root} holds no film without findings on which both lungs stand out.")
        film = np.tile(self._films, copies)
        self._film = film
        self.patients = self._whole.patients[film]
        self.attributes = {name: values[film] for name, values in self._whole.attributes.items()}
        self.pictures = np.array([f"{self._whole.pictures[f]}#{i // len(self._films)}" for i, f in enumerate(film)])
        self.labels = np.stack([self._drawn_labels(i) for i in range(len(film))])
        self._places = {finding: _places(self._whole, finding) for finding in self.findings}

    def lungs_of_film(self, film: int) -> LungFields | None:
        """Of film `film` of ChestX-ray8, None where they do not stand out."""
        if film not in self._lungs:
            self._lungs[film] = lung_fields(self._whole.image(film, 256))
        return self._lungs[film]

    def _lungs_on(self, film: int) -> LungFields:
        """Of one of the films that are given findings: both lungs stand out on it."""
        lungs = self.lungs_of_film(film)
        if lungs is None:
            raise ValueError(f"both lungs do not stand out on film {film}")
        return lungs

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        """(size, size) float32, in the film's units; see `Collection.image`."""
        return self.counterfactual(index, size)

    def counterfactual(
        self, index: int, size: int | None = None, *, without: Names[str] = (), with_: Names[str] = ()
    ) -> np.ndarray:
        """The same patient's film without (or with) some findings, everything else as it is; (size, size) float32.

        Args:
            without: findings to take away; taking away all of them gives the real film.
            with_: findings to add, as and where this patient would have had them.
        """
        for names in (without, with_):
            unknown = [name for name in names if name not in LESIONS]
            if isinstance(names, str) or unknown:
                raise ValueError(f"findings must be a collection of names out of {', '.join(LESIONS)}; got {names!r}")
        if both := set(without) & set(with_):
            raise ValueError(f"cannot both add and take away {', '.join(sorted(both))}")
        present = [f for f, has in zip(self.findings, self.labels[index]) if (has or f in with_) and f not in without]
        present += [f for f in with_ if f not in self.findings]
        film = int(self._film[index])
        picture = self._whole.image(film, size)
        lesions = [lesion for finding in sorted(present) for lesion in self.lesions(index, finding)]
        return film_with(picture, self._lungs_on(film), lesions)

    def lesions(self, index: int, finding: str) -> list[Lesion]:
        """What `finding` is in patient `index`, whether the film has it or not."""
        random = self._random(index, 1 + LESIONS.index(finding))
        places = self._places.get(finding) or _places(self._whole, finding)

        def place() -> Place:
            return places[int(random.integers(len(places)))]

        supine = str(self.attributes["view_position"][index]) == "AP"
        return make(finding, random, self._lungs_on(int(self._film[index])), place, supine)

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        """Where the film differs from the one without `finding`, (size, size) bool; None for a film without it."""
        if finding not in self.findings or self.labels[index, self.findings.index(finding)] != 1:
            return None
        change = np.abs(self.image(index, size) - self.counterfactual(index, size, without=(finding,)))
        return change > max(CHANGED * float(change.max()), 1e-3)

    def annotated(self, finding: str) -> np.ndarray:
        """Indices of the films with `finding`: all of them are known."""
        return np.flatnonzero(self.labels[:, self.findings.index(finding)] == 1)

    def split(self, name: str) -> np.ndarray:
        if name not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {name!r}")
        return np.flatnonzero(np.isin(self._film, self._whole.split(name)))

    def _drawn_labels(self, index: int) -> np.ndarray:
        draw = self._random(index, 0)
        chance = draw.random(len(LESIONS))
        airspace = AIRSPACE[int(draw.integers(len(AIRSPACE)))]  # of the family, at most one
        blank = draw.random() < BLANK
        family = [finding for finding in self.findings if finding in AIRSPACE]
        if family:
            airspace = family[int(draw.integers(len(family)))]
        air = chance[0] < min(SHARE * len(family), 0.7)
        here = [
            not blank
            and (air and finding == airspace if finding in AIRSPACE else chance[LESIONS.index(finding)] < SHARE)
            for finding in self.findings
        ]
        return np.array(here, np.float32)

    def _random(self, index: int, topic: int) -> np.random.Generator:
        film, copy = int(self._film[index]), index // len(self._films)
        return _philox(self.seed, str(self._whole.pictures[film]), copy, topic)


def _philox(seed: int, picture: str, copy: int, topic: int) -> np.random.Generator:
    """The noise of one topic of one copy of one film, whatever else is drawn and whichever other films there are."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, copy, topic, *picture.encode()])))


def _said_normal(films: ChestXray8) -> np.ndarray:
    """Indices of the films that carry none of the known findings."""
    return np.flatnonzero(~films.labels.astype(bool).any(axis=1))


def _places(films: ChestXray8, finding: str) -> list[Place]:
    """Boxes of `finding` on patients whose films are not here, or at least not in validation or test; else a thousand
    of the published shape.
    """
    named = BOXES_OF.get(finding, finding)
    held = {*films.patients[films.split("test")].tolist(), *films.patients[films.split("validation")].tolist()}
    boxes: list[Box] = []
    for apart in ({*films.patients.tolist()}, held):
        boxes = (
            boxes
            if len(boxes) >= FEWEST_BOXES
            else [b for b in films.all_boxes() if b.finding == named and b.patient not in apart]
        )
    if len(boxes) >= FEWEST_BOXES:
        return [
            Place((b.left + b.right) / 2, (b.top + b.bottom) / 2, b.right - b.left, b.bottom - b.top) for b in boxes
        ]
    return list(_published(named))


@lru_cache(maxsize=16)
def _published(finding: str) -> tuple[Place, ...]:
    draw = np.random.default_rng(len(finding))
    ends = [np.interp(draw.random(1000), (0.0, 0.1, 0.5, 0.9, 1.0), (q[0], *q, q[2])) for q in PUBLISHED[finding]]
    return tuple(Place(*map(float, values)) for values in zip(*ends))
