"""A collection of which only some findings are asked about; everything else about it stays as it is."""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Sequence

import numpy as np

from engine.datasets.boxes import Box
from engine.datasets.collection import Collection


class SelectedFindings(Collection):
    """`collection` with the label columns of `findings`, in that order.

    Attributes:
        chosen_from: `collection`.

    Raises:
        ValueError: a finding that the collection does not know.
    """

    def __init__(self, collection: Collection, findings: Sequence[str]):
        unknown = [finding for finding in findings if finding not in collection.findings]
        if unknown:
            raise ValueError(
                f"{collection.name} is labelled for {', '.join(collection.findings)}, not for {', '.join(unknown)}."
            )
        self.chosen_from, self.findings = collection, tuple(findings)
        self.labels = collection.labels[:, [list(collection.findings).index(finding) for finding in findings]]
        self.name, self.kind, self.options = collection.name, collection.kind, collection.options
        self.dimensions, self.single_slices = collection.dimensions, collection.single_slices
        self.patients, self.attributes, self.grouping = collection.patients, collection.attributes, collection.grouping
        self.family, self.markers = collection.family, collection.markers
        self.crop, self.grey_range, self.guidance_part = (
            collection.crop,
            collection.grey_range,
            collection.guidance_part,
        )
        self.has_counterfactuals, self.symbols = collection.has_counterfactuals, collection.symbols
        self.concepts, self.concept_labels = collection.concepts, collection.concept_labels

    @property
    def description(self) -> str:
        return self.chosen_from.description

    @property
    def whole(self) -> Collection:
        return self.chosen_from.whole

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        return self.chosen_from.image(index, size)

    def split(self, name: str) -> np.ndarray:
        return self.chosen_from.split(name)

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        return self.chosen_from.mask(index, finding, size)

    def regions(self, index: int, finding: str, size: int) -> list[np.ndarray]:
        return self.chosen_from.regions(index, finding, size)

    def annotated(self, finding: str) -> np.ndarray:
        return self.chosen_from.annotated(finding)

    def all_boxes(self) -> list[Box]:
        return self.chosen_from.all_boxes()

    def boxes_elsewhere(self) -> list[Box]:
        return self.chosen_from.boxes_elsewhere()

    def body(self, index: int, size: int | None = None) -> np.ndarray | None:
        return self.chosen_from.body(index, size)

    def organ(self, index: int, size: int | None = None) -> np.ndarray | None:
        return self.chosen_from.organ(index, size)

    def position(self, index: int) -> int:
        return self.chosen_from.position(index)

    def marks(self, index: int, size: int | None = None) -> np.ndarray | None:
        return self.chosen_from.marks(index, size)

    def marker_mask(self, index: int | None, size: int) -> np.ndarray:
        return self.chosen_from.marker_mask(index, size)

    def with_markers(self, index: int, size: int | None, present: bool) -> np.ndarray:
        return self.chosen_from.with_markers(index, size, present)

    def with_symbol(self, index: int, size: int | None, value: str) -> np.ndarray:
        return self.chosen_from.with_symbol(index, size, value)

    def symbol_mask(self, index: int, size: int) -> np.ndarray:
        return self.chosen_from.symbol_mask(index, size)

    def marked_region(self, index: int, size: int) -> np.ndarray | None:
        return self.chosen_from.marked_region(index, size)

    def counterfactual(
        self, index: int, size: int | None = None, *, without: Names[str] = (), with_: Names[str] = ()
    ) -> np.ndarray:
        return self.chosen_from.counterfactual(index, size, without=without, with_=with_)
