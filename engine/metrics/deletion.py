"""Deletion and insertion (Petsiuk et al. 2018): does the answer fall when what a map points at is taken out of the
picture, and rise when it is put back.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample
from engine.metrics.stacks import Pictures, same_stack

METRICS = ("deletion", "insertion")
STEPS = 10  # shares of the pixels between none and all
BLUR = 0.1  # of the picture's side: standard deviation of what insertion begins with
Predict = Callable[[np.ndarray], np.ndarray]  # pictures (m, H, W) -> (m,) probabilities of one finding


def most_important_first(evidence: np.ndarray, seed: int = 0) -> np.ndarray:
    """The pixels of a map (H, W) as flat indices, the strongest evidence first; equal ones in an order drawn at
    random, so that a map that is flat somewhere tells nothing there.
    """
    flat = np.asarray(evidence, np.float64).ravel()
    return np.lexsort((np.random.default_rng(seed).random(len(flat)), -flat))


def blurred(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W) of which nothing but the coarse shape is left."""
    return cv2.GaussianBlur(picture, (0, 0), BLUR * min(picture.shape))


def deletion(
    pictures: Pictures,
    maps: Pictures,
    predict: Predict,
    finding: str = "",
    groups: Groups = None,
    steps: int = STEPS,
    variant: str = "",
) -> Measure:
    """Mean over pictures of the area under the probability as pixels are set to the picture's mean, the strongest
    evidence first; in [0, 1], and the lower the better. n is the number of pictures.

    Args:
        pictures, maps: (N, H, W) each; a map's largest values speak for the finding.
        predict: the probability of the finding, of pictures in the same unit.
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: no picture.
    """
    return _area("deletion", pictures, maps, predict, finding, groups, steps, variant)


def insertion(
    pictures: Pictures,
    maps: Pictures,
    predict: Predict,
    finding: str = "",
    groups: Groups = None,
    steps: int = STEPS,
    variant: str = "",
) -> Measure:
    """The same as pixels are put back into a blurred picture; the higher the better. Arguments as in `deletion`."""
    return _area("insertion", pictures, maps, predict, finding, groups, steps, variant)


def _area(metric, pictures, maps, predict, finding, groups, steps, variant) -> Measure:
    if not len(pictures):
        raise NotMeasurable(f"{finding or 'all'}: there is no picture to take anything out of")
    pictures, maps = same_stack(pictures=pictures, maps=maps)
    areas = np.empty(len(pictures))
    for n, (picture, evidence) in enumerate(zip(pictures, maps)):
        order = most_important_first(evidence, n)
        empty = np.full_like(picture, picture.mean()) if metric == "deletion" else blurred(picture)
        start, end = (picture, empty) if metric == "deletion" else (empty, picture)
        frames = np.repeat(start[None], steps + 1, axis=0)
        for k, taken in enumerate(np.linspace(0, picture.size, steps + 1).round().astype(int)):
            frames[k].ravel()[order[:taken]] = end.ravel()[order[:taken]]
        areas[n] = np.trapezoid(np.asarray(predict(frames), np.float64), dx=1 / steps)
    return Measure(
        metric,
        finding,
        areas.mean(),
        *mean_interval(areas, groups, within=(0.0, 1.0)),
        n=len(areas),
        variant=variant,
        sample=Sample(areas, None if groups is None else np.asarray(groups)),
    )
