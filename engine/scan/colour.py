"""Whether a picture has colours, which its grey does not show: a reader of ultrasound must know of it."""

from __future__ import annotations

import math

import numpy as np

TURNED_GREY = "a colour picture, turned grey"
STEP = 0.03  # of the range: a lossy coder leaves less than this between the channels of a grey picture
SHARE = 1e-4  # of the pixels: fewer have a colour by accident
SAMPLE = 1 << 22  # pixels looked at


def has_colour(pixels: np.ndarray, most: float, luminance_first: bool = False) -> bool:
    """Whether more than a pixel in ten thousand has a colour.

    Args:
        pixels: (H, W, 3 or 4), red, green and blue in any order, or luminance and two colour differences; a fourth
            channel is ignored. Of a large picture every n-th pixel of every n-th row is looked at.
        most: the largest value that a channel can have.
        luminance_first: the channels are a luminance and two colour differences (YBR).
    """
    every = max(1, math.isqrt(pixels.shape[0] * pixels.shape[1] // SAMPLE))
    sample = pixels[::every, ::every, :3].astype(np.float32)
    if luminance_first:
        spread = np.abs(sample[..., 1:] - (most + 1) / 2).max(axis=-1)
    else:
        spread = sample.max(axis=-1) - sample.min(axis=-1)
    return bool((spread > STEP * most).mean() > SHARE)


def remark_on(array: np.ndarray) -> tuple[str, ...]:
    """The remark on a decoded picture, (H, W) or (H, W, C): none for grey, with or without alpha."""
    if array.ndim == 2 or array.shape[2] < 3:
        return ()
    most = np.iinfo(array.dtype).max if np.issubdtype(array.dtype, np.integer) else float(array[..., :3].max()) or 1.0
    return (TURNED_GREY,) if has_colour(array, most) else ()
