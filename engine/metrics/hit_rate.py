"""The pointing game (Zhang et al. 2018): whether the strongest point of a map lies in a region that experts drew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample

METRICS = ("hit_rate",)


def hit_rate(
    pictures: Iterable[tuple[np.ndarray, Sequence[np.ndarray]]],
    finding: str = "",
    groups: Groups = None,
) -> Measure:
    """Share of pictures whose strongest point lies in any of their regions.

    Chance is the mean area share of the regions' union.

    A map without positive evidence is a miss. Where several points are equally strong, the share of them inside counts.

    Args:
        pictures: pairs of a map (h, w), of which the positive part is evidence, and its regions, each (h, w) bool.
        groups: one a picture: its patient; None when every picture is another patient's.

    Raises:
        NotMeasurable: when no picture has a region.
    """
    hits, areas, measured, seen = [], [], [], 0
    for evidence, regions in pictures:
        union = (
            np.any([np.asarray(region, bool) for region in regions], axis=0)
            if len(regions)
            else np.zeros(np.shape(evidence), bool)
        )
        if union.ndim != 2 or union.shape != np.shape(evidence):
            raise ValueError(f"map and regions must share one (h, w), got {np.shape(evidence)} and {union.shape}")
        if union.any():
            most = float(np.max(evidence))
            hits.append(float(union[np.asarray(evidence) == most].mean()) if most > 0 else 0.0)
            areas.append(float(union.mean()))
            measured.append(seen)
        seen += 1
    if groups is not None and len(groups) != seen:
        raise ValueError(f"groups must name one patient a picture, got {len(groups)} for {seen} pictures")
    if not hits:
        raise NotMeasurable(
            f"{finding or 'all'} has no annotated region on {seen} pictures, so there is nothing to point at"
        )
    clusters = None if groups is None else np.asarray(groups)[measured]
    return Measure(
        "hit_rate",
        finding,
        float(np.mean(hits)),
        *mean_interval(hits, clusters, within=(0.0, 1.0)),
        n=len(hits),
        chance=float(np.mean(areas)),
        sample=Sample(np.asarray(hits, np.float64), clusters),
    )
