"""Where a model should look for a finding: experts' annotations where there are some, pseudo masks made of them
elsewhere.

Section 3.5 and Appendix C of Sun et al. 2025.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from engine.datasets.body import body_mask
from engine.datasets.collection import Collection

STRATEGIES = ("none", "full", "pseudo", "mixed")
PSEUDO_FORMS = ("binary", "weighted", "bounding")
LOOSE_SQUARE = 300 / 320  # section 4.1.2: a 300 x 300 square on 320 x 320 pictures
TRAINING_SHARE = 0.4  # section 4.1.2: 40 % of the annotated pictures for masks, 60 % for evaluation
OVERSAMPLED = 1 / 10  # section 3.5.2: how often training should draw an annotated picture
MOST_PICTURES = 76  # Table 1: the most pictures that any pseudo mask of the paper was made of


def union(masks: Sequence[np.ndarray]) -> np.ndarray:
    """The binary pseudo mask: (size, size) float32, 1 where any of `masks` (each (size, size) bool) is set."""
    return np.any(masks, axis=0).astype(np.float32)


def coverage(masks: Sequence[np.ndarray]) -> np.ndarray:
    """The weighted pseudo mask: (size, size) float32 in 0 to 1, the share of `masks` that cover each pixel."""
    return np.asarray(masks).mean(axis=0, dtype=np.float32)


def bounding(masks: Sequence[np.ndarray]) -> np.ndarray:
    """The pseudo bounding box: (size, size) float32, 1 in the smallest rectangle that holds every mask."""
    covered = np.any(masks, axis=0)
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    box = np.zeros(covered.shape, np.float32)
    if len(rows):
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 1
    return box


def central_square(size: int) -> np.ndarray:
    """The loose guidance for findings that nobody annotated: (size, size) float32, 1 in the central square."""
    margin = round((1 - LOOSE_SQUARE) / 2 * size)
    square = np.zeros((size, size), np.float32)
    square[margin : size - margin, margin : size - margin] = 1
    return square


class Guidance:
    """Guidance masks for training on one collection.

    Of the patients with any annotation a seeded 40 % are for masks and training, the others for evaluation; patients of
    validation and test are always for evaluation, so no mask that training sees holds anything of theirs. Boxes that a
    collection knows of pictures it does not hold (`boxes_elsewhere()`) may be used for pseudo masks unless their
    patient is in validation, in test or among those for evaluation.

    CheXpert's annotations all lie in validation and test (its `guidance_part` says "validation"): there, as in the
    paper, pseudo masks are made of validation's, test's are for evaluation, and no training picture has its own.

    Args:
        collection: its `mask` and `regions` are the annotations.
        strategy: "none": no guidance. "full": the picture's own annotation, whatever training picture. "pseudo": one
            mask a finding for every picture. "mixed": the own annotation for training's 40 %, else the pseudo mask.
        form: of the pseudo mask, one of `PSEUDO_FORMS`; "binary" is the paper's choice.
        seed: of the 40/60 split and of which pictures a pseudo mask is made of.
        training_share: share of the annotated patients for masks and training.
        most_pictures: a pseudo mask is made of at most so many pictures, the collection's own first.

    Attributes:
        training_patients: those whose annotations may be used in training.
        borrowed: boxes of pictures that the collection does not hold, free for pseudo masks.
        name: strategy and form, by which a run that goes on knows whether it is guided as it began.
    """

    def __init__(
        self,
        collection: Collection,
        strategy: str = "mixed",
        form: str = "binary",
        seed: int = 42,
        training_share: float = TRAINING_SHARE,
        most_pictures: int = MOST_PICTURES,
    ) -> None:
        if strategy not in STRATEGIES:
            raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, got {strategy!r}")
        if form not in PSEUDO_FORMS:
            raise ValueError(f"form must be one of {', '.join(PSEUDO_FORMS)}, got {form!r}")
        self.collection, self.strategy, self.form = collection, strategy, form
        self.name = f"{strategy}, {form}" if strategy in ("pseudo", "mixed") else strategy
        self.most_pictures, self._seed = most_pictures, seed
        self._train = collection.split("train")
        self._annotated = {finding: collection.annotated(finding) for finding in collection.findings}
        patients = np.asarray(collection.patients)
        held_out = {*patients[collection.split("validation")].tolist(), *patients[collection.split("test")].tolist()}
        everyone = np.unique(patients[np.concatenate([*self._annotated.values(), np.empty(0, int)])])
        order = np.random.default_rng(seed).permutation(everyone).tolist()
        if collection.guidance_part == "validation":
            chosen = set(order) & set(patients[collection.split("validation")].tolist())
        else:
            chosen = [patient for patient in order if patient not in held_out][: round(training_share * len(order))]
        self.training_patients = frozenset(chosen)
        self._kept_apart = (held_out | set(order)) - self.training_patients
        self.borrowed = [box for box in collection.boxes_elsewhere() if box.patient not in self._kept_apart]
        self._own = {finding: frozenset(self.annotated(finding).tolist()) for finding in collection.findings}
        self._pseudo: dict[tuple[str, int], np.ndarray] = {}

    def annotated(self, finding: str) -> np.ndarray:
        """Indices of the training pictures whose annotation of `finding` may be used: draw these
        `OVERSAMPLED` of the time.
        """
        if self.strategy in ("none", "pseudo"):
            return np.empty(0, int)
        usable = np.intersect1d(self._annotated[finding], self._train)
        return usable if self.strategy == "full" else self._of_training_patients(usable)

    def evaluation(self, finding: str) -> np.ndarray:
        """Indices of the pictures whose annotation of `finding` no training mask was made of."""
        indices = self._annotated[finding]
        if self.strategy == "full":
            return np.setdiff1d(indices, self._train)
        return np.setdiff1d(indices, self._of_training_patients(indices))

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        """Where training picture `index` should show `finding`.

        Returns:
            (size, size) float32 in 0 to 1, or None when nothing is known: always under "none", and under "full" where
            nobody annotated the picture.
        """
        if int(index) in self._own[finding]:
            mask = self.collection.mask(index, finding, size)
            return None if mask is None else mask.astype(np.float32)
        return self.pseudo(finding, size) if self.strategy in ("pseudo", "mixed") else None

    def pseudo(self, finding: str, size: int) -> np.ndarray:
        """The pseudo mask of `finding`: (size, size) float32 in 0 to 1; `central_square` when there is no
        annotation.
        """
        if (finding, size) not in self._pseudo:
            masks = self._masks(finding, size)
            combine = {"binary": union, "weighted": coverage, "bounding": bounding}[self.form]
            self._pseudo[finding, size] = combine(masks) if masks else central_square(size)
        return self._pseudo[finding, size].copy()

    def _masks(self, finding: str, size: int) -> list[np.ndarray]:
        draw = np.random.default_rng(self._seed)
        own = draw.permutation(self._of_training_patients(self._annotated[finding]))[: self.most_pictures]
        masks = [region for index in own for region in self.collection.regions(int(index), finding, size)]
        pictures = sorted({box.picture for box in self.borrowed if box.finding == finding})
        chosen = set(draw.permutation(pictures)[: self.most_pictures - len(own)].tolist())
        return masks + [box.mask(size) for box in self.borrowed if box.finding == finding and box.picture in chosen]

    def _of_training_patients(self, indices: np.ndarray) -> np.ndarray:
        return indices[[self.collection.patients[index] in self.training_patients for index in indices]].astype(int)


class OnBody:
    """Guidance that also leaves out what is not the patient: borders, collimation, markers and text (see `body_mask`).

    Args:
        guidance: what it narrows; where that knows nothing, the whole body is allowed.
        detail: side of the picture that the body is sought on.
    """

    def __init__(self, guidance: Guidance, detail: int = 192) -> None:
        self.guidance, self.collection, self.detail = guidance, guidance.collection, detail
        self.name = f"{guidance.name}, on the body"
        self._bodies: dict[tuple[int, int], np.ndarray] = {}

    def annotated(self, finding: str) -> np.ndarray:
        return self.guidance.annotated(finding)

    def mask(self, index: int, finding: str, size: int) -> np.ndarray:
        """(size, size) float32 in 0 to 1."""
        key = int(index), size
        if key not in self._bodies:
            body = body_mask(self.collection.image(int(index), self.detail)).astype(np.uint8)
            self._bodies[key] = cv2.resize(body, (size, size), interpolation=cv2.INTER_AREA)
        mask = self.guidance.mask(index, finding, size)
        body = self._bodies[key].astype(np.float32)
        return body if mask is None else mask * body


class Elsewhere:
    """Guidance away from a known shortcut: everywhere but in one region (Fig. 9 c of Sun et al. 2025), for every
    finding.

    Args:
        region: (H, W) bool, where the shortcut lies.
        margin: by which the region is widened, as a share of the width.
    """

    name = "elsewhere"

    def __init__(self, region: np.ndarray, margin: float = 0.03) -> None:
        radius_px = max(1, round(margin * region.shape[1]))
        self._region = cv2.dilate(region.astype(np.uint8), np.ones((2 * radius_px + 1, 2 * radius_px + 1), np.uint8))

    def annotated(self, finding: str) -> np.ndarray:
        return np.empty(0, int)

    def mask(self, index: int, finding: str, size: int) -> np.ndarray:
        """(size, size) float32: 1 elsewhere, 0 in the region."""
        return 1 - cv2.resize(self._region, (size, size), interpolation=cv2.INTER_NEAREST).astype(np.float32)
