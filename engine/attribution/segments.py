"""The pieces of a picture that LIME and SHAP hide and show, and the random numbers by which they do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from skimage.segmentation import slic
from torch import Tensor

PIECES = 64
SAMPLES = 256  # pictures with some pieces hidden, for each map


def pieces(picture: np.ndarray, count: int = PIECES) -> np.ndarray:
    """(H, W) to the number of the piece of each pixel, from 0; pieces follow the picture's edges (SLIC)."""
    found = slic(picture.astype(np.float64), n_segments=count, compactness=0.1, channel_axis=None, start_label=0)
    return np.unique(found, return_inverse=True)[1].reshape(picture.shape)


def by_pieces(explain: Callable[[Tensor, Tensor, Tensor], Tensor], x: Tensor) -> Tensor:
    """Maps (B, H, W) of pictures (B, 1, H, W), one number a piece over its pixels.

    Args:
        explain: (a picture (1, 1, H, W), its mean grey everywhere, its pieces (1, 1, H, W)) to a map (1, 1, H, W).
    """
    maps = []
    with torch.random.fork_rng(devices=[]):
        for picture in x:
            torch.manual_seed(0)
            mask = torch.from_numpy(pieces(picture[0].numpy()))[None, None]
            drawn = explain(picture[None], torch.full_like(picture[None], float(picture.mean())), mask)[0, 0]
            size = torch.bincount(mask.flatten()).clamp_min(1)[mask[0, 0]]
            maps.append(drawn / size)  # evidence adds up over pixels, as in other maps
    return torch.stack(maps)
