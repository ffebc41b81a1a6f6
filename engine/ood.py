"""Is this scan like those a checkpoint was trained on?

Principal components of thumbnails, kept inside the checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from engine.preprocessing import two_dimensional

TENSORS = "out_of_distribution."  # what the names of its tensors begin with
SIDE = 24  # thumbnails are SIDE x SIDE
ENOUGH = 2000  # pictures of each part to learn from; more change nothing


@dataclass(frozen=True)
class OutOfDistributionDetector:
    """What thumbnails of the training pictures look like.

    The score adds how far a thumbnail lies from the training mean within the leading components (Mahalanobis) and how
    much of it those components cannot say, each divided by its training mean; training pictures score about 1.

    Attributes:
        mean: (SIDE * SIDE,) float32.
        components: (K, SIDE * SIDE) float32, orthonormal.
        spread: (K,) float32, standard deviation along each component.
        residual: mean squared residual of a training thumbnail.
        limit: the score that one validation picture in a hundred exceeds.

    Raises:
        ValueError: a shape, or a number that is not above 0.
    """

    mean: np.ndarray
    components: np.ndarray
    spread: np.ndarray
    residual: float
    limit: float

    def __post_init__(self):
        n_components = len(self.components) if self.components.ndim else 0
        for name, shape in (
            ("mean", (SIDE * SIDE,)),
            ("components", (n_components, SIDE * SIDE)),
            ("spread", (n_components,)),
        ):
            array = getattr(self, name)
            if not n_components or array.shape != shape or array.dtype.kind != "f":
                raise ValueError(f"{name} must be {shape} numbers, got {array.shape} {array.dtype}")
        if not (self.spread > 0).all() or not self.residual > 0 or not self.limit > 0:
            raise ValueError("spread, residual and limit must be above 0")

    @classmethod
    def of(cls, training: np.ndarray, validation: np.ndarray, components: int = 40) -> OutOfDistributionDetector:
        """Learned from preprocessed pictures (N, H, W) and (M, H, W); the limit comes from those not learned from."""
        thumbs = thumbnails(training)
        mean = thumbs.mean(axis=0)
        n_components = max(1, min(components, len(thumbs) // 5))
        _, singular, axes = np.linalg.svd(thumbs - mean, full_matrices=False)
        axes, spread = axes[:n_components], singular[:n_components] / np.sqrt(max(len(thumbs) - 1, 1)) + 1e-6
        rest = (thumbs - mean) - (thumbs - mean) @ axes.T @ axes
        learned = cls(mean, axes, spread.astype(np.float32), float(np.square(rest).sum(axis=1).mean() + 1e-9), np.inf)
        limit = float(np.quantile([learned.score(picture) for picture in validation], 0.99))
        return cls(learned.mean, learned.components, learned.spread, learned.residual, limit)

    def score(self, picture: np.ndarray) -> float:
        """How unlike the training pictures a preprocessed (H, W) is; above `limit`, it should be said."""
        centred = thumbnails(picture[None])[0] - self.mean
        along = self.components @ centred
        inside = np.square(along / self.spread).mean()
        outside = np.square(centred - along @ self.components).sum() / self.residual
        return float(0.5 * (inside + outside))

    def tensors(self) -> dict[str, np.ndarray]:
        """What to save beside a checkpoint's weights."""
        return {
            TENSORS + "mean": self.mean,
            TENSORS + "components": self.components,
            TENSORS + "spread": self.spread,
            TENSORS + "numbers": np.array([self.residual, self.limit], np.float32),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> OutOfDistributionDetector:
        part = {key: np.asarray(value) for key, value in tensors.items() if key.startswith(TENSORS)}
        residual, limit = part[TENSORS + "numbers"].ravel()
        return cls(
            part[TENSORS + "mean"],
            part[TENSORS + "components"],
            part[TENSORS + "spread"],
            float(residual),
            float(limit),
        )


def thumbnails(pictures: np.ndarray) -> np.ndarray:
    """(N, H, W) to (N, SIDE * SIDE) float32.

    Raises:
        ValueError: for other than N pictures of two dimensions.
    """
    if len(pictures) == 0:
        raise ValueError("there are no pictures to make thumbnails of")
    flat = [two_dimensional(picture, "a picture") for picture in pictures]
    return np.stack(
        [
            cv2.resize(np.ascontiguousarray(p, np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel()
            for p in flat
        ]
    )
