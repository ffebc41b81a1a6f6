"""How often the networks of ACAT and its competitors call the right class, over all scans and by the lesion's size
(Tables 1, 2, 6 and 7 of Fontanella et al. 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from engine.datasets.collection import Collection
from engine.datasets.stroke_phantom import SIZES
from engine.metrics.classification import auc, sensitivity, share, specificity
from engine.metrics.intervals import mean_interval
from engine.metrics.measure import Measure, Sample

BASELINE, OURS = "baseline", "ACAT"


def calls(
    measured: Callable[..., None],
    classes: np.ndarray,
    known: np.ndarray,
    collection: Collection,
    indices: np.ndarray,
    name: str = "",
) -> None:
    """AUC, accuracy over all classes, sensitivity and specificity, also by the lesion's size.

    Args:
        measured: takes each measure and its arguments, see `engine.metrics.measure.collected`.
        classes: (n, K) probabilities of the scans `indices`, class 0 being "no finding"; known: (n,) the right ones.
        name: of the network, where several stand in one list.
    """
    finding, groups = collection.findings[0], collection.patients[indices]
    ill = (known > 0).astype(np.float32)
    present = 1 - classes[:, 0]
    measured(named, auc, name, ill, present, finding=finding, groups=groups)
    right = classes.argmax(1) == known
    measured(class_accuracy, right, known, finding, groups, name)
    for call in (sensitivity, specificity):
        measured(named, call, name, ill, present, 0.5, finding=finding, groups=groups)
    sizes = collection.attributes.get("lesion_size")
    if sizes is None:
        return
    for size in sorted({*map(str, sizes[indices])}, key=_order):
        some = sizes[indices] == size
        measured(class_accuracy, right[some], known[some], finding, groups[some], name, "lesion_size", size or "none")


def answers(
    measured: Callable[..., None],
    probabilities: np.ndarray,
    known: np.ndarray,
    threshold: float,
    finding: str,
    groups: np.ndarray,
) -> None:
    """What a checkpoint answers: ACAT's probability, at its operating point."""
    ill = (known > 0).astype(np.float32)
    measured(auc, ill, probabilities, finding=finding, groups=groups)
    for call in (sensitivity, specificity):
        measured(call, ill, probabilities, threshold, finding=finding, groups=groups)


def _order(size: str) -> int:
    return ("", *SIZES).index(size)


def named(call: Callable[..., Measure], name: str, *args: Any, **kwargs: Any) -> Measure:
    """A measure with `name` as its variant."""
    return replace(call(*args, **kwargs), variant=name)


def class_accuracy(
    right: np.ndarray,
    known: np.ndarray,
    finding: str,
    groups: np.ndarray,
    variant: str,
    attribute: str = "",
    attribute_value: str = "",
) -> Measure:
    """Share of scans of which the right one of all classes is called; its chance is always calling the commonest."""
    commonest = float(np.bincount(known).max() / len(known))
    row = share("accuracy", right, finding, groups, chance=None if attribute else commonest)
    return replace(
        row,
        variant=variant,
        attribute=attribute,
        attribute_value=attribute_value,
        sample=Sample(right.astype(float), groups),
    )


def paired(classes: np.ndarray, known: np.ndarray, finding: str, groups: np.ndarray) -> Measure:
    """How much more often ACAT is right than its baseline, on the same scans."""
    gain = (classes[1].argmax(1) == known).astype(float) - (classes[0].argmax(1) == known)
    return Measure(
        "effect",
        finding,
        float(gain.mean()),
        *mean_interval(gain, groups),
        n=len(gain),
        chance=0.0,
        variant=f"accuracy, {OURS} less {BASELINE}",
        sample=Sample(gain, groups),
    )
