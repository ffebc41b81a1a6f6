"""How near the supervised U-Net comes to the truth, and what else a table asks of it."""

from __future__ import annotations

import numpy as np

from engine.datasets.collection import Collection
from engine.methods.supervised.explain import BATCH, SupervisedModel
from engine.metrics.classification import accuracy, auc, mean_auc, sensitivity, specificity
from engine.metrics.composition import composition
from engine.metrics.disease_sensitivity import disease_sensitivity
from engine.metrics.hit_rate import hit_rate
from engine.metrics.means import mean_over
from engine.metrics.measure import Measure, collected
from engine.metrics.recovery import recovery, restraint
from engine.metrics.stride_energy import stride_energy
from engine.metrics.subjects import Variant
from engine.preprocessing import Preprocessing

MOST_COUNTERFACTUALS = 300  # positives a finding whose true counterfactual is drawn


def look(
    model: SupervisedModel, collection: Collection, indices: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (N, s, s), maps (N, C, s, s), float16 both, and probabilities (N, C) of the pictures at `indices`."""
    side, pictures, maps, probabilities = model.preprocessing.size, [], [], []
    for start in range(0, len(indices), BATCH):
        seen = np.stack(
            [model.preprocessing.apply(collection.image(int(i), side)) for i in indices[start : start + BATCH]]
        )
        found, believed = model.forward(seen)
        pictures.append(seen.astype(np.float16))
        maps.append(found.astype(np.float16))
        probabilities.append(believed)
    return np.concatenate(pictures), np.concatenate(maps), np.concatenate(probabilities)


def evaluate(model: SupervisedModel, collection: Collection, indices: np.ndarray) -> tuple[list[Measure], list[str]]:
    """What the other rows of a table have: calls, where the map lies, what it leaves alone, and how near it comes to
    the truth.
    """
    pictures, maps, probabilities = look(model, collection, indices)
    labels, groups, side = collection.labels[indices], collection.patients[indices], model.preprocessing.size
    rows, measured, remarks = collected()
    measured(mean_auc, labels, probabilities, model.findings, groups=groups)
    for c, finding in enumerate(model.findings):
        known, has = ~np.isnan(labels[:, c]), labels[:, c] == 1
        measured(auc, labels[known, c], probabilities[known, c], finding=finding, groups=groups[known])
        for call in (sensitivity, specificity, accuracy):
            measured(
                call,
                labels[known, c],
                probabilities[known, c],
                float(model.thresholds[c]),
                finding=finding,
                groups=groups[known],
            )
        marked = [(n, collection.regions(int(indices[n]), finding, side)) for n in np.flatnonzero(has)]
        marked = [(n, [r for r in regions if r.any()]) for n, regions in marked if any(r.any() for r in regions)]
        pairs, who = (
            [(np.abs(maps[n, c].astype(np.float32)), regions) for n, regions in marked],
            groups[[n for n, _ in marked]],
        )
        for call in (hit_rate, disease_sensitivity) if pairs else ():
            measured(call, pairs, finding=finding, groups=who)
        before, change = (stack.astype(np.float32) for stack in (pictures[~has & known], maps[~has & known, c]))
        span, who = 2 * model.preprocessing.value_range, groups[~has & known]
        measured(composition, before, before + change, span, finding, who, variant=Variant.WITHOUT)
        measured(
            stride_energy, maps[:, c].astype(np.float32), pictures.astype(np.float32), finding=finding, groups=groups
        )
        if collection.has_counterfactuals and has.any():
            some = np.flatnonzero(has)[:MOST_COUNTERFACTUALS]
            before = pictures[some].astype(np.float32)
            truth = true_counterfactuals(model.preprocessing, collection, indices[some], finding)
            for call in (recovery, restraint):
                measured(
                    call, before, before + maps[some, c].astype(np.float32), truth, finding=finding, groups=groups[some]
                )
    for metric in ("recovery", "restraint", "stride_energy", "hit_rate"):
        rows += mean_over(rows, metric)
    return rows, remarks


def true_counterfactuals(prep: Preprocessing, collection: Collection, indices: np.ndarray, finding: str) -> np.ndarray:
    """(N, s, s) float32: the pictures without `finding` in the network's range, by the percentiles of the
    pictures with it.
    """
    return np.stack(
        [
            prep.apply(
                collection.counterfactual(index, prep.size, without=(finding,)), like=collection.image(index, prep.size)
            )
            for index in map(int, indices)
        ]
    )
