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
) -> TrustView | None:
    """What stands beside the slider; None for a method without a counterfactual.

    Args:
        rates: of the checkpoint's card.
        likeness: (H, W) in the scan's units to (score, limit) of the checkpoint's detector; None where it has none.
    """
    path = explanation.path
    if path is None or scan.pixels.ndim != 2 or path.changes.ndim != 3:
        return None
    from engine.metrics.ssim import similarity  # SciPy and scikit-image, which a page need not wait for

    grid = path.changes.shape[1:]
    if min(grid) <= 10:  # less than the window of SSIM
        return None
    coarse = cv2.resize(scan.pixels, grid[::-1], interpolation=cv2.INTER_AREA)
    places = [k for k, step in enumerate(path.steps) if step == 0 or np.isclose(step, LOOKED_AT).any()]
    alike, like = [], []
    for k in places:
        changed = coarse + path.changes[k]
        alike.append(1.0 if k == 0 else similarity(coarse, changed, path.grey_range))
        if likeness is not None:
            score, limit = likeness(changed.astype(np.float32))
            like.append(float(np.clip(score / limit, 0, 1e6)))
    return TrustView(
        steps=path.steps[places],
        similarity=np.array(alike, np.float32),
        likeness=np.array(like, np.float32) if like else None,
        record=measured_recovery(explanation.finding, rates),
    )


def measured_recovery(finding: str, rates: Sequence[Measure]) -> str:
    """What share of the true change this model has brought for this finding, where its card says so."""
    row = rate(rates, "recovery", finding)
    if row is None or row.low is None or row.high is None:
        return "was never measured against a true one"
    low, value, high = (round(100 * share) for share in (row.low, row.value, row.high))
    if row.value <= 0:
        return f"comes no nearer the truth than no change, in tests ({value} %, {low} to {high})"
    return f"brings {value} % ({low} to {high}) of the true change, in tests"
