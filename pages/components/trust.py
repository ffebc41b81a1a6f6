"""How far to trust this counterfactual: is it still the same film, does it look like a film, and how near has this
model come to the truth where that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from engine.explanation import Explanation
from engine.metrics.measure import Measure
from engine.scan import Scan
from pages.components.cards import rate
from viewer import TrustView

LOOKED_AT = (0.5, 1.0, 1.5)  # of the slider, at which a changed scan is looked at


def trust(
    explanation: Explanation,
    scan: Scan,
    rates: Sequence[Measure],
    likeness: Callable[[np.ndarray], tuple[float, float]] | None,
    variant: str = "",
) -> TrustView | None:
    """What stands beside the slider; None for a method without a counterfactual.

    Args:
        rates: of the checkpoint's card.
        likeness: (H, W), of a volume (S, H, W), in the scan's units to (score, limit) of the checkpoint's detector;
            None where it has none.
        variant: of the card's rows, see `measured_recovery`. The similarity of a volume is the mean of its slices.
    """
    path = explanation.path
    volume = scan.pixels.ndim == 3
    if path is None or path.changes.ndim != scan.pixels.ndim + 1:
        return None
    from engine.metrics.ssim import similarity  # SciPy and scikit-image, which a page need not wait for

    grid = path.changes.shape[-2:]
    if min(grid) <= 10:  # less than the window of SSIM
        return None
    changes = path.changes if volume else path.changes[:, None]
    middles = ((np.arange(changes.shape[1]) + 0.5) * len(scan.pixels) / changes.shape[1]).astype(int)
    planes = scan.pixels[middles] if volume else scan.pixels[None]
    coarse = np.stack([cv2.resize(plane, grid[::-1], interpolation=cv2.INTER_AREA) for plane in planes])
    places = [k for k, step in enumerate(path.steps) if volume or step == 0 or np.isclose(step, LOOKED_AT).any()]
    alike, like = [], []
    for k in places:
        changed = coarse + changes[k]
        ssim = [similarity(plane, other, path.grey_range) for plane, other in zip(coarse, changed, strict=True)]
        alike.append(1.0 if k == 0 else float(np.mean(ssim)))
        if likeness is not None:
            score, limit = likeness(changed.astype(np.float32) if volume else changed[0].astype(np.float32))
            like.append(float(np.clip(score / limit, 0, 1e6)))
    return TrustView(
        steps=path.steps[places],
        similarity=np.array(alike, np.float32),
        likeness=np.array(like, np.float32) if like else None,
        record=measured_recovery(explanation.finding, rates, variant),
    )


def measured_recovery(finding: str, rates: Sequence[Measure], variant: str = "") -> str:
    """What share of the true change this model has brought for this finding, where its card says so.

    Args:
        variant: whose row it is on a card that measures several networks; "" for a card of one.
    """
    about = ("recovery", finding, "", "", variant, "")
    row = rate(rates, "recovery", finding) or next((row for row in rates if row.about == about), None)
    if row is None or row.low is None or row.high is None:
        return "was never measured against a true one"
    low, value, high = (round(100 * share) for share in (row.low, row.value, row.high))
    if row.value <= -1:
        return (
            f"ends {1 - row.value:.1f} times as far from the truth as no change would, in tests "
            f"({1 - row.high:.1f} to {1 - row.low:.1f})"
        )
    if row.value <= 0:
        return f"comes no nearer the truth than no change, in tests ({value} %, {low} to {high})"
    return f"brings {value} % ({low} to {high}) of the true change, in tests"
