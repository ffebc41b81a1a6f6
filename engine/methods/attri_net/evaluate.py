"""Every measure that Sun et al. 2025 report for Attri-Net, and those that only a phantom or a body mask can give."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import torch

from engine.datasets.body import body_mask
from engine.datasets.collection import Collection
from engine.methods.attri_net.explain import AttriNetModel
from engine.metrics.answer_change import answer_change
from engine.metrics.class_sensitivity import class_sensitivity
from engine.metrics.classification import accuracy, auc, mean_auc, sensitivity, specificity
from engine.metrics.confounder_sensitivity import confounder_sensitivity
from engine.metrics.disease_sensitivity import disease_sensitivity
from engine.metrics.evidence import positive_energy
from engine.metrics.evidence_on_body import evidence_on_body
from engine.metrics.hit_rate import hit_rate
from engine.metrics.intervals import UNKNOWN, mean_of_means_interval
from engine.metrics.measure import Measure, collected
from engine.metrics.recovery import recovery, restraint
from engine.metrics.stride_energy import stride_energy
from engine.metrics.subjects import MEAN_OVER_FINDINGS
from engine.shortcuts import MARKER, PAIR

BODY_DETAIL = 192  # side of the picture that the body mask is sought on
MOST_COUNTERFACTUALS = 300  # positives a finding whose true counterfactual is drawn; films with and without the marker
CHUNK = 32  # films held at once


@dataclass
class Predictions:
    """What the model said of N pictures.

    Attributes:
        probabilities, energy: (N, C); energy is the sum of the positive weighted map.
        weighted: (N, C, s, s) float16, the local explanations.
        maps: (N, C, s, s) float16, M_c(x).
        pictures: (N, s, s) float16, as the network saw them.
    """

    probabilities: np.ndarray
    energy: np.ndarray
    weighted: np.ndarray = field(repr=False)
    maps: np.ndarray = field(repr=False)
    pictures: np.ndarray = field(repr=False)


@torch.inference_mode()
def look(model: AttriNetModel, collection: Collection, indices: np.ndarray, batch: int = 32) -> Predictions:
    """Run the model over the pictures at `indices`, all findings."""
    side, count = model.preprocessing.size, len(model.findings)
    weighted = np.empty((len(indices), count, side, side), np.float16)
    maps, pictures = np.empty_like(weighted), np.empty((len(indices), side, side), np.float16)
    probabilities, energy = (np.empty((len(indices), count), np.float32) for _ in range(2))
    for start in range(0, len(indices), batch):
        part = slice(start, start + batch)
        seen = np.stack([model.preprocessing.apply(collection.image(int(i), side)) for i in indices[part]])
        x = torch.from_numpy(seen)[:, None].to(model.device, memory_format=torch.channels_last)
        found, logits = model.every_task(x)
        for c in range(count):
            chosen_maps = found[:, c : c + 1]
            local = model.net.classifiers.weighted(chosen_maps, torch.full((len(chosen_maps),), c, device=model.device))
            weighted[part, c] = local[:, 0].cpu().numpy()
            energy[part, c] = [positive_energy(m) for m in local[:, 0].cpu().numpy()]
        maps[part], pictures[part] = found.cpu().numpy(), seen
        probabilities[part] = torch.sigmoid(logits).cpu().numpy()
    return Predictions(probabilities, energy, weighted, maps, pictures)


def evaluate(model: AttriNetModel, collection: Collection, indices: np.ndarray) -> tuple[list[Measure], list[str]]:
    """All measures on the pictures at `indices`, and a remark for each that could not be had.

    Args:
        collection: its findings are those of the model, in the same order.
    """
    return measures(model, collection, indices, look(model, collection, indices))


def measures(
    model: AttriNetModel, collection: Collection, indices: np.ndarray, seen: Predictions
) -> tuple[list[Measure], list[str]]:
    """`evaluate`, for pictures that have been looked at already."""
    labels, groups = collection.labels[indices], collection.patients[indices]
    rows, measured, remarks = collected()
    measured(mean_auc, labels, seen.probabilities, model.findings, groups=groups)
    for c, finding in enumerate(model.findings):
        known = ~np.isnan(labels[:, c])
        y, p, who = labels[known, c], seen.probabilities[known, c], groups[known]
        threshold = float(model.thresholds[c])
        measured(auc, y, p, finding=finding, groups=who)
        for call in (sensitivity, specificity, accuracy):
            measured(call, y, p, threshold, finding=finding, groups=who)
        measured(class_sensitivity, y, p, threshold, seen.energy[known, c], finding=finding, groups=who)
    _mean_of(rows, "class_sensitivity")
    for c, finding in enumerate(model.findings):
        _annotations(model, collection, indices, seen, c, finding, measured)
    _mean_of(rows, "hit_rate")
    _mean_of(rows, "disease_sensitivity")
    films = seen.pictures.astype(np.float32)
    for c, finding in enumerate(model.findings):
        measured(stride_energy, seen.maps[:, c].astype(np.float32), films, finding=finding, groups=groups)
    _mean_of(rows, "stride_energy")
    _on_body(model, collection, indices, seen, measured)
    if collection.has_counterfactuals:
        _compare_with_truth(model, collection, indices, seen, rows, measured)
    for marker in collection.markers:
        if marker.finding not in model.findings:
            remarks.append(
                f"no confounder_sensitivity: the marker goes along with {marker.finding}, which the model does not know"
            )
            continue
        c = list(model.findings).index(marker.finding)
        tag = collection.marker_mask(None, model.preprocessing.size)
        centre = np.abs(model.net.centres.value[c, 1].cpu().numpy())
        measured(confounder_sensitivity, centre, tag, finding=marker.finding)
        _by_marker(model, collection, indices, c, measured)
    return rows, remarks


def _by_marker(model, collection, indices, c, measured) -> None:
    """How far the answer about finding `c` moves when the marker alone is burned in: a map that is free of
    it is no proof.
    """
    side, chosen = model.preprocessing.size, indices[:MOST_COUNTERFACTUALS]
    answers = []
    for marked in (False, True):
        films = [
            np.stack([collection.with_markers(int(i), side, marked) for i in part])
            for part in np.array_split(chosen, -(-len(chosen) // CHUNK))
        ]
        answers.append(np.concatenate([model.predict_proba(part)[:, c] for part in films]))
    measured(
        answer_change,
        *answers,
        float(model.thresholds[c]),
        model.findings[c],
        MARKER,
        PAIR,
        groups=collection.patients[chosen],
    )


def _mean_of(rows: list[Measure], metric: str) -> None:
    """The mean over findings.

    The findings were measured on the same patients, who are counted once where the rows keep their samples (shares in
    [0, 1]); else the interval is the mean of the findings' own, which holds under any dependence.
    """
    parts = [row for row in rows if row.metric == metric]
    if len(parts) < 2:
        return
    samples = [
        (row.sample.values, row.sample.groups)
        for row in parts
        if row.sample is not None and row.sample.groups is not None
    ]
    ends = [(row.low, row.high) for row in parts if row.low is not None and row.high is not None]
    low, high = UNKNOWN
    if len(samples) == len(parts):
        low, high = mean_of_means_interval(samples, within=(0.0, 1.0))
    elif len(ends) == len(parts):
        low, high = np.mean(ends, axis=0)
    value, chances = (
        float(np.mean([row.value for row in parts])),
        [row.chance for row in parts if row.chance is not None],
    )
    chance = float(np.mean(chances)) if len(chances) == len(parts) else None
    rows.append(
        Measure(metric, "", value, low, high, n=sum(row.n for row in parts), chance=chance, variant=MEAN_OVER_FINDINGS)
    )


def _annotations(model, collection, indices, seen, c, finding, measured) -> None:
    side = model.preprocessing.size
    pairs, who = [], []
    for n, index in enumerate(indices):
        if collection.labels[index, c] != 1:
            continue
        regions = collection.regions(int(index), finding, side)
        regions = [region for region in regions if region.any()]
        if regions:
            pairs.append((seen.weighted[n, c].astype(np.float32), regions))
            who.append(collection.patients[index])
    if pairs:
        measured(hit_rate, pairs, finding=finding, groups=np.array(who))
        measured(disease_sensitivity, pairs, finding=finding, groups=np.array(who))


def _on_body(model, collection, indices, seen, measured) -> None:
    side = model.preprocessing.size
    bodies = []
    for index in indices:
        body = body_mask(collection.image(int(index), BODY_DETAIL)).astype(np.uint8)
        bodies.append(cv2.resize(body, (side, side), interpolation=cv2.INTER_NEAREST).astype(bool))
    pairs = [
        (seen.weighted[n, c].astype(np.float32), body)
        for n, body in enumerate(bodies)
        for c in range(len(model.findings))
    ]
    who = np.repeat(collection.patients[indices], len(model.findings))
    measured(evidence_on_body, pairs, groups=who, variant="all findings")


def _compare_with_truth(model, collection, indices, seen, rows, measured) -> None:
    """recovery and restraint, in the units of the network, so that all three pictures share one scale."""
    side, prep = model.preprocessing.size, model.preprocessing
    for c, finding in enumerate(model.findings):
        chosen = [n for n, index in enumerate(indices) if collection.labels[index, c] == 1][:MOST_COUNTERFACTUALS]
        if not chosen:
            continue
        before, after, truth = [], [], []
        for n in chosen:
            index = int(indices[n])
            true = collection.counterfactual(index, side, without=(finding,))
            before.append(seen.pictures[n].astype(np.float32))
            after.append(before[-1] + seen.maps[n, c].astype(np.float32))
            truth.append(prep.apply(true, like=collection.image(index, side)))
        who = collection.patients[indices[chosen]]
        measured(recovery, np.stack(before), np.stack(after), np.stack(truth), finding=finding, groups=who)
        measured(restraint, np.stack(before), np.stack(after), np.stack(truth), finding=finding, groups=who)
    _mean_of(rows, "recovery")
    _mean_of(rows, "restraint")
