"""A collection of which only some findings are asked about; everything else about it stays as it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.datasets.collection import Collection


class SelectedFindings(Collection):
    """`collection` with the label columns of `findings`, in that order; its own doors (`counterfactual`, ...) stay open.

    Raises:
        ValueError: a finding that the collection does not know.
    """

    def __init__(self, collection: Collection, findings: Sequence[str]):
        unknown = [finding for finding in findings if finding not in collection.findings]
        if unknown:
            raise ValueError(
                f"{collection.name} is labelled for {', '.join(collection.findings)}, not for {', '.join(unknown)}."
            )
        self.whole, self.findings = collection, tuple(findings)
        self.labels = collection.labels[:, [list(collection.findings).index(finding) for finding in findings]]
        self.name, self.kind, self.options = collection.name, collection.kind, collection.options
        self.patients, self.attributes = collection.patients, collection.attributes

    def __getattr__(self, name: str):
        if name.startswith("_") or name == "whole":
            raise AttributeError(name)
        return getattr(self.whole, name)

    @property
    def description(self) -> str:
        return self.whole.description

    def image(self, index: int, size: int | None = None) -> np.ndarray:
        return self.whole.image(index, size)

    def mask(self, index: int, finding: str, size: int) -> np.ndarray | None:
        return self.whole.mask(index, finding, size)

    def regions(self, index: int, finding: str, size: int) -> list[np.ndarray]:
        return self.whole.regions(index, finding, size)

    def split(self, name: str) -> np.ndarray:
        return self.whole.split(name)
