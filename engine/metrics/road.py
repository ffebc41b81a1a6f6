"""ROAD, remove and debias (Rong et al. 2022): what a map points at is replaced by what its surroundings suggest; the
place where something was taken out then gives nothing away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.metrics.deletion import Predict, most_important_first
from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample
from engine.metrics.stacks import Pictures, same_stack

METRICS = ("road",)
SHARES = (0.2, 0.4, 0.6, 0.8)  # of the pixels that are removed


def road(
    pictures: Pictures,
    maps: Pictures,
    predict: Predict,
    finding: str = "",
    groups: Groups = None,
    shares: Sequence[float] = SHARES,
    variant: str = "",
    seed: int = 0,
) -> Measure:
    """Mean over pictures and shares of (p without the least important - p without the most important) / 2.

    Removed pixels are imputed by the noisy linear system of the paper, as pytorch-grad-cam solves it; the value is that
    of its `ROADCombined`, in [-0.5, 0.5]: the higher the better, and 0 for a map that knows nothing. n is the number of
    pictures. Arguments as in `deletion`.

    Raises:
        NotMeasurable: no picture.
    """
    if not len(pictures):
        raise NotMeasurable(f"{finding or 'all'}: there is no picture to take anything out of")
    pictures, maps = same_stack(pictures=pictures, maps=maps)
    gains = np.empty(len(pictures))
    for n, (picture, evidence) in enumerate(zip(pictures, maps)):
        order = most_important_first(evidence, n)
        frames = []
        for ranked in (order[::-1], order):  # the least important first, and the most important
            for share in shares:
                kept = np.ones(picture.size, bool)
                kept[ranked[: round(share * picture.size)]] = False
                frames.append(imputed(picture, kept.reshape(picture.shape), seed))
        least, most = np.split(np.asarray(predict(np.stack(frames)), np.float64), 2)
        gains[n] = ((least - most) / 2).mean()
    return Measure(
        "road",
        finding,
        gains.mean(),
        *mean_interval(gains, groups, within=(-0.5, 0.5)),
        n=len(gains),
        chance=0.0,
        variant=variant,
        sample=Sample(gains, None if groups is None else np.asarray(groups)),
    )


def imputed(picture: np.ndarray, kept: np.ndarray, seed: int = 0) -> np.ndarray:
    """A picture (H, W) whose pixels outside `kept` are what their neighbours suggest, with a little noise."""
    import torch
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        filled = NoisyLinearImputer()(torch.from_numpy(picture)[None].float(), torch.from_numpy(kept).float())
    return filled[0].numpy().astype(picture.dtype)
