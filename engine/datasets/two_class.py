"""A collection of which only two classes take part: pictures with one finding, and pictures with another in
its place.
"""

from __future__ import annotations

import numpy as np

from engine.datasets.collection import Collection
from engine.datasets.selected_findings import SelectedFindings


class TwoClass(SelectedFindings):
    """`collection` for telling `finding` from `contrast_class`: 1 with the finding, 0 with the other and without it,
    NaN for the rest.

    Attributes:
        findings: `finding` alone.
        contrast_class: the other class's name.

    Raises:
        ValueError: a finding that the collection does not know, or one against itself.
    """

    def __init__(self, collection: Collection, finding: str, contrast_class: str):
        if finding == contrast_class:
            raise ValueError(f"{finding} cannot be its own contrast class; name another finding of {collection.name}.")
        super().__init__(collection, (finding, contrast_class))
        has, other = self.labels.T
        self.labels = np.select([has == 1, (has == 0) & (other == 1)], [1, 0], np.nan).astype(np.float32)[:, None]
        self.findings, self.contrast_class = (finding,), contrast_class

    def split(self, name: str) -> np.ndarray:
        """The collection's own part `name`, less the pictures that take no part."""
        part = super().split(name)
        return part[~np.isnan(self.labels[part, 0])]
