"""What a checkpoint's card says: for whom, from what, by which command, how well, and for whom less well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.checkpoints.format import CARD_SECTIONS
from engine.checkpoints.metrics import Metrics
from engine.datasets.collection import Collection
from engine.metrics.classification import mean_auc
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.subjects import Variant

EARLY_PATIENTS = 3970  # in the shipped NIH selection, films without finding all come from patients up to this number
EARLY_GROUP = (  # as an attribute and its value
    "patients",
    f"1 to {EARLY_PATIENTS}, the range that all normal films come from",
)


def card(
    *,
    title: str,
    intended: str,
    terms: str,
    collection: Collection,
    seed: int,
    guidance: str,
    command: str,
    hardware: str,
    metrics: Metrics,
) -> str:
    """card.md as text, every section of `CARD_SECTIONS` but the hash, which saving fills in."""
    counts = ", ".join(f"{part} {len(collection.split(part))}" for part in ("train", "validation", "test"))
    people = ", ".join(
        f"{part} {len(np.unique(collection.patients[collection.split(part)]))}"
        for part in ("train", "validation", "test")
    )
    unit, units = _unit(collection)
    present = ", ".join(f"{f} {int(np.nansum(collection.labels[:, c]))}" for c, f in enumerate(collection.findings))
    if contrast_class := collection.contrast_class:
        present += (
            f"; the other class, pictures with {contrast_class} and without it: {int((collection.labels == 0).sum())}"
        )
    sections = {
        "Intended use and limits": intended,
        "Data and licence": f"{terms}\n\nPictures with each finding: {present}.",
        "Split and seeds": f"By {unit}; pictures: {counts}; {units}: {people}. Seed {seed}. Guidance: {guidance}.",
        "Command": f"```\n{command}\n```",
        "Hardware and wall time": hardware,
        **metrics.sections(),
    }
    return f"# {title}\n\n" + "\n\n".join(f"## {name}\n\n{text}" for name, text in sections.items()) + "\n"


def metrics_of(
    collection: Collection, rows: Sequence[Measure], remarks: Sequence[str], subgroups: Sequence[Measure]
) -> Metrics:
    """What was measured on the test part of `collection`, with what a reader must know of it."""
    unknown = "Sex and view position are not known for this collection, or no group held both classes."
    return Metrics(
        rows=rows,
        remarks=remarks,
        note="On the test part, not trained on; 95 % intervals, pictures of one "
        f"{_unit(collection)[0]} taken together.",
        subgroups=subgroups,
        subgroups_note="Mean AUC over the findings, on the test part." if subgroups else unknown,
    )


def _unit(collection: Collection) -> tuple[str, str]:
    """What its pictures are split and taken together by: one, several."""
    return ("group of look-alikes", "groups") if collection.grouping else ("patient", "patients")


def placeholder_card() -> str:
    """A complete card for a checkpoint that is not for use: a draft or a test's."""
    words = "None: a draft with no claim of any kind."
    return "# Draft\n\n" + "\n\n".join(f"## {name}\n\n{words}" for name in CARD_SECTIONS if name != "Weights") + "\n"


def chest_subgroups(collection: Collection, indices: np.ndarray, probabilities: np.ndarray) -> list[Measure]:
    """Mean AUC by sex, by view position and, for ChestX-ray8, on the patients that hold both classes.

    Args:
        indices: (N,) pictures; probabilities: (N, C) for them.
    """
    groups = {}
    for attribute in ("sex", "view_position"):
        values = collection.attributes.get(attribute)
        if values is not None:
            for value in sorted(set(values[indices]) - {""}):
                groups[attribute, value] = values[indices] == value
    if collection.name == "chestxray8":
        early = np.array([int(patient) <= EARLY_PATIENTS for patient in collection.patients[indices]])
        groups[EARLY_GROUP] = early
    rows = []
    for (attribute, value), chosen in groups.items():
        labels = collection.labels[indices[chosen]]
        both = [c for c in range(labels.shape[1]) if len(np.unique(labels[~np.isnan(labels[:, c]), c])) == 2]
        if not both:
            continue
        findings = [collection.findings[c] for c in both]
        some = len(both) < labels.shape[1]
        try:
            row = mean_auc(
                labels[:, both],
                probabilities[chosen][:, both],
                findings,
                groups=collection.patients[indices[chosen]],
            )
        except NotMeasurable:
            continue
        row = replace(row, attribute=attribute, attribute_value=str(value), finding=", ".join(findings) if some else "")
        rows.append(replace(row, variant=Variant.SUBGROUP_OF_SOME if some else Variant.SUBGROUP))
    return rows
