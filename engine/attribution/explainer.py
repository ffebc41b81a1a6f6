"""One interface over whatever explains a picture: a model of a registered method, a classifier with a rival's map, or a
map drawn at random.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np

from engine.checkpoints.format import Checkpoint
from engine.datasets.collection import Collection
from engine.metrics.measure import NotMeasurable
from engine.ood import TENSORS
from engine.preprocessing import Preprocessing, enlarged
from engine.registry import Model, methods
from engine.scan import Scan

RANDOM = "random map"
GRAIN = 0.03  # of the side: standard deviation of the smooth noise that a random map is


@dataclass(frozen=True)
class Explained:
    """What explains n pictures for one finding.

    Attributes:
        maps: (n, s, s) float32; large where something speaks for the finding. A map of changes has no sign here.
        counterfactuals: (n, s, s) float32 in the unit of the pictures; None without any.
    """

    maps: np.ndarray
    counterfactuals: np.ndarray | None


class Explainer(ABC):
    """Predicts and explains square pictures (n, s, s) float32 of one unit, `pictures` of a collection or changed ones.

    Attributes:
        name: for rows of a table.
        findings, thresholds: (C,) what is predicted, and the operating points.
        side: s.
        span: greatest minus least value that a picture can take.
        counterfactuals: whether it makes them.
        adds: whether it can also put a finding in.
    """

    name: str
    findings: Sequence[str]
    thresholds: np.ndarray
    side: int
    span: float
    counterfactuals: bool
    adds: bool = False

    @abstractmethod
    def pictures(self, collection: Collection, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """The pictures at `indices` as they are explained, (n, s, s) float32."""

    @abstractmethod
    def truth(self, collection: Collection, indices: Sequence[int] | np.ndarray, finding: str) -> np.ndarray:
        """Their true counterfactuals without `finding`, in the same unit, (n, s, s) float32."""

    @abstractmethod
    def predict(self, pictures: np.ndarray) -> np.ndarray:
        """Probabilities (n, C) float32."""

    @abstractmethod
    def explain(self, pictures: np.ndarray, c: int, present: bool = False) -> Explained:
        """Maps for finding `c`, and the pictures without it, or with it where `present` is asked for.

        Raises:
            NotMeasurable: it takes findings away only.
        """

    @abstractmethod
    def randomised(self, seed: int) -> Explainer:
        """The same with weights that know nothing: those of every tensor shuffled.

        Raises:
            NotMeasurable: it has no weights to shuffle.
        """


class PreparedPictures(Explainer):
    """An explainer whose pictures are what `preparation` makes of a collection's."""

    preparation: Preprocessing

    def pictures(self, collection: Collection, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        return np.stack([self.preparation.apply(collection.image(int(i), self.side)) for i in indices])

    def truth(self, collection: Collection, indices: Sequence[int] | np.ndarray, finding: str) -> np.ndarray:
        return np.stack(
            [
                self.preparation.apply(
                    collection.counterfactual(int(i), self.side, without=(finding,)),
                    like=collection.image(int(i), self.side),
                )
                for i in indices
            ]
        )


class ModelExplainer(PreparedPictures):
    """A model of any registered method of pictures, asked through `Model` alone.

    Its pictures are those that its network sees. They are handed back to it as scans, whose greys it would not change
    again: an unchanged picture is explained as the scan that it was made from is.

    Raises:
        NotMeasurable: a model of volumes.
    """

    def __init__(self, model: Model):
        entry = methods()[model.checkpoint.method]
        if entry.dimensions != 2:
            raise NotMeasurable(f"{model.checkpoint.name} explains volumes; these measures are of pictures.")
        preparation = getattr(model, "preprocessing", None)
        if not isinstance(preparation, Preprocessing):
            raise NotMeasurable(f"{model.checkpoint.name} does not say how it prepares a picture.")
        self.model, self.preparation, self.counterfactuals = model, preparation, entry.counterfactuals
        self.name, self.findings, self.thresholds = model.checkpoint.name, list(model.findings), model.thresholds
        self.side, self.span, self.kind = preparation.size, 2 * preparation.value_range, model.kind

    def predict(self, pictures: np.ndarray) -> np.ndarray:
        return self.model.predict_prepared(np.clip(pictures, -1, 1).astype(np.float32))

    def explain(self, pictures: np.ndarray, c: int, present: bool = False) -> Explained:
        if present:
            raise NotMeasurable(f"{self.name} takes findings away and puts none in")
        maps, changed = np.empty_like(pictures), np.empty_like(pictures)
        low, high = self.preparation.fixed or (-self.span / 2, self.span / 2)
        unit = (high - low) / self.span
        for n, picture in enumerate(pictures):
            pixels = ((picture + self.span / 2) * unit + low).astype(np.float32)
            (record,) = self.model.explain(Scan.of(pixels, kind=self.kind), [self.findings[c]])
            evidence = np.abs(record.evidence) if record.both_signs else record.evidence
            maps[n] = enlarged(evidence, pixels.shape)
            if record.counterfactual is not None:
                changed[n] = picture + (record.counterfactual - pixels) / unit
        return Explained(maps, np.clip(changed, -1, 1) if self.counterfactuals else None)

    def randomised(self, seed: int) -> ModelExplainer:
        given = {f.name: getattr(self.model.checkpoint, f.name) for f in fields(Checkpoint)}
        ignorant = ShuffledCheckpoint(**given, seed=seed)
        ignorant.arrays()  # says that there are none, before a method would say that they are not whole
        device = str(getattr(self.model, "device", "cpu"))
        return ModelExplainer(methods()[ignorant.method].open(ignorant, device))


@dataclass(frozen=True)
class ShuffledCheckpoint(Checkpoint):
    """A checkpoint with the numbers of every tensor of its network in another order: the same sizes and distribution,
    and nothing of what was learned.

    Attributes:
        seed: of the order.
    """

    seed: int = 0

    def arrays(self) -> dict[str, np.ndarray]:
        """As `Checkpoint.arrays`.

        Raises:
            NotMeasurable: its weights are not numbers of a network, but a file of another format.
        """
        random, stored = np.random.default_rng(self.seed), super().arrays()
        learned = [k for k, v in stored.items() if v.dtype.kind == "f" and not k.startswith(TENSORS)]
        if not learned:
            raise NotMeasurable(f"{self.name} holds no weights that could be shuffled")
        return stored | {key: shuffled(stored[key], random) for key in learned}


def shuffled(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The same numbers in another order."""
    return random.permutation(array.ravel()).reshape(array.shape)


class RandomMap(Explainer):
    """Predicts as another explainer does and explains by smooth noise that depends on the picture and the finding only.

    Args:
        explainer: whose place it takes.
        change: mean |change| of its counterfactuals, in the unit of the pictures: as large as the other's are.
    """

    def __init__(self, explainer: Explainer, change: float, seed: int = 0):
        self.of, self.change, self.seed = explainer, change, seed
        self.name, self.findings, self.thresholds = RANDOM, explainer.findings, explainer.thresholds
        self.side, self.span, self.counterfactuals = explainer.side, explainer.span, explainer.counterfactuals

    def pictures(self, collection: Collection, indices: Any) -> np.ndarray:
        return self.of.pictures(collection, indices)

    def truth(self, collection: Collection, indices: Any, finding: str) -> np.ndarray:
        return self.of.truth(collection, indices, finding)

    def predict(self, pictures: np.ndarray) -> np.ndarray:
        return self.of.predict(pictures)

    def explain(self, pictures: np.ndarray, c: int, present: bool = False) -> Explained:
        if present:
            raise NotMeasurable("a random map puts no finding in")
        noise = np.stack([self._noise(picture, c) for picture in pictures])
        if not self.counterfactuals:
            return Explained(np.abs(noise), None)
        size = np.abs(noise).mean(axis=(1, 2), keepdims=True)
        return Explained(np.abs(noise), np.clip(pictures + noise * (self.change / size), -1, 1).astype(np.float32))

    def randomised(self, seed: int) -> RandomMap:
        return RandomMap(self.of, self.change, self.seed + 1 + seed)

    def _noise(self, picture: np.ndarray, c: int) -> np.ndarray:
        digest = hashlib.sha256(np.ascontiguousarray(picture, np.float32).tobytes()).digest()
        random = np.random.default_rng([self.seed, c, int.from_bytes(digest[:8], "little")])
        noise = random.standard_normal(picture.shape).astype(np.float32)
        return cv2.GaussianBlur(noise, (0, 0), GRAIN * self.side)
