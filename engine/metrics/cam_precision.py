"""CAM precision: how much of where a classifier looked lies inside what experts marked (section 5.1 of Liu et al.
2025).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample

METRICS = ("cam_precision",)
SHARE_OF_LARGEST = 0.5  # the area of a CAM is where it exceeds half of its largest value; the paper does not say


def precision_of(cam: np.ndarray, region: np.ndarray) -> float:
    """Area of (CAM and region) / area of CAM, of one picture; 0 for a map without positive evidence.

    Args:
        cam: (h, w), of which the positive part counts. region: (h, w) bool.
    """
    largest = float(np.max(cam))
    if not largest > 0:
        return 0.0
    area = cam > SHARE_OF_LARGEST * largest
    return float((area & region).sum() / area.sum())


def cam_precision(
    pictures: Iterable[tuple[np.ndarray, np.ndarray]], finding: str = "", groups: Groups = None, variant: str = ""
) -> Measure:
    """Mean over pictures of `precision_of`; chance is the mean area share of the regions.

    Args:
        pictures: pairs of a map (h, w) and its region (h, w) bool; those whose region is empty are left out.
        groups: one a picture: its patient; None when every picture is another patient's.

    Raises:
        NotMeasurable: when no picture has a region.
    """
    shares, areas, measured, seen = [], [], [], 0
    for cam, region in pictures:
        if np.shape(cam) != np.shape(region) or np.ndim(cam) != 2:
            raise ValueError(f"map and region must share one (h, w), got {np.shape(cam)} and {np.shape(region)}")
        if np.any(region):
            shares.append(precision_of(cam, np.asarray(region, bool)))
            areas.append(float(np.mean(region)))
            measured.append(seen)
        seen += 1
    if not shares:
        raise NotMeasurable(f"{finding or 'all'} has no marked region on {seen} pictures, so no CAM precision")
    clusters = None if groups is None else np.asarray(groups)[measured]
    return Measure(
        "cam_precision",
        finding,
        float(np.mean(shares)),
        *mean_interval(shares, clusters, within=(0.0, 1.0)),
        n=len(shares),
        chance=float(np.mean(areas)),
        remark="above half of each map's largest value",
        variant=variant,
        sample=Sample(np.asarray(shares, np.float64), clusters),
    )
