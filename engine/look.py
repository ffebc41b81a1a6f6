"""What a classifier that reads attributes says of one scan: where it looks, what it reads, what follows from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

LARGEST_SUBSET = 3  # attributes whose joint effect is told, as in Liu et al. 2025
PRESENT = 0.5  # an attribute above is there


@dataclass(frozen=True, eq=False)
class Look:
    """One forward pass, and where it rests.

    Attributes:
        finding: the diagnosis. probability: of it. threshold: its operating point.
        cam: (h, w) float32 in [0, 1], where the classifier looks for its decision, 1 where most; all 0 where nothing
            speaks for the decision.
        attributes: name -> probability, empty for a classifier without attributes.
        attribute_cams: name -> as `cam`, where it looks for that attribute.

    Raises:
        ValueError: maps of different shapes, or attributes without a map.
    """

    finding: str
    probability: float
    threshold: float
    cam: np.ndarray
    attributes: Mapping[str, float]
    attribute_cams: Mapping[str, np.ndarray]

    def __post_init__(self):
        if {*self.attributes} != {*self.attribute_cams}:
            raise ValueError("every attribute has a map, and every map an attribute")
        if any(cam.shape != self.cam.shape or cam.ndim != 2 for cam in (self.cam, *self.attribute_cams.values())):
            raise ValueError("all maps of a look have one (h, w)")

    @property
    def positive(self) -> bool:
        return self.probability > self.threshold


@dataclass(frozen=True)
class AttributeEffect:
    """How much of a diagnosis a set of attributes accounts for.

    Attributes:
        attributes: their names.
        effect: CCCE in the classifier itself: the share of the probability of its answer that would be gone if these
            attributes were otherwise, 1 for all of it; 0 or below for none.
        in_ratings: the same in the ratings that it was trained on, None where the checkpoint does not keep them.
    """

    attributes: tuple[str, ...]
    effect: float
    in_ratings: float | None = None


def attribute_effects(
    diagnose: Callable[[Sequence[Mapping[str, float]]], Sequence[float]],
    values: Mapping[str, float],
    positive: bool,
    largest: int = LARGEST_SUBSET,
) -> list[AttributeEffect]:
    """All sets of at most `largest` attributes that could be otherwise, most effect first, the smaller of those that
    tie.

    Attributes that are there are taken away from a positive, those that are not are added to a negative; the classifier
    itself is asked, so that nothing has to be assumed of the data.

    Args:
        diagnose: sets of values -> probabilities of the diagnosis.
        values: attribute -> value in [0, 1].
        positive: the classifier's answer.
    """
    movable = [name for name, value in values.items() if (value > PRESENT) == positive]
    subsets = [s for size in range(1, largest + 1) for s in combinations(movable, size)]
    asked = [dict(values), *({**values, **dict.fromkeys(s, 0.0 if positive else 1.0)} for s in subsets)]
    here, *there = (p if positive else 1 - p for p in diagnose(asked))
    found = [AttributeEffect(s, 1 - p / max(here, 1e-9)) for s, p in zip(subsets, there, strict=True)]
    return sorted(found, key=lambda e: (-round(e.effect, 6), len(e.attributes)))
