"""Non-resemblance of picture and counterfactual, inside and outside the lesion: high where it should
change, low elsewhere.
"""

from __future__ import annotations

import numpy as np

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.stacks import Pictures, blocks, groups_of, same_masks, same_stack

METRICS = ("non_resemblance",)


def non_resemblance(
    x: Pictures,
    y: Pictures,
    lesion: Pictures,
    data_range: float,
    finding: str = "",
    groups: Groups = None,
) -> list[Measure]:
    """1 - mean resemblance over a region (Eq. 11, 12 of the CX-GAN paper), each a mean over pictures.

    Resemblance of two pixels is 1 - |y - x| / data_range, so 0 is untouched and 1 the whole range. As printed, the
    equations subtract the mean signed difference itself from 1: that would be high where nothing changes, against the
    paper's text and its Table 3. Pictures without a lesion, or without anything else, are left out, and the remark
    counts them.

    Args:
        x, y: (N, H, W) in one unit: the pictures and their counterfactuals.
        lesion: (N, H, W) bool, GT of the paper.
        data_range: greatest minus least value that a picture can take, in the unit of x: 2 for [-1, 1].
        groups: (N,) patients, or None.

    Returns:
        four rows, the region as variant: "inside" (Eq. 11), "outside" (Eq. 12), "total", the mean of both as in
        Table 3, and "inside - outside", whose interval tells whether the change lies on the lesion. n is the number of
        pictures counted.

    Raises:
        NotMeasurable: no picture has both regions.
    """
    x, y, lesion = same_stack(x=x, y=y, lesion=lesion)
    same_masks(lesion=lesion)
    if not data_range > 0:
        raise ValueError(f"data_range must be above 0, got {data_range}")
    area = lesion.sum(axis=(1, 2))
    known = (area > 0) & (area < x[0].size) if len(x) else np.zeros(0, bool)
    clusters = groups_of(groups, known)
    if not known.any():
        raise NotMeasurable(f"{finding or 'all'}: none of {len(x)} pictures has a lesion and something beside it")
    inside, outside = np.empty(len(x)), np.empty(len(x))
    for block in blocks(x):
        change = np.abs(y[block].astype(np.float64) - x[block]) / data_range
        within = (change * lesion[block]).sum(axis=(1, 2))
        rest = x[0].size - area[block]
        inside[block] = within / np.maximum(area[block], 1)
        outside[block] = (change.sum(axis=(1, 2)) - within) / np.maximum(rest, 1)
    inside, outside = inside[known], np.maximum(outside[known], 0)  # a difference of equal sums may round below 0
    remark = (
        f"{(~known).sum()} of {len(known)} pictures left out: no lesion, or nothing else" if not known.all() else ""
    )
    regions = {
        "inside": (inside, (0.0, np.inf)),
        "outside": (outside, (0.0, np.inf)),
        "total": ((inside + outside) / 2, (0.0, np.inf)),
        "inside - outside": (inside - outside, None),
    }
    return [
        Measure(
            "non_resemblance",
            finding,
            v.mean(),
            *mean_interval(v, clusters, within=limits),
            n=len(v),
            remark=remark,
            variant=name,
        )
        for name, (v, limits) in regions.items()
    ]
