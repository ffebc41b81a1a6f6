"""How well somebody else's model does on labelled pictures: all that can be asked of a black box."""

from __future__ import annotations

import numpy as np

from engine.datasets.collection import Collection
from engine.methods.onnx.explain import ForeignModel
from engine.metrics.classification import accuracy, auc, mean_auc, sensitivity, specificity
from engine.metrics.measure import Measure, collected


def evaluate(model: ForeignModel, collection: Collection, indices: np.ndarray) -> tuple[list[Measure], list[str]]:
    """AUC, and sensitivity, specificity and accuracy at the operating points, on the pictures at `indices`.

    Args:
        collection: its findings are those of the model, in the same order.
    """
    parts = [indices[start : start + model.batch] for start in range(0, len(indices), model.batch)]
    probabilities = np.concatenate(
        [model.predict_proba(np.stack([_seen(model, collection, int(i)) for i in part])) for part in parts]
    )
    labels, patients = collection.labels[indices], collection.patients[indices]
    rows, measured, remarks = collected()
    remarks.append("what the model was trained on is not known: these pictures may have been part of it")
    measured(mean_auc, labels, probabilities, model.findings, groups=patients)
    for c, finding in enumerate(model.findings):
        known = ~np.isnan(labels[:, c])
        y, p, who = labels[known, c], probabilities[known, c], patients[known]
        measured(auc, y, p, finding=finding, groups=who)
        for call in (sensitivity, specificity, accuracy):
            measured(call, y, p, float(model.thresholds[c]), finding=finding, groups=who)
    return rows, remarks


def _seen(model: ForeignModel, collection: Collection, index: int) -> np.ndarray:
    return collection.image(index, model.preprocessing.size)
