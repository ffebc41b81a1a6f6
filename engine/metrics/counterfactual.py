"""What a counterfactual should do beside coming true: change the answer, change little else, and be undone (Monteiro et
al. 2023; Xia et al. 2024).
"""

from __future__ import annotations

import numpy as np

from engine.metrics.intervals import Groups, mean_interval, share_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample
from engine.metrics.stacks import Pictures, same_stack

METRICS = ("amplification", "flip_rate", "minimality", "reversibility")


def flip_rate(
    before: np.ndarray,
    after: np.ndarray,
    threshold: float,
    finding: str = "",
    groups: Groups = None,
    variant: str = "",
) -> Measure:
    """Share of the pictures that were called positive, strictly above `threshold`, of which the counterfactual is not.

    n is the number of pictures called positive; the interval is Wilson's.

    Args:
        before, after: (N,) the model's own probabilities of a picture and of its counterfactual.
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: none was called positive.
    """
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if before.ndim != 1 or before.shape != after.shape:
        raise ValueError(f"before and after must share one shape (N,), got {before.shape} and {after.shape}")
    called = before > threshold
    if not called.any():
        raise NotMeasurable(f"{finding or 'all'}: none of {len(before)} pictures is called positive, so none can flip")
    hits = after[called] <= threshold
    clusters = None if groups is None else np.asarray(groups)[called]
    return Measure(
        "flip_rate",
        finding,
        hits.mean(),
        *share_interval(hits, clusters),
        n=int(called.sum()),
        variant=variant,
        sample=Sample(hits.astype(np.float64), clusters),
    )


def minimality(
    x: Pictures, x_hat: Pictures, span: float, finding: str = "", groups: Groups = None, variant: str = ""
) -> Measure:
    """Mean over pictures of mean |x_hat - x| / span: how much of the grey range the counterfactual moves.

    Less is better only where the answer changes; read it beside `flip_rate`. n is the number of pictures.

    Args:
        x, x_hat: (N, H, W) in one unit.
        span: greatest minus least value that a picture can take.
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: no picture.
    """
    return _moved("minimality", x, x_hat, span, finding, groups, variant)


def reversibility(
    x: Pictures, there_and_back: Pictures, span: float, finding: str = "", groups: Groups = None, variant: str = ""
) -> Measure:
    """The same of pictures from which the finding was taken away and then put in again: 0 is perfect."""
    return _moved("reversibility", x, there_and_back, span, finding, groups, variant)


def _moved(metric, x, x_hat, span, finding, groups, variant) -> Measure:
    if not span > 0:
        raise ValueError(f"span must be above 0, got {span}")
    if not len(x):
        raise NotMeasurable(f"{finding or 'all'}: there is no picture to change")
    x, x_hat = same_stack(x=x, x_hat=x_hat)
    moved = np.array([np.abs(hat.astype(np.float64) - a).mean() / span for a, hat in zip(x, x_hat)])
    return Measure(
        metric,
        finding,
        moved.mean(),
        *mean_interval(moved, groups, within=(0.0, np.inf)),
        n=len(moved),
        variant=variant,
        sample=Sample(moved, None if groups is None else np.asarray(groups)),
    )


def amplification(
    before: np.ndarray,
    after: np.ndarray,
    finding: str = "",
    groups: Groups = None,
    variant: str = "",
) -> Measure:
    """Mean over pictures of mean |p after - p before| of everything that was not to change; 0 is perfect.

    n is the number of pictures.

    Args:
        before, after: (N, K) probabilities of K other findings or attributes.
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: no picture, or nothing else that could change.
    """
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if before.ndim != 2 or before.shape != after.shape:
        raise ValueError(f"before and after must share one shape (N, K), got {before.shape} and {after.shape}")
    if not before.size:
        raise NotMeasurable(f"{finding or 'all'}: the model knows nothing else that could change along with it")
    moved = np.abs(after - before).mean(axis=1)
    return Measure(
        "amplification",
        finding,
        moved.mean(),
        *mean_interval(moved, groups, within=(0.0, 1.0)),
        n=len(moved),
        variant=variant,
        sample=Sample(moved, None if groups is None else np.asarray(groups)),
    )
