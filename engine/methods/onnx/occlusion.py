"""Where hiding changes the answer: the one map that any black box has (occlusion, Zeiler and Fergus 2014),
through captum.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from captum.attr import Occlusion

WINDOW, STRIDE = 6, 12  # a window is a sixth of the side, and moves by a twelfth
LIMIT = 1e-4  # probabilities are kept this far from 0 and 1 before their log-odds are taken
BATCH = 8  # pictures at once
UNIT = "of log-odds, lost when a window of a sixth of the side is blurred here"


def occlusion(
    predict_proba: Callable[[np.ndarray], np.ndarray],
    picture: np.ndarray,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """How much of each finding's log-odds goes when a window is blurred until nothing in it can be made out.

    Blurred rather than painted over: a grey square is a finding of its own to many a model. Every window asks the model
    once, for all findings; a pixel gets the mean over the windows that cover it. Positive speaks for the finding:
    hiding it makes the model less sure.

    Args:
        predict_proba: (n, size, size) to probabilities (n, C).
        picture: (size, size), prepared.
        progress: called with (batches done, all of them).

    Returns:
        (C, size, size) float32.
    """
    size = picture.shape[-1]
    window, stride = max(size // WINDOW, 1), max(size // STRIDE, 1)
    steps = 1 + -(-(size - window) // stride)
    every = 1 + -(-steps * steps // BATCH)
    done = 0

    def log_odds(x: torch.Tensor) -> torch.Tensor:
        nonlocal done
        p = np.clip(predict_proba(x[:, 0].numpy()), LIMIT, 1 - LIMIT).astype(np.float64)
        done += 1
        if progress:
            progress(min(done, every), every)
        return torch.from_numpy(np.log(p / (1 - p)))

    lost = Occlusion(log_odds).attribute(
        torch.from_numpy(np.ascontiguousarray(picture, np.float32))[None, None],
        sliding_window_shapes=(1, window, window),
        strides=(1, stride, stride),
        baselines=torch.from_numpy(blurred(picture))[None, None],
        perturbations_per_eval=BATCH,
    )  # (C, 1, size, size)
    return lost[:, 0].numpy().astype(np.float32)


def blurred(picture: np.ndarray) -> np.ndarray:
    """(size, size) float32 without anything smaller than half a window."""
    return cv2.GaussianBlur(np.ascontiguousarray(picture, np.float32), (0, 0), picture.shape[-1] / WINDOW / 2)
