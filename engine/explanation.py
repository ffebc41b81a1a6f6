"""Scan + model -> Explanation: the one record that every method returns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.regions import LEVELS, Region

CHANGE_LIMIT = 0.5  # of the grey range, where a checkpoint's configuration does not say how far its changes go


def fitting_change_limit(changes: np.ndarray, grey_range: float) -> float:
    """Where a colour bar of changes ends: at the largest change of all but one picture in a hundred, rounded up to 5 %.

    Args:
        changes: (N, ...) of N pictures at a = 1, on the scale on which the greys span `grey_range`.

    Returns:
        A share of the grey range, in (0, 1].
    """
    largest = np.abs(changes.reshape(len(changes), -1)).max(axis=1).astype(np.float64) / grey_range
    return float(np.clip(np.ceil(round(20 * float(np.quantile(largest, 0.99)), 6)) / 20, 0.05, 1.0))


def full_step(steps: np.ndarray) -> int:
    """Which of the steps (K,) of a path is the full counterfactual, 1, or nearest to it."""
    return int(np.argmin(np.abs(steps - 1)))


@dataclass(frozen=True)
class Path:
    """The counterfactual slider: what the scan turns into, step by step.

    Attributes:
        steps: (K,) float32, rising from 0 (the scan as it is); 1 is the full counterfactual.
        probabilities: (K,) float32, the model's own probability for the frame at each step.
        changes: (K, h, w) or (K, s, h, w) float32 on the model's grid, in the scan's units: frame k is scan +
            enlarged(changes[k]).
        grey_range: what the range of greys that the model works in spans on this scan, in the scan's units.
        change_limit: share of `grey_range` at which a colour bar of changes ends, the same for every scan of this
            checkpoint.
    """

    steps: np.ndarray
    probabilities: np.ndarray
    changes: np.ndarray
    grey_range: float
    change_limit: float = CHANGE_LIMIT

    def __post_init__(self):
        if self.steps.ndim != 1 or self.probabilities.shape != self.steps.shape or len(self.changes) != len(self.steps):
            raise ValueError(
                f"steps, probabilities and changes must agree in length, got {self.steps.shape}, "
                f"{self.probabilities.shape} and {self.changes.shape}"
            )
        if not (np.isfinite(self.grey_range) and self.grey_range > 0 and 0 < self.change_limit <= 1):
            raise ValueError(
                f"grey_range must be above 0 and change_limit in (0, 1], got {self.grey_range} and {self.change_limit}"
            )
        if self.steps[0] != 0 or np.any(np.diff(self.steps) <= 0):
            raise ValueError("steps must rise strictly from 0")

    def flip(self, threshold: float) -> float | None:
        """The first step, interpolated, at which the probability falls to `threshold`; None when it never crosses."""
        above = self.probabilities > threshold
        if not above[0] or above.all():
            return None
        k = int(np.argmin(above))
        p0, p1 = self.probabilities[k - 1], self.probabilities[k]
        t = (p0 - threshold) / max(float(p0 - p1), 1e-9)
        return float(self.steps[k - 1] + t * (self.steps[k] - self.steps[k - 1]))

    def record(self, threshold: float) -> dict:
        """Steps, probabilities and where they fall to `threshold`, ready for JSON."""
        return {
            "steps": [round(float(step), 4) for step in self.steps],
            "probabilities": [round(float(p), 6) for p in self.probabilities],
            "flip": self.flip(threshold),
        }


@dataclass(frozen=True)
class Explanation:
    """What one checkpoint says about one finding on one scan, and why.

    Attributes:
        scan_sha256: of the scan that was explained.
        checkpoint_sha256: of the weights that explained it.
        checkpoint_identity: of weights and configuration together (`Checkpoint.identity`): two models that share one
            file of weights and prepare a picture differently are two models.
        finding: the finding's name.
        probability: in [0, 1].
        threshold: the operating point; the call is positive strictly above it.
        attribution: (H, W) or (S, H, W) float32 on the scan's own pixel grid, in `attribution_unit`, signed or not as
            the method declares; never scaled per picture; None in a record that has left its large pictures behind.
        attribution_unit: what one unit of `attribution` means, in words.
        attribution_limit: the colour bar runs from -limit, or 0 for a map without signs, to +limit, the same for every
            scan of this checkpoint and finding.
        evidence: (h, w) or (s, h, w) float32, `attribution` on the model's own grid.
        counterfactual: (H, W) or (S, H, W) float32, the scan without the finding, in the scan's units; None for a
            method that makes none, and in a record without its large pictures.
        path: the counterfactual slider; None where there is no counterfactual.
        in_distribution: (score, limit); at or below the limit the scan is like those the checkpoint was trained on.
            None where those are not known.
        seconds: wall time of this finding's explanation.
        both_signs: whether negative values of `attribution` speak for the finding as positive ones do, as in a map of
            changes.
        contrast_class: what the finding is told from, and the counterfactual has instead; None for its absence.
        regions: the image and its named parts, for a method that explains in a hierarchy; None for others.
        only_drawn: the checkpoint has seen drawn pictures only and the scan is a person's
            (`engine.checkpoints.detector.only_drawn`).

    Raises:
        ValueError: when a field is not as described.
    """

    scan_sha256: str
    checkpoint_sha256: str
    checkpoint_identity: str
    finding: str
    probability: float
    threshold: float
    attribution: np.ndarray | None
    attribution_unit: str
    attribution_limit: float
    evidence: np.ndarray
    counterfactual: np.ndarray | None
    path: Path | None
    in_distribution: tuple[float, float] | None
    seconds: float
    both_signs: bool = False
    contrast_class: str | None = None
    regions: Region | None = None
    only_drawn: bool = False

    def __post_init__(self):
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must lie in [0, 1], got {self.probability}")
        if self.regions is not None:
            self._check_regions(self.regions)
        if self.attribution is None:
            if self.counterfactual is not None:
                raise ValueError("a record that has left its attribution behind holds no counterfactual either")
            return
        if (self.counterfactual is None) != (self.path is None):
            raise ValueError("counterfactual and path must both be there or both be None")
        other = self.attribution.shape if self.counterfactual is None else self.counterfactual.shape
        if self.attribution.ndim not in (2, 3) or self.attribution.shape != other:
            raise ValueError(
                f"attribution and counterfactual must share one (H, W) or (S, H, W), got {self.attribution.shape} and "
                f"{other}"
            )
        if self.evidence.ndim != self.attribution.ndim:
            raise ValueError(
                f"evidence and attribution must both be of a picture or of a volume, got {self.evidence.shape} and "
                f"{self.attribution.shape}"
            )
        if not np.isfinite(self.attribution).all():
            raise ValueError("attribution must be finite")

    def _check_regions(self, regions: Region) -> None:
        if regions.level != LEVELS[0]:
            raise ValueError(f"regions must begin with the {LEVELS[0]}, got {regions.name!r} of level {regions.level}")
        grid = None if self.attribution is None else self.attribution.shape
        for mask in regions.masks():
            if mask.shape != grid:
                raise ValueError(f"the masks of regions must have the scan's own grid, {grid}, got {mask.shape}")

    def without_pictures(self) -> Explanation:
        """The same record without what has the scan's size; what the model's own grid holds, evidence and
        path, says as much.
        """
        regions = self.regions and self.regions.without_masks()
        return replace(self, attribution=None, counterfactual=None, regions=regions)

    @property
    def positive(self) -> bool:
        return self.probability > self.threshold

    @property
    def like_training(self) -> bool | None:
        """Whether the scan is like those the checkpoint was trained on; None where that is not known."""
        if self.only_drawn:
            return False
        if self.in_distribution is None:
            return None
        score, limit = self.in_distribution
        return score <= limit

    def record(self) -> dict:
        """Everything but the pictures, ready for JSON; null for a path or a detector score that is not known."""
        return {
            "scan_sha256": self.scan_sha256,
            "checkpoint_sha256": self.checkpoint_sha256,
            "checkpoint_identity": self.checkpoint_identity,
            "finding": self.finding,
            "contrast_class": self.contrast_class,
            "probability": round(float(self.probability), 6),
            "threshold": round(float(self.threshold), 6),
            "positive": bool(self.positive),
            "attribution_unit": self.attribution_unit,
            "attribution_limit": float(self.attribution_limit),
            "path": None if self.path is None else self.path.record(self.threshold),
            "in_distribution": None
            if self.in_distribution is None
            else dict(zip(("score", "limit"), map(float, self.in_distribution)))
            | {"like_training": bool(self.like_training)}
            | ({"only_drawn": True} if self.only_drawn else {}),
            "regions": None if self.regions is None else self.regions.record(),
            "seconds": round(float(self.seconds), 4),
        }


@dataclass(frozen=True)
class ClassCentres:
    """What a checkpoint learned overall about one finding.

    Attributes:
        finding: the finding's name.
        positive, negative: (h, w) float32, the mean attribution map of pictures with and without the finding, model
            units.
        weights: (h', w') float32, the linear classifier's weights, one per pooled cell.
        bias: the classifier's bias, in log-odds.
        limit: colour limit for the two centres.
    """

    finding: str
    positive: np.ndarray
    negative: np.ndarray
    weights: np.ndarray
    bias: float
    limit: float
