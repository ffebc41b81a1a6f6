"""metrics.json: how well a checkpoint does, as fields; the tables on its card are made from it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.checkpoints.old_rows import ATTRIBUTES, measure_of
from engine.checkpoints.sections import read_card, with_section
from engine.metrics.measure import Measure
from engine.metrics.subjects import Variant
from engine.shortcuts import both_numbers
from engine.tables import number

METRICS, SUBGROUPS = "Metrics", "Subgroups"  # the sections of a card that are made here


class UnusableMetrics(ValueError):
    """What metrics.json says and may not; the message goes on from "The metrics.json of NAME ..."."""


@dataclass(frozen=True)
class Metrics:
    """What was measured of a checkpoint.

    Attributes:
        rows: on data not trained on. remarks: sentences below them.
        note: what they were measured on, or why there are none.
        subgroups: the same by sex, view position or whatever is known. subgroups_note: likewise.
    """

    rows: Sequence[Measure] = ()
    remarks: Sequence[str] = ()
    note: str = ""
    subgroups: Sequence[Measure] = ()
    subgroups_note: str = ""

    def __post_init__(self):
        for name in ("rows", "remarks", "subgroups"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def text(self) -> str:
        """metrics.json."""
        rows, subgroups = ([row.row() for row in part] for part in (self.rows, self.subgroups))
        whole = {
            "metrics": {"note": self.note, "rows": rows, "remarks": list(self.remarks)},
            "subgroups": {"note": self.subgroups_note, "rows": subgroups},
        }
        return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def sections(self) -> dict[str, str]:
        """The sections of the card, as Markdown; of a map held against a marker, both numbers in one sentence."""
        remarks = (*self.remarks, *both_numbers(self.rows))
        return {
            METRICS: _section(self.note, self.rows, remarks),
            SUBGROUPS: _section(self.subgroups_note, self.subgroups),
        }

    def on(self, card: str) -> str:
        """The card with these sections in place of its own."""
        for title, body in self.sections().items():
            card = with_section(card, title, body)
        return card

    def renewed(self, rows: Sequence[Measure]) -> Metrics:
        """The same with more rows, each in place of an earlier one about the same."""
        about = {row.about for row in rows}
        return replace(self, rows=(*(row for row in self.rows if row.about not in about), *rows))


def parsed(text: str) -> Metrics:
    """What a metrics.json says.

    Raises:
        UnusableMetrics: with the first thing that is wrong.
    """
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableMetrics(f"is not valid JSON ({error}); save the checkpoint again") from None
    parts = [_part(whole, name) for name in ("metrics", "subgroups")]
    remarks = parts[0].get("remarks", [])
    if not isinstance(remarks, list) or not all(isinstance(remark, str) for remark in remarks):
        raise UnusableMetrics("must hold remarks as a list of sentences")
    try:
        rows, subgroups = ([Measure.of_row(_object(row)) for row in part["rows"]] for part in parts)
    except (ValueError, OverflowError) as error:
        raise UnusableMetrics(f"holds a row that is none ({str(error)[:160]})") from None
    return Metrics(rows, remarks, parts[0]["note"], subgroups, parts[1]["note"])


def of_card(card: str, config: Mapping) -> Metrics:
    """What the tables of a card say that has no metrics.json beside it, as cards had none before.

    Args:
        config: the checkpoint's configuration, which names findings and attributes.
    """
    sections = read_card(card)
    (note, rows, remarks), (subgroups_note, subgroups, _) = (
        _read_section(sections.get(title, ""), config) for title in (METRICS, SUBGROUPS)
    )
    made = both_numbers(rows)
    subgroups = [replace(row, variant=row.variant or Variant.SUBGROUP) for row in subgroups]
    return Metrics(rows, [words for words in remarks if words not in made], note, subgroups, subgroups_note)


def table(rows: Sequence[Measure], remarks: Sequence[str] = ()) -> str:
    """Measures as a Markdown table."""
    lines = ["| metric | subject | value | 95 % interval | n | chance |", "|---|---|---|---|---|---|"]
    for row in rows:
        interval = "-" if row.low is None else f"{number(row.low)} to {number(row.high)}"
        lines.append(
            f"| {row.metric} | {row.subject} | {number(row.value)} | {interval} | {row.n} | {number(row.chance)} |"
        )
    return "\n".join([*lines, *([""] if remarks else []), *(f"- {remark}" for remark in remarks)])


def _section(note: str, rows: Sequence[Measure], remarks: Sequence[str] = ()) -> str:
    listed = table(rows, remarks) if rows else "\n".join(f"- {remark}" for remark in remarks)
    return "\n\n".join(filter(None, (note, listed))) or "Not measured."


def _part(whole: object, name: str) -> dict[str, Any]:
    part = whole.get(name) if isinstance(whole, dict) else None
    if not isinstance(part, dict) or not isinstance(part.get("rows"), list) or not isinstance(part.get("note"), str):
        raise UnusableMetrics("must hold metrics and subgroups, each an object with a note and a list of rows")
    return part


def _object(row: object) -> Mapping:
    if not isinstance(row, dict):
        raise ValueError(f"got {row!r:.80}")
    return row


def _read_section(text: str, config: Mapping) -> tuple[str, list[Measure], list[str]]:
    """Note, rows and remarks of a section; a line of the table that is no measure is left out."""
    note, rows, remarks = [], [], []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|"):
            (remarks if line.startswith("- ") else note).append(line.removeprefix("- "))
        elif len(cells) == 6:
            metric, subject, value, interval, n, chance = cells
            ends = re.fullmatch(r"(\S+) to (\S+)", interval)
            try:
                row = {"metric": metric, "subject": subject, "value": float(value), "n": int(n)}
                row |= {"low": float(ends[1]), "high": float(ends[2])} if ends else {}
                row |= {} if chance == "-" else {"chance": float(chance)}
                rows.append(measure_of(row, config["findings"], config.get("attributes") or ATTRIBUTES))
            except ValueError:
                continue
    return "\n".join(note).strip(), rows, remarks
