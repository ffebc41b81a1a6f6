"""IoU and Dice of a map with what experts drew, and the three stated ways to call a map's pixels in or out.

The CX-GAN paper takes "the maximum pixel value as a threshold", which would keep one pixel, and its code an absolute
0.685. Here a map is called by one of three rules, and every row names its rule: one fixed threshold for all pictures
(`above`, chosen on validation by `best_threshold`), Otsu's threshold of each picture (`by_otsu`), or as many of the
strongest pixels as the truth has (`by_area`), which tells how well a map ranks its pixels and needs the truth to do so.
"""

from __future__ import annotations

import numpy as np

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample
from engine.metrics.stacks import Pictures, blocks, groups_of, same_masks, same_stack
from engine.metrics.subjects import subject

METRICS = ("iou", "dice")
LEVELS = 256  # steps between the least and the greatest value, for Otsu's and for the best threshold


def above(maps: Pictures, threshold: float) -> np.ndarray:
    """(N, H, W) bool: strictly above one threshold, in the maps' own units."""
    (maps,) = same_stack(maps=maps)
    return maps > threshold


def by_otsu(maps: Pictures) -> np.ndarray:
    """(N, H, W) bool: above the threshold that best parts each picture's own values in two (Otsu 1979, 256 levels).

    A constant map calls nothing. Otsu always finds two parts, so it calls something in every other picture, normal or
    not.
    """
    (maps,) = same_stack(maps=maps)
    called = np.zeros(maps.shape, bool)
    for block in blocks(maps):
        values = maps[block].astype(np.float64)
        n = len(values)
        least, most = values.min(axis=(1, 2)), values.max(axis=(1, 2))
        spread = np.where(most > least, most - least, 1.0)
        level = _levels(values, least[:, None, None], spread[:, None, None])
        count = _histogram(level).astype(np.float64)  # (n, LEVELS)
        below = np.cumsum(count, axis=1)[:, :-1]  # pixels at or under each cut
        sums = np.cumsum(count * np.arange(LEVELS), axis=1)
        beyond = values[0].size - below
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = sums[:, :-1] / below - (sums[:, -1:] - sums[:, :-1]) / beyond
            between = np.where((below > 0) & (beyond > 0), below * beyond * apart**2, 0.0)
        cut = between.argmax(axis=1)
        called[block] = (level > cut[:, None, None]) & (most > least).reshape(n, 1, 1)
    return called


def by_area(maps: Pictures, truth: Pictures) -> np.ndarray:
    """(N, H, W) bool: in each picture its k strongest pixels, k being the truth's area.

    Of pixels tied at the cut none is called beyond k; they are taken in a fixed random order, so a constant map scores
    chance.
    """
    maps, truth = same_stack(maps=maps, truth=truth)
    same_masks(truth=truth)
    called = np.zeros(maps.shape, bool)
    shuffled = np.random.default_rng(0).permutation(maps.shape[1] * maps.shape[2])
    for finding_map, area, out in zip(maps, truth.sum(axis=(1, 2)), called):
        if area:
            strongest = np.argsort(-finding_map.ravel()[shuffled], kind="stable")[:area]
            out.ravel()[shuffled[strongest]] = True
    return called


def best_threshold(maps: Pictures, truth: Pictures) -> float:
    """The one threshold, out of 256 between the maps' extremes, with the largest mean Dice over the pictures that have
    a truth.

    Choose it on validation and use it with `above` on test.

    Raises:
        NotMeasurable: no picture has a truth.
    """
    maps, truth = same_stack(maps=maps, truth=truth)
    same_masks(truth=truth)
    some = truth.any(axis=(1, 2))
    if not some.any():
        raise NotMeasurable(f"none of {len(maps)} pictures has anything annotated, so no threshold can be chosen")
    maps, truth = maps[some], truth[some]
    least, most = float(maps.min()), float(maps.max())
    spread = most - least or 1.0
    dices = np.zeros(LEVELS - 1)
    for block in blocks(maps):
        level = _levels(maps[block].astype(np.float64), least, spread)
        everywhere = _histogram(level)
        inside = _histogram(level, truth[block])
        called = np.cumsum(everywhere[:, ::-1], axis=1)[:, ::-1][:, 1:]  # pixels above each cut
        hit = np.cumsum(inside[:, ::-1], axis=1)[:, ::-1][:, 1:]
        dices += (2 * hit / (called + inside.sum(axis=1, keepdims=True))).sum(axis=0)
    return least + spread * (int(dices.argmax()) + 1) / LEVELS


def iou(
    called: Pictures,
    truth: Pictures,
    finding: str = "",
    groups: Groups = None,
    rule: str = "",
    variant: str = "",
) -> Measure:
    """Mean over pictures of |called and true| / |called or true|.

    Pictures without a truth have no overlap to measure: they are left out, and the remark counts them. A picture in
    which nothing was called scores 0. Chance is calling every pixel; n is the number of pictures counted.

    Args:
        called, truth: (N, H, W) bool.
        groups: (N,) patients, or None.
        rule: how `called` came about, for the remark. variant: the same in a word, for the row.

    Raises:
        NotMeasurable: no picture has a truth.
    """
    return _mean("iou", called, truth, finding, groups, rule, variant)


def dice(
    called: Pictures,
    truth: Pictures,
    finding: str = "",
    groups: Groups = None,
    rule: str = "",
    variant: str = "",
) -> Measure:
    """Mean over pictures of 2 |called and true| / (|called| + |true|); all else as in `iou`."""
    return _mean("dice", called, truth, finding, groups, rule, variant)


def _mean(metric: str, called, truth, finding: str, groups, rule: str, variant: str) -> Measure:
    called, truth = same_stack(called=called, truth=truth)
    same_masks(called=called, truth=truth)
    areas = truth.sum(axis=(1, 2))
    some = areas > 0
    clusters = groups_of(groups, some)
    if not some.any():
        raise NotMeasurable(
            f"{subject(finding, variant=variant)}: none of {len(truth)} pictures has anything annotated, so there is "
            "no overlap to measure"
        )
    both = (called & truth).sum(axis=(1, 2))[some]
    union = (called | truth).sum(axis=(1, 2))[some]
    values = both / union if metric == "iou" else 2 * both / (both + union)  # |A| + |B| = |A and B| + |A or B|
    share = areas[some] / truth[0].size
    left_out = f"{(~some).sum()} of {len(some)} pictures left out: nothing annotated" if not some.all() else ""
    return Measure(
        metric,
        finding,
        values.mean(),
        *mean_interval(values, clusters, within=(0.0, 1.0)),
        n=len(values),
        chance=np.mean(share if metric == "iou" else 2 * share / (1 + share)),
        remark="; ".join(words for words in (rule, left_out) if words),
        variant=variant,
        sample=Sample(values, clusters),
    )


def _levels(values: np.ndarray, least: np.ndarray | float, spread: np.ndarray | float) -> np.ndarray:
    """(n, H, W) whole numbers from 0 to LEVELS - 1."""
    return np.clip((values - least) * (LEVELS / spread), 0, LEVELS - 1).astype(np.int64)


def _histogram(level: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """(n, LEVELS): how many pixels of each picture, in `where` if given, are at each level."""
    n = len(level)
    index = level + LEVELS * np.arange(n)[:, None, None]
    return np.bincount(index.ravel() if where is None else index[where], minlength=n * LEVELS).reshape(n, LEVELS)
