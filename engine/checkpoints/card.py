"""What a checkpoint's card says: for whom, from what, by which command, how well, and for whom less well."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from engine.checkpoints.format import CARD, CARD_SECTIONS, Checkpoint, RefusedCheckpoint, examine, read_card
from engine.datasets.collection import Collection
from engine.metrics.classification import mean_auc
from engine.metrics.measure import Measure, NotMeasurable
from engine.tables import number, write_text

EARLY_PATIENTS = 3970  # in the shipped NIH selection, films without finding all come from patients up to this number


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
    rows: Sequence[Measure],
    remarks: Sequence[str],
    subgroups: Sequence[Measure],
) -> str:
    """card.md as text, every section of `CARD_SECTIONS` but the hash, which saving fills in."""
    counts = ", ".join(f"{part} {len(collection.split(part))}" for part in ("train", "validation", "test"))
    people = ", ".join(
        f"{part} {len(np.unique(collection.patients[collection.split(part)]))}"
        for part in ("train", "validation", "test")
    )
    unit, units = ("group of look-alikes", "groups") if collection.grouping else ("patient", "patients")
    present = ", ".join(f"{f} {int(np.nansum(collection.labels[:, c]))}" for c, f in enumerate(collection.findings))
    if contrast_class := collection.contrast_class:
        present += (
            f"; against these, pictures with {contrast_class} and without it: {int((collection.labels == 0).sum())}"
        )
    sections = {
        "Intended use and limits": intended,
        "Data and licence": f"{terms}\n\nPictures with each finding: {present}.",
        "Split and seeds": f"By {unit}; pictures: {counts}; {units}: {people}. Seed {seed}. Guidance: {guidance}.",
        "Command": f"```\n{command}\n```",
        "Hardware and wall time": hardware,
        "Metrics": f"On the test part, not trained on; 95 % intervals, pictures of one {unit} taken together.\n\n"
        + table(rows, remarks),
        "Subgroups": "Mean AUC over the findings, on the test part.\n\n" + table(subgroups)
        if subgroups
        else "Sex and view position are not known for this collection, or no group held both classes.",
    }
    return f"# {title}\n\n" + "\n\n".join(f"## {name}\n\n{text}" for name, text in sections.items()) + "\n"


def placeholder_card() -> str:
    """A complete card for a checkpoint that is not for use: a draft or a test's."""
    words = "None: a draft with no claim of any kind."
    return "# Draft\n\n" + "\n\n".join(f"## {name}\n\n{words}" for name in CARD_SECTIONS if name != "Weights") + "\n"


def table(rows: Sequence[Measure], remarks: Sequence[str] = ()) -> str:
    """Measures as a Markdown table."""
    lines = ["| metric | subject | value | 95 % interval | n | chance |", "|---|---|---|---|---|---|"]
    for row in rows:
        interval = "-" if row.low is None else f"{number(row.low)} to {number(row.high)}"
        lines.append(
            f"| {row.metric} | {row.subject} | {number(row.value)} | {interval} | {row.n} | {number(row.chance)} |"
        )
    return "\n".join([*lines, *([""] if remarks else []), *(f"- {remark}" for remark in remarks)])


def measures(card: str, section: str = "Metrics") -> list[Measure]:
    """The rows of the table under `section` of a card, as `table` wrote them; a line that is not a measure
    is left out.
    """
    rows = []
    for line in read_card(card).get(section, "").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|") or len(cells) != 6:
            continue
        metric, subject, value, interval, n, chance = cells
        ends = re.fullmatch(r"(\S+) to (\S+)", interval)
        try:
            low, high = (float(ends[1]), float(ends[2])) if ends else (None, None)
            rows.append(
                Measure(metric, subject, float(value), low, high, int(n), None if chance == "-" else float(chance))
            )
        except ValueError:  # the table's head, its rule, or a number written by hand
            continue
    return rows


def with_measures(checkpoint: Checkpoint, rows: Sequence[Measure], remarks: Sequence[str] = ()) -> Checkpoint:
    """Writes more measures into the table under Metrics of a checkpoint's card, in place of earlier ones of the same
    metric and subject.

    Args:
        remarks: lines below the table; an earlier one that begins with the same words, up to its first colon, is
            replaced.

    Raises:
        RefusedCheckpoint: the card has no table to add to, or would not be opened afterwards; what stood there stands
            there still.
    """
    path, before = checkpoint.folder / CARD, checkpoint.card
    head, title, rest = before.partition("## Metrics\n")
    body, gap, after = rest.partition("\n## ")
    lines = body.splitlines()
    last = max((k for k, line in enumerate(lines) if line.startswith("|")), default=None)
    if last is None:
        raise RefusedCheckpoint(f"The card of {checkpoint.name} has no table of measures to add to.")
    begun = [f"- {remark.partition(':')[0]}:" for remark in remarks]
    named = [f"| {row.metric} | {row.subject} |" for row in rows]
    rows_kept, below = (
        [line for line in part if not line.startswith((*named, *begun))]
        for part in (lines[: last + 1], lines[last + 1 :])
    )
    below = [*below[: _last_remark(below)], *(f"- {remark}" for remark in remarks), *below[_last_remark(below) :]]
    if remarks and below[0]:
        below.insert(0, "")
    body = "\n".join([*rows_kept, *table(rows).splitlines()[2:], *below])
    write_text(path, f"{head}{title}{body}\n{gap}{after}".rstrip("\n"))
    try:
        return examine(checkpoint.folder)
    except RefusedCheckpoint:
        write_text(path, before.rstrip("\n"))
        raise


def _last_remark(lines: Sequence[str]) -> int:
    """Behind the last line that is a remark; 0 where there is none."""
    return 1 + max((k for k, line in enumerate(lines) if line.startswith("- ")), default=-1)


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
                groups[f"{attribute.replace('_', ' ')} {value}"] = values[indices] == value
    if collection.name == "chestxray8":
        early = np.array([int(patient) <= EARLY_PATIENTS for patient in collection.patients[indices]])
        groups[f"patients up to {EARLY_PATIENTS}"] = early
    rows = []
    for name, chosen in groups.items():
        labels = collection.labels[indices[chosen]]
        both = [c for c in range(labels.shape[1]) if len(np.unique(labels[~np.isnan(labels[:, c]), c])) == 2]
        if not both:
            continue
        findings = [collection.findings[c] for c in both]
        subject = name if len(both) == labels.shape[1] else f"{name} ({', '.join(findings)} only)"
        try:
            rows.append(
                mean_auc(
                    labels[:, both],
                    probabilities[chosen][:, both],
                    findings,
                    subject=subject,
                    groups=collection.patients[indices[chosen]],
                )
            )
        except NotMeasurable:
            continue
    return rows
