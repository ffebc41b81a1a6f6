"""What causal alignment is measured by: accuracy, precision of Grad-CAM, and what a symbol beside the lesion moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from engine.datasets.collection import Collection
from engine.methods.causal_alignment.explain import CausalAlignmentModel
from engine.methods.causal_alignment.network import RegionClassifier
from engine.methods.causal_alignment.pictures import RegionPictures, looked_at
from engine.metrics.answer_change import answer_change
from engine.metrics.cam_precision import cam_precision
from engine.metrics.classification import accuracy, auc, sensitivity, specificity
from engine.metrics.intervals import mean_interval
from engine.metrics.measure import Measure, collected
from engine.metrics.pixels_changed import pixels_changed
from engine.metrics.recovery import recovery, restraint
from engine.metrics.subjects import MEAN_MOVE

MOST_COUNTERFACTUALS = 200  # pictures whose counterfactual is made


def evaluate(
    model: CausalAlignmentModel, collection: Collection, indices: np.ndarray
) -> tuple[list[Measure], list[str]]:
    """Section 5.1's accuracy and precision of CAM, on pictures whose symbols, where they have any, are random whatever
    part they are of; what the symbol alone moves; and what the counterfactuals change.
    """
    pictures, (finding,) = RegionPictures(collection, model.preprocessing), model.findings
    indices = indices[~np.isnan(collection.labels[indices, list(collection.findings).index(finding)])]
    rows, remarks, p = region_rows(model.net, pictures, indices, model.device, float(model.thresholds[0]), finding)
    more, measured, said = collected()
    seen = pictures.random_symbols(indices)
    _counterfactual_rows(model, collection, indices, seen, p, measured, said)
    _attribute_rows(model, collection, indices, seen, measured)
    return rows + more, remarks + said


def region_rows(
    net: RegionClassifier,
    pictures: RegionPictures,
    indices: np.ndarray,
    device: torch.device,
    threshold: float,
    finding: str,
) -> tuple[list[Measure], list[str], np.ndarray]:
    """What every classifier of the paper's table is measured by, remarks, and the probabilities (n,)."""
    collection, own = pictures.collection, pictures.at_random(indices)
    y, groups = collection.labels[indices, list(collection.findings).index(finding)], collection.patients[indices]
    symbols = collection.symbols
    looks = {
        value: looked_at(net, pictures.under(indices, value), device, threshold)
        for value in (symbols.values if symbols else ("",))
    }
    p = np.array([looks[value][0][row] for row, value in enumerate(own.tolist())])
    cams = [looks[value][1][row] for row, value in enumerate(own.tolist())]
    rows, measured, remarks = collected()
    measured(auc, y, p, finding=finding, groups=groups)
    for call in (accuracy, sensitivity, specificity):
        measured(call, y, p, threshold, finding=finding, groups=groups)
    measured(cam_precision, list(zip(cams, pictures.regions(indices), strict=True)), finding=finding, groups=groups)
    if symbols:
        before, after = (looks[value][0] for value in symbols.values)
        rows += answer_change(before, after, threshold, finding, "symbol", symbols.values, groups)
        rows.append(mean_moved(before, after, finding, groups))
        remarks.append("every picture has its symbol drawn at random, whatever part it is of")
    return rows, remarks, p


def mean_moved(before: np.ndarray, after: np.ndarray, finding: str, groups: np.ndarray) -> Measure:
    """How far the probability moves when only the symbol changes, whichever way."""
    moved = np.abs(np.asarray(after, np.float64) - np.asarray(before, np.float64))
    return Measure(
        "effect",
        finding,
        float(moved.mean()),
        *mean_interval(moved, groups, within=(0.0, 1.0)),
        n=len(moved),
        chance=0.0,
        variant=MEAN_MOVE,
        attribute="symbol",
    )


def _counterfactual_rows(model, collection, indices, seen, p, measured, remarks) -> None:
    finding, some = model.findings[0], slice(0, MOST_COUNTERFACTUALS)
    called = p[some] > float(model.thresholds[0])
    otherwise, norms = model.counterfactuals(seen[some], 1 - called.astype(np.float32))
    groups = collection.patients[indices][some]
    measured(pixels_changed, seen[some], otherwise, 2 * model.preprocessing.value_range, finding=finding, groups=groups)
    remarks.append(
        f"counterfactuals of {len(norms)} pictures end at |grad T| {np.median(norms):.0e} (median), "
        f"{norms.max():.0e} at most"
    )
    if collection.has_counterfactuals:
        has = collection.labels[indices][:, list(collection.findings).index(finding)] == 1
        chosen = np.flatnonzero(has & (np.arange(len(indices)) < MOST_COUNTERFACTUALS))
        if len(chosen):
            truth = _true_counterfactuals(model, collection, indices[chosen], finding)
            without, _ = model.counterfactuals(seen[chosen], np.zeros(len(chosen)))
            groups = collection.patients[indices[chosen]]
            for call in (recovery, restraint):
                measured(call, seen[chosen], without, truth, finding=finding, groups=groups)


def _true_counterfactuals(model, collection: Collection, indices: Sequence[int], finding: str) -> np.ndarray:
    """(n, s, s) float32: the pictures without `finding`, by the percentiles of the pictures with it."""
    prep = model.preprocessing
    return np.stack(
        [
            prep.apply(
                collection.counterfactual(index, prep.size, without=(finding,)), like=collection.image(index, prep.size)
            )
            for index in map(int, indices)
        ]
    )


def _attribute_rows(model, collection: Collection, indices: np.ndarray, seen: np.ndarray, measured) -> None:
    """AUC of each attribute, as a finding of its name."""
    if not model.concepts or tuple(collection.concepts) != model.concepts:
        return
    values, _ = model.forward(seen)
    labels = collection.concept_labels[indices]
    for place, concept in enumerate(model.concepts):
        measured(auc, labels[:, place], values[:, place], finding=concept, groups=collection.patients[indices])
