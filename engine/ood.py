"""Is this scan like those a checkpoint was trained on?

Principal components of thumbnails, kept inside the checkpoint, and how much of a picture its thumbnail keeps at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from engine.preprocessing import two_dimensional

TENSORS = "out_of_distribution."  # what the names of its tensors begin with
SIDE = 24  # thumbnails are SIDE x SIDE
ENOUGH = 2000  # pictures of each part to learn from; more change nothing
FLOOR = 0.16  # of `kept_share`, where the numbers stand: half of the least that a scan was seen to keep
FEWEST_CELLS = 0.1  # of a thumbnail's; with fewer above the darkest grey, all count


@dataclass(frozen=True)
class OutOfDistributionDetector:
    """What thumbnails of the training pictures look like.

    The score adds how far a thumbnail lies from the training mean within the leading components (Mahalanobis) and how
    much of it those components cannot say, each divided by its training mean; training pictures score about 1. White
    noise averages to something smooth and would pass: a picture of which the thumbnail keeps less than the floor scores
    at least limit x floor / share.

    Attributes:
        mean: (SIDE * SIDE,) float32.
        components: (K, SIDE * SIDE) float32, orthonormal.
        spread: (K,) float32, standard deviation along each component.
        residual: mean squared residual of a training thumbnail.
        limit: the score that one validation picture in a hundred exceeds.
        floor: the least `kept_share` of a picture that can be alike, in [0, 1]; 0 for none.

    Raises:
        ValueError: a shape, or a number out of range.
    """

    mean: np.ndarray
    components: np.ndarray
    spread: np.ndarray
    residual: float
    limit: float
    floor: float = FLOOR

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
        if not 0 <= self.floor <= 1:
            raise ValueError(f"floor must lie in [0, 1], got {self.floor}")

    @classmethod
    def of(cls, training: np.ndarray, validation: np.ndarray, components: int = 40) -> OutOfDistributionDetector:
        """Learned from preprocessed pictures (N, H, W) and (M, H, W); the limit comes from those not learned from.

        The floor is `FLOOR`, or half of what 99 of a hundred of those reach where that is less: pictures that are noise
        themselves.
        """
        thumbs = thumbnails(training)
        mean = thumbs.mean(axis=0)
        n_components = max(1, min(components, len(thumbs) // 5))
        _, singular, axes = np.linalg.svd(thumbs - mean, full_matrices=False)
        axes, spread = axes[:n_components], singular[:n_components] / np.sqrt(max(len(thumbs) - 1, 1)) + 1e-6
        rest = (thumbs - mean) - (thumbs - mean) @ axes.T @ axes
        residual = float(np.square(rest).sum(axis=1).mean() + 1e-9)
        learned = cls(mean, axes, spread.astype(np.float32), residual, np.inf)
        limit = float(np.quantile([learned._thumbnail_score(picture) for picture in validation], 0.99))
        kept = float(np.quantile([kept_share(picture) for picture in validation], 0.01))
        return replace(learned, limit=limit, floor=min(FLOOR, kept / 2))

    def score(self, picture: np.ndarray) -> float:
        """How unlike the training pictures a preprocessed (H, W) is; above `limit`, it should be said."""
        score, share = self._thumbnail_score(picture), kept_share(picture)
        return score if share >= self.floor else max(score, self.limit * self.floor / max(share, 1e-3))

    def _thumbnail_score(self, picture: np.ndarray) -> float:
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
            TENSORS + "numbers": np.array([self.residual, self.limit, self.floor], np.float32),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> OutOfDistributionDetector:
        """What `tensors` saved; the floor is `FLOOR` where it was saved before there was one."""
        part = {key: np.asarray(value) for key, value in tensors.items() if key.startswith(TENSORS)}
        residual, limit, *floor = map(float, part[TENSORS + "numbers"].ravel())
        return cls(
            part[TENSORS + "mean"], part[TENSORS + "components"], part[TENSORS + "spread"], residual, limit, *floor
        )


def kept_share(picture: np.ndarray) -> float:
    """Which share of a preprocessed (H, W) picture's variance its thumbnail keeps, in [0, 1]; 1 for a flat picture.

    Counted are the thumbnail's pixels that hold none of the picture's darkest grey, or all where those are few: noise
    that a crop has set on a black ground would else be told from that ground.

    Smallest and median share through the preprocessing of the checkpoints that were trained on each, all splits:

    | pictures | number | smallest | median |
    |---|---|---|---|
    | NIH films, 96 x 96 | 500 | 0.81 | 0.95 |
    | breast ultrasound, 112 x 112 | 619 | 0.55 | 0.88 |
    | brain MR, 112 x 112 | 2446 | 0.31 | 0.52 |
    | phantom, 96 x 96 | 300 | 0.76 | 0.93 |
    | VA-GAN's synthetic pictures, 112 x 112 | 300 | 0.74 | 0.77 |

    One brain more, cut down to a fragment, keeps 0.18. Uniform noise keeps at most 0.12 from 96 x 96 pixels up and 0.08
    from 300 x 300; below 80 x 80 its grains are enlarged, and what the thumbnail shows of them is left to the score.
    Of 105 pictures of pydicom's own files, median 0.84 to 0.89, one that is nearly blank keeps least, 0.18 to 0.23.
    """
    x = np.ascontiguousarray(two_dimensional(picture, "a picture"), np.float64)

    def averaged(values: np.ndarray) -> np.ndarray:
        return cv2.resize(values, (SIDE, SIDE), interpolation=cv2.INTER_AREA)

    x = x - x.mean()
    seen = averaged((x > x.min()).astype(np.float64)) > 1 - 1e-6
    if seen.mean() < FEWEST_CELLS:
        seen = np.ones_like(seen)
    kept, squares = averaged(x)[seen], averaged(np.square(x))[seen]
    variance = squares.mean() - kept.mean() ** 2
    return float(min(kept.var() / variance, 1.0)) if variance > 1e-9 else 1.0


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
