"""Is this scan like those a checkpoint was trained on?

Principal components of thumbnails and the distribution of textures, kept inside the checkpoint, and how much of a
picture its thumbnail keeps at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from engine.preprocessing import two_dimensional
from engine.texture import LENGTH, texture

TENSORS = "out_of_distribution."  # what the names of its tensors begin with
SIDE = 24  # thumbnails are SIDE x SIDE
ENOUGH = 2000  # pictures of each part to learn from; more change nothing
FLOOR = 0.16  # of `kept_share`, where the numbers stand: half of the least that a scan was seen to keep
SHRINKAGE = 0.1  # of the correlations between a texture's numbers
FOLDS = 5  # of the training pictures, each scored by what was learned from the others
EXCEED = 0.02  # the share of pictures not learned from that the limit calls unlike
TEXTURE_MEAN, TEXTURE_WHITENING = TENSORS + "texture_mean", TENSORS + "texture_whitening"
MIDDLE = 3  # slices of a volume that are looked at
FEWEST_CELLS = 0.1  # of a thumbnail's; with fewer above the darkest grey, all count


@dataclass(frozen=True)
class Textures:
    """How the textures (`engine.texture`) of the training pictures are distributed.

    Attributes:
        mean: (LENGTH,) float32.
        whitening: (LENGTH, LENGTH) float32, which turns a texture less the mean into nearly independent numbers whose
            squares are 1 in the mean.
        weight: of its score beside that of the thumbnail, so that both reach as far on pictures not learned from.

    Raises:
        ValueError: a shape, or a weight that is not above 0.
    """

    mean: np.ndarray
    whitening: np.ndarray
    weight: float = 1.0

    def __post_init__(self):
        for name, shape in (("mean", (LENGTH,)), ("whitening", (LENGTH, LENGTH))):
            array = getattr(self, name)
            if array.shape != shape or array.dtype.kind != "f":
                raise ValueError(f"texture {name} must be {shape} numbers, got {array.shape} {array.dtype}")
        if not self.weight > 0:
            raise ValueError(f"the weight of textures must be above 0, got {self.weight}")

    @classmethod
    def of(cls, textures: np.ndarray) -> Textures:
        """Learned from (N, LENGTH): their correlations, drawn towards none by `SHRINKAGE`."""
        mean, spread = textures.mean(axis=0), textures.std(axis=0) + 1e-3
        standard = (textures - mean) / spread
        correlation = (1 - SHRINKAGE) * (standard.T @ standard) / max(len(standard) - 1, 1) + SHRINKAGE * np.eye(LENGTH)
        whitening = np.linalg.inv(np.linalg.cholesky(correlation)) / spread
        whitening /= np.sqrt(np.square((textures - mean) @ whitening.T).mean() + 1e-9)
        return cls(mean.astype(np.float32), whitening.astype(np.float32))

    def score(self, textures: np.ndarray) -> np.ndarray:
        """(N,) squared Mahalanobis distances of (N, LENGTH), divided by LENGTH."""
        return np.square((textures - self.mean) @ self.whitening.T).mean(axis=-1)


@dataclass(frozen=True)
class OutOfDistributionDetector:
    """What thumbnails and textures of the training pictures look like.

    The score of a thumbnail adds how far it lies from the training mean within the leading components (Mahalanobis) and
    how much of it those components cannot say, each divided by its training mean; training pictures score about 1. A
    smooth ramp is as near to a thumbnail of tissue as tissue is: so how far the picture's texture lies from the
    training pictures' counts beside it, with a weight. White noise averages to something smooth: a picture of which the
    thumbnail keeps less than the floor scores at least limit x floor / share.

    Attributes:
        mean: (SIDE * SIDE,) float32.
        components: (K, SIDE * SIDE) float32, orthonormal.
        spread: (K,) float32, standard deviation along each component.
        residual: mean squared residual of a training thumbnail.
        limit: the score that one or two in a hundred of the pictures that it was not learned from exceed.
        floor: the least `kept_share` of a picture that can be alike, in [0, 1]; 0 for none.
        textures: None for a detector that was saved before there were any; then thumbnails count alone.

    Raises:
        ValueError: a shape, or a number out of range.
    """

    mean: np.ndarray
    components: np.ndarray
    spread: np.ndarray
    residual: float
    limit: float
    floor: float = FLOOR
    textures: Textures | None = None

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
        """Learned from preprocessed pictures (N, H, W) and (M, H, W).

        The limit comes from pictures not learned from: the larger of what two in a hundred exceed in validation and in
        training, where each fifth, as the pictures stand, is scored by what was learned from the others; a validation
        part of some dozens alone would say little of two in a hundred. The floor is `FLOOR`, or half of what 99 of a
        hundred in validation reach where that is less: pictures that are noise themselves.
        """
        thumbs, made = thumbnails(training), np.stack([texture(picture) for picture in training])
        learned = cls._learned(thumbs, made, components)
        unseen = learned._parts(thumbnails(validation), np.stack([texture(picture) for picture in validation]))
        apart = [
            cls._learned(np.delete(thumbs, fold, 0), np.delete(made, fold, 0), components)._parts(
                thumbs[fold], made[fold]
            )
            for fold in (np.array_split(np.arange(len(thumbs)), FOLDS) if len(thumbs) >= 2 * FOLDS else ())
        ]
        groups = [unseen, *([np.concatenate(apart, axis=1)] if apart else [])]
        far = np.max([np.quantile(group, 0.99, axis=1) for group in groups], axis=0)
        weight = float(far[0] / max(far[1], 1e-9))
        limit = max(float(np.quantile(_together(group[0], group[1], weight), 1 - EXCEED)) for group in groups)
        kept = float(np.quantile([kept_share(picture) for picture in validation], 0.01))
        textures = replace(learned.textures, weight=weight) if learned.textures else None
        return replace(learned, limit=limit, floor=min(FLOOR, kept / 2), textures=textures)

    @classmethod
    def _learned(cls, thumbs: np.ndarray, textures: np.ndarray, components: int) -> OutOfDistributionDetector:
        """Without a limit, from thumbnails (N, SIDE * SIDE) and textures (N, LENGTH)."""
        mean = thumbs.mean(axis=0)
        n_components = max(1, min(components, len(thumbs) // 5))
        _, singular, axes = np.linalg.svd(thumbs - mean, full_matrices=False)
        axes, spread = axes[:n_components], singular[:n_components] / np.sqrt(max(len(thumbs) - 1, 1)) + 1e-6
        rest = (thumbs - mean) - (thumbs - mean) @ axes.T @ axes
        residual = float(np.square(rest).sum(axis=1).mean() + 1e-9)
        return cls(mean, axes, spread.astype(np.float32), residual, np.inf, textures=Textures.of(textures))

    def score(self, picture: np.ndarray) -> float:
        """How unlike the training pictures a preprocessed (H, W) is; above `limit`, it should be said."""
        score = float(self._thumbnail_scores(thumbnails(picture[None]))[0])
        if self.textures is not None:
            score = float(_together(score, self.textures.score(texture(picture)), self.textures.weight))
        share = kept_share(picture)
        return score if share >= self.floor else max(score, self.limit * self.floor / max(share, 1e-3))

    def score_volume(self, slices: np.ndarray) -> float:
        """The mean score of the middle slices of a preprocessed volume (S, H, W)."""
        return float(np.mean([self.score(slices[place]) for place in middle_slices(len(slices))]))

    def _parts(self, thumbs: np.ndarray, textures: np.ndarray) -> np.ndarray:
        """(2, N): the scores of thumbnails and, without their weight, of textures."""
        assert self.textures is not None
        return np.stack([self._thumbnail_scores(thumbs), self.textures.score(textures)])

    def _thumbnail_scores(self, thumbs: np.ndarray) -> np.ndarray:
        """(N,) of (N, SIDE * SIDE)."""
        centred = thumbs - self.mean
        along = centred @ self.components.T
        inside = np.square(along / self.spread).mean(axis=1)
        outside = np.square(centred - along @ self.components).sum(axis=1) / self.residual
        return 0.5 * (inside + outside)

    def tensors(self) -> dict[str, np.ndarray]:
        """What to save beside a checkpoint's weights."""
        numbers, saved = [self.residual, self.limit, self.floor], {}
        if self.textures is not None:
            numbers.append(self.textures.weight)
            saved = {TEXTURE_MEAN: self.textures.mean, TEXTURE_WHITENING: self.textures.whitening}
        return {
            TENSORS + "mean": self.mean,
            TENSORS + "components": self.components,
            TENSORS + "spread": self.spread,
            TENSORS + "numbers": np.array(numbers, np.float32),
            **saved,
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> OutOfDistributionDetector:
        """What `tensors` saved; the floor is `FLOOR` where it was saved before there was one, as with the textures."""
        part = {key: np.asarray(value) for key, value in tensors.items() if key.startswith(TENSORS)}
        residual, limit, *more = map(float, part[TENSORS + "numbers"].ravel())
        textures = None
        if len(more) > 1:
            textures = Textures(part[TEXTURE_MEAN], part[TEXTURE_WHITENING], more[1])
        return cls(
            part[TENSORS + "mean"],
            part[TENSORS + "components"],
            part[TENSORS + "spread"],
            residual,
            limit,
            *more[:1],
            textures=textures,
        )


def middle_slices(slices: int) -> list[int]:
    """Which of a volume's slices are looked at: the middle one, and those beside it where there are any."""
    count = min(MIDDLE, slices)
    first = (slices - count) // 2
    return list(range(first, first + count))


def _together(thumbnail: Any, texture: Any, weight: float) -> Any:
    """The mean of both scores, of which that of the texture counts `weight` times."""
    return (thumbnail + weight * texture) / (1 + weight)


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
