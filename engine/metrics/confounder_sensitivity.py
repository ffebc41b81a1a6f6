"""Confounder sensitivity: how much of a planted tag the strongest pixels of a class centre cover."""

from __future__ import annotations

import numpy as np

from engine.metrics.measure import Measure, NotMeasurable

METRICS = ("confounder_sensitivity",)


def confounder_sensitivity(centre: np.ndarray, tag: np.ndarray, finding: str = "", top: float = 0.10) -> Measure:
    """Share of the tag's pixels that are among the `top` strongest of |positive class centre| (section 4.5.1 of Sun et
    al.).

    A recall over the tag, as the paper's second sentence and its code have it; the first sentence reads as a precision.
    Pixels tied at the cut are counted by the share of them that fits, so a flat centre scores chance, which is `top`.
    n is the number of tag pixels. There is no interval: one centre and one tag are all there is, and neighbouring
    pixels are no sample of anything.

    Args:
        centre: (h, w) signed.
        tag: (h, w) bool, where the tag was drawn.

    Raises:
        NotMeasurable: when the tag has no pixel.
    """
    strength, tag = np.abs(np.asarray(centre, dtype=np.float64)), np.asarray(tag)
    if strength.ndim != 2 or strength.shape != tag.shape or tag.dtype != bool:
        raise ValueError(
            f"centre and tag must share one (h, w), the tag bool, got {strength.shape} and {tag.shape} {tag.dtype}"
        )
    if not np.isfinite(strength).all():
        raise ValueError("a class centre must be finite")
    if not tag.any():
        raise NotMeasurable(f"{finding or 'all'} has an empty tag, so its confounder sensitivity cannot be measured")
    k = max(1, round(top * strength.size))
    cut = np.partition(strength, -k, axis=None)[-k]
    above, tied = strength > cut, strength == cut
    covered = above[tag].sum() + tied[tag].sum() * (k - above.sum()) / tied.sum()
    return Measure(
        "confounder_sensitivity",
        finding,
        covered / tag.sum(),
        None,
        None,
        n=int(tag.sum()),
        chance=k / strength.size,
        remark="no interval: one class centre and one tag, nothing is sampled",
    )
