"""Class sensitivity: in a grid of one positive and three negative pictures, the share of the evidence that the positive
one holds.
"""

from __future__ import annotations

import numpy as np

from engine.metrics.classification import known
from engine.metrics.intervals import Groups, mean_interval
from engine.metrics.measure import Measure, NotMeasurable, Sample

METRICS = ("class_sensitivity",)
NEGATIVES = 3  # a 2 x 2 grid, section 4.2.2 of Sun et al.


def grids(positives: np.ndarray, negatives: np.ndarray, seed: int) -> np.ndarray:
    """Every positive with three different negatives: (G, 4) indices, the positive first.

    The negatives are used up in shuffled order; when fewer than three are left, all are shuffled anew. The authors'
    code then emits a grid of the positive alone, which scores 1 by construction; here every grid has four pictures.
    """
    random = np.random.default_rng(seed)
    whole = len(negatives) // NEGATIVES * NEGATIVES
    rounds = -(-len(positives) * NEGATIVES // whole)
    cycle = np.concatenate([random.permutation(negatives)[:whole] for _ in range(rounds)])
    return np.column_stack([positives, cycle[: len(positives) * NEGATIVES].reshape(-1, NEGATIVES)])


def class_sensitivity(
    labels: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    energy: np.ndarray,
    finding: str = "",
    groups: Groups = None,
    most: int = 200,
    seed: int = 0,
) -> Measure:
    """Mean over up to `most` grids of positive evidence in the positive picture / positive evidence in the grid.

    Taken are the highest-scored positives and the lowest-scored negatives (up to three times `most`) that were
    classified correctly. A grid without any evidence scores 0. Chance is 0.25; n is the number of grids. The interval
    is that of the mean over grids, clustered by the patient of the positive picture.

    Args:
        labels: (N,) 0, 1 or NaN (ignored).
        scores: (N,); the call is positive strictly above `threshold`.
        energy: (N,) sum of the positive part of each picture's weighted map (`evidence.positive_energy`).
        groups: (N,) patients, or None.

    Raises:
        NotMeasurable: without a correctly classified positive, or with fewer than three such negatives.
    """
    energy = np.asarray(energy, dtype=np.float64)
    if energy.shape != np.shape(labels):
        raise ValueError(f"energy must have the shape of labels, {np.shape(labels)}, got {energy.shape}")
    positive, scores, clusters = known(labels, scores, groups)
    labelled = ~np.isnan(np.asarray(labels, dtype=np.float64))
    energy = energy[labelled]
    if not np.isfinite(energy).all() or (energy < 0).any():
        raise ValueError("energy must be finite and not negative: it is the sum of a map's positive part")
    right = (scores > threshold) == positive
    rising = np.argsort(scores, kind="stable")
    ups = rising[(right & positive)[rising]][::-1][:most]
    downs = rising[(right & ~positive)[rising]][: NEGATIVES * most]
    if len(ups) < 1 or len(downs) < NEGATIVES:
        raise NotMeasurable(
            f"{finding or 'all'} has {len(ups)} positive and {len(downs)} negative pictures classified correctly; "
            f"a grid needs 1 and {NEGATIVES}"
        )
    held = energy[grids(ups, downs, seed)]  # (G, 4)
    total = held.sum(axis=1)
    values = np.divide(held[:, 0], total, out=np.zeros(len(held)), where=total > 0)
    empty = int((total == 0).sum())
    return Measure(
        "class_sensitivity",
        finding,
        values.mean(),
        *mean_interval(values, clusters[ups], within=(0.0, 1.0)),
        n=len(values),
        chance=1 / (1 + NEGATIVES),
        remark=f"{empty} of {len(values)} grids hold no evidence and score 0" if empty else "",
        sample=Sample(values, None if groups is None else np.asarray(groups)[labelled][ups]),
    )
