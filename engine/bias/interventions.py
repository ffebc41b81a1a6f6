"""Interventions: the same patients' pictures under every value of one attribute, exact or generated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from engine.checkpoints.format import RefusedCheckpoint
from engine.checkpoints.resolve import open_checkpoint, shipped
from engine.datasets.collection import Collection
from engine.datasets.phantom.collection import LARGEST, SMALLEST, Phantom
from engine.metrics.measure import Measure
from engine.registry import open_generator

GENERATOR_METHOD = "cit_lr"  # `method` in the configuration of a checkpoint that makes pictures and judges none
STRUCTURAL = "structural"
COARSE, COMPONENTS = (
    16,
    12,
)  # side to which a picture is averaged for Z, and how many principal components of it are kept
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Counterfactuals:
    """Pictures of n patients under every value of one attribute.

    Attributes:
        attribute: its name.
        values: its values, two or more.
        factual: (n,) str, each patient's own value.
        original: (n, size, size) float32 in the collection's units, as the tested model would see the picture.
        pictures: value -> (n, size, size) float32 in the same units. Those under a patient's own value are the null
            intervention: made in the same way as the others, never copied from the original.
        representation: (n, k) float32, Z: what is known of each picture but the attribute.

    Raises:
        ValueError: shapes that disagree, values without pictures, or a patient whose own value is none of `values`.
    """

    attribute: str
    values: tuple[str, ...]
    factual: np.ndarray
    original: np.ndarray
    pictures: Mapping[str, np.ndarray]
    representation: np.ndarray

    def __post_init__(self):
        n = len(self.factual)
        if self.original.ndim != 3 or len(self.original) != n:
            raise ValueError(f"original must have shape ({n}, size, size), got {self.original.shape}")
        if len(self.values) < 2 or {*self.values} != {*self.pictures}:
            raise ValueError(
                f"there must be pictures for two or more values and for no other, got {self.values} and "
                f"{[*self.pictures]}"
            )
        for value, pictures in self.pictures.items():
            if pictures.shape != self.original.shape:
                raise ValueError(
                    f"pictures under {self.attribute} {value} must have shape {self.original.shape}, got "
                    f"{pictures.shape}"
                )
        if self.representation.ndim != 2 or len(self.representation) != n:
            raise ValueError(f"representation must have shape ({n}, k), got {self.representation.shape}")
        strange = sorted({str(value) for value in self.factual} - {*self.values})
        if strange:
            raise ValueError(
                f"{self.attribute} is one of {', '.join(self.values)}; got {', '.join(map(repr, strange))}"
            )

    def picked(self, by_value: Mapping[str, np.ndarray], own: bool) -> np.ndarray:
        """(n, ...) each patient's entry under the own value or, with two values, under the other one."""
        stacked = np.stack([by_value[value] for value in self.values], 1)
        codes = np.array([self.values.index(str(value)) for value in self.factual])
        if not own and len(self.values) != 2:
            raise ValueError(f"{self.attribute} has {len(self.values)} values, so there is no one other")
        return stacked[np.arange(len(codes)), codes if own else 1 - codes]


class Interventions(ABC):
    """A source of counterfactual pictures: the same patients under other values of an attribute.

    Attributes:
        name: a checkpoint's name, or `STRUCTURAL`.
        attributes: name -> its values, for example {"sex": ("F", "M")}.
        size: side of its pictures in pixels.
        exact: whether the pictures are true counterfactuals by construction, as the phantom's and those of symbols are.
        quality: attribute -> measures on pictures held out from its training: "effectiveness" of each value,
            and "composition"; "effect" of variant `Variant.AUC` is by how much a fixed classifier's AUC of a finding
            changes from the original to the generated pictures. Empty where `exact`.
        collection: name of the collection that `quality` was measured on; None where it holds for any.
    """

    name: str
    attributes: Mapping[str, Sequence[str]]
    size: int
    exact: bool
    quality: Mapping[str, Sequence[Measure]]
    collection: str | None = None

    @abstractmethod
    def counterfactuals(
        self,
        collection: Collection,
        indices: np.ndarray,
        attribute: str,
        progress: Progress | None = None,
        seed: int = 0,
        size: int | None = None,
    ) -> Counterfactuals:
        """The patients at `indices` under every value of `attribute`.

        Args:
            indices: (n,) of pictures whose attribute is known.
            progress: called with (done, all) patients.
            seed: of whatever noise there is.
            size: side of the pictures in pixels, as the tested model looks at them; its own when None.
        """

    def values_of(self, attribute: str) -> tuple[str, ...]:
        """The values of `attribute`.

        Raises:
            ValueError: it cannot be intervened on; the message names those that can.
        """
        if attribute not in self.attributes:
            who = "the drawing of these films" if self.name == STRUCTURAL else self.name
            raise ValueError(
                f"{who} cannot change {attribute!r}; it can change {', '.join(self.attributes) or 'nothing'}."
            )
        return tuple(self.attributes[attribute])


class StructuralInterventions(Interventions):
    """The phantom's own structural model, replayed with the same noise: exact.

    Z holds what the attributes are drawn from (the findings and how severe they are) and the principal components of
    the picture under the attribute's first value, in which the patient's own value left no trace.

    Raises:
        ValueError: the collection is not a phantom.
    """

    name = STRUCTURAL
    exact = True
    quality: Mapping[str, Sequence[Measure]] = {}

    def __init__(self, collection: Collection):
        phantom = _drawn(collection)
        self.size = phantom.size
        marker = {"marker": ("absent", "present")} if phantom.markers else {}
        self.attributes = {"sex": ("F", "M"), "view_position": ("AP", "PA"), **marker}

    def counterfactuals(self, collection, indices, attribute, progress=None, seed=0, size=None):
        values, size = (
            self.values_of(attribute),
            min(max(size or self.size, SMALLEST), LARGEST),
        )  # a model of other sizes resizes itself
        phantom = _drawn(collection)
        pictures = {value: np.empty((len(indices), size, size), np.float32) for value in values}
        factual = phantom.attributes[attribute][indices]
        for row, index in enumerate(indices):
            for value in values:
                change: dict[str, Any] = {attribute: value == "present" if attribute == "marker" else value}
                pictures[value][row] = phantom.counterfactual(int(index), size, **change)
            if progress:
                progress(row + 1, len(indices))
        original = np.stack(
            [pictures[str(value)][row] for row, value in enumerate(factual)]
        )  # the same noise draws the same film
        known = [phantom.labels[indices], phantom.severities[indices], principal_components(pictures[values[0]])]
        return Counterfactuals(
            attribute, values, factual, original, pictures, np.concatenate(known, 1).astype(np.float32)
        )


class SymbolInterventions(Interventions):
    """The same picture with the one or the other symbol, drawn as the collection itself draws it: exact.

    Z holds the findings and the principal components of the picture under the symbol's first value.

    Raises:
        ValueError: the collection draws no symbols.
    """

    name = STRUCTURAL
    exact = True
    quality: Mapping[str, Sequence[Measure]] = {}

    def __init__(self, collection: Collection, size: int = 256):
        if collection.symbols is None:
            raise ValueError(f"{collection.name} draws no symbols; open it with another option symbol.")
        self.size, self.attributes = size, {"symbol": collection.symbols.values}

    def counterfactuals(self, collection, indices, attribute, progress=None, seed=0, size=None):
        values, size = self.values_of(attribute), size or self.size
        pictures = {value: np.empty((len(indices), size, size), np.float32) for value in values}
        factual = collection.attributes[attribute][indices]
        for row, index in enumerate(indices):
            for value in values:
                pictures[value][row] = collection.with_symbol(int(index), size, value)
            if progress:
                progress(row + 1, len(indices))
        original = np.stack([pictures[str(value)][row] for row, value in enumerate(factual)])
        known = [np.nan_to_num(collection.labels[indices]), principal_components(pictures[values[0]])]
        return Counterfactuals(
            attribute, values, factual, original, pictures, np.concatenate(known, 1).astype(np.float32)
        )


def _drawn(collection: Collection) -> Phantom:
    phantom = collection.whole
    if not isinstance(phantom, Phantom):
        raise ValueError(
            f"only drawn films have a structural model; {collection.name} needs a generator trained on it."
        )
    return phantom


def principal_components(pictures: np.ndarray) -> np.ndarray:
    """(n, H, W) to (n, k) float32, k at most `COMPONENTS`: the first principal components of the pictures averaged to a
    coarse grid.
    """
    coarse = np.stack(
        [cv2.resize(picture, (COARSE, COARSE), interpolation=cv2.INTER_AREA).ravel() for picture in pictures]
    )
    coarse = coarse - coarse.mean(0)
    left, sizes, _ = np.linalg.svd(coarse, full_matrices=False)
    return (left * sizes)[:, :COMPONENTS].astype(np.float32)


def open_interventions(collection: Collection, generator: str | None = None, device: str = "auto") -> Interventions:
    """What changes an attribute of this collection's pictures.

    Args:
        generator: a checkpoint's name or folder, or `STRUCTURAL`; None takes what is exact, the phantom's own
            structural model or the symbols that a collection draws, or for other collections the shipped checkpoint
            that was trained on them.

    Raises:
        ValueError: there is none, or `STRUCTURAL` for pictures that nobody drew.
        RefusedCheckpoint: the checkpoint does not open, or explains scans instead.
    """
    drawn = isinstance(collection.whole, Phantom) or collection.symbols is not None
    found = generator or (STRUCTURAL if drawn else next(iter(generators_for(collection.name)), None))
    if found is None:
        raise ValueError(
            f"no generator trained on {collection.name} is installed; name one with --generator, or train it."
        )
    if found == STRUCTURAL:
        return StructuralInterventions(collection) if collection.symbols is None else SymbolInterventions(collection)
    return open_generator(found, device)


def generators_for(collection: str) -> list[str]:
    """Names of the shipped checkpoints that make pictures like those of the collection called `collection`."""
    found = []
    for name in shipped():
        try:
            config = open_checkpoint(name).config
        except RefusedCheckpoint:  # `engine doctor` and the page Models say why
            continue
        if config["method"] == GENERATOR_METHOD and config.get("data", {}).get("collection") == collection:
            found.append(name)
    return found
