"""Disease sensitivity: the share of the positive evidence that lies inside what experts annotated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from engine.metrics.evidence import share_inside
from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample

METRICS = ("disease_sensitivity",)


def disease_sensitivity(
    pictures: Iterable[tuple[np.ndarray, Sequence[np.ndarray]]],
    finding: str = "",
    groups: Groups = None,
) -> Measure:
    """Mean over regions of positive evidence inside the region / positive evidence of the picture (section 4.2.2 of Sun
    et al.).

    Every region given is scored on its own, the picture's other regions counting as outside (as the authors do with
    boxes); give the union as the only region to score that instead (as they do with CheXpert's segmentations). A map
    without positive evidence scores 0. Chance is the mean area share of the regions; n is the number of regions. The
    authors stretch each map between its minimum and maximum first, the paper does not and neither does this.

    Args:
        pictures: pairs of a weighted map (h, w), signed, and its regions, each (h, w) bool; may be a generator.
        groups: one a picture: its patient; None when every picture is another patient's.

    Raises:
        NotMeasurable: when no picture has a region.
    """
    shares, areas, owners, empty, seen = [], [], [], 0, 0
    for evidence, regions in pictures:
        energy = np.maximum(evidence, 0)
        for region in regions:
            if not np.any(region):
                empty += 1
                continue
            shares.append(share_inside(energy, region) or 0.0)
            areas.append(float(np.mean(region)))
            owners.append(seen)
        seen += 1
    if groups is not None and len(groups) != seen:
        raise ValueError(f"groups must name one patient a picture, got {len(groups)} for {seen} pictures")
    if not shares:
        raise NotMeasurable(
            f"{finding or 'all'} has no annotated region on {seen} pictures, so its disease sensitivity "
            "cannot be measured"
        )
    clusters = np.array(owners) if groups is None else np.asarray(groups)[owners]
    drawn = len(set(owners))
    remark = f"{len(shares)} regions on {drawn} pictures" if len(shares) > drawn else ""
    if empty:
        remark += f"{'; ' if remark else ''}{empty} regions without a pixel left out"
    return Measure(
        "disease_sensitivity",
        finding,
        float(np.mean(shares)),
        *mean_interval(shares, clusters, within=(0.0, 1.0)),
        n=len(shares),
        chance=float(np.mean(areas)),
        remark=remark,
        sample=Sample(np.asarray(shares, np.float64), clusters),
    )
