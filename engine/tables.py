"""Measures as a reader meets them: an aligned table for the terminal and a JSON file with the same numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import __version__
from engine.files import write_whole
from engine.metrics.measure import Measure

HEADER = ("metric", "subject", "value", "95 % interval", "n", "chance", "paper")
RIGHT = {"value", "n", "chance", "paper"}


def number(value: float | None) -> str:
    """Three decimals; three significant digits where those would hide the number; "-" for none."""
    if value is None:
        return "-"
    if value != 0 and not 0.001 <= abs(value) < 10_000:
        return f"{value:.3g}"
    return f"{value:.3f}"


def show(measures: Iterable[Measure], remarks: Sequence[str] = ()) -> str:
    """Plain text: one line a measure, columns aligned, those empty throughout (chance, paper) left out, remarks below.

    Args:
        remarks: sentences about what could not be measured, for example the text of a `NotMeasurable`.
    """
    measures = list(measures)
    lines = [
        (
            m.metric,
            m.subject,
            number(m.value),
            "-" if m.low is None else f"{number(m.low)} to {number(m.high)}",
            str(m.n),
            number(m.chance),
            number(m.paper),
        )
        for m in measures
    ]
    columns_shown = [
        c for c, name in enumerate(HEADER) if name not in ("chance", "paper") or any(line[c] != "-" for line in lines)
    ]
    grid = [[line[c] for c in columns_shown] for line in (HEADER, *lines)]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]

    def align(line: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if HEADER[c] in RIGHT else cell.ljust(width)
            for cell, width, c in zip(line, widths, columns_shown, strict=True)
        ]
        return "  ".join(cells).rstrip()

    head, *body = (align(line) for line in grid)
    alike: dict[tuple[str, str], list[str]] = {}
    for m in measures:
        alike.setdefault((m.metric, m.remark), []).append(m.subject)
    notes = [
        f"{metric}, {'; '.join(subjects)}: {remark}" for (metric, remark), subjects in alike.items() if remark
    ] + list(remarks)
    return "\n".join([head, "-" * (sum(widths) + 2 * (len(widths) - 1)), *body, *([""] if notes else []), *notes])


def as_json(command: str, rows: Iterable[Measure | Mapping], **beside: Any) -> str:
    """{"command", "version", ..., "rows"} as text.

    Args:
        rows: measures, or records that are ready for JSON.
        beside: whatever else stands before the rows, ready for JSON.

    Raises:
        ValueError: for NaN or infinity, which JSON cannot hold.
    """
    rows = [row.row() if isinstance(row, Measure) else dict(row) for row in rows]
    whole = {"command": command, "version": __version__, **beside, "rows": rows}
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False)


def write_json(path: str | Path, command: str, rows: Iterable[Measure | Mapping]) -> None:
    """Write `as_json` to `path`, see `write_text`.

    Args:
        path: its folder is made when missing.
        command, rows: as in `as_json`.

    Raises:
        ValueError: for NaN or infinity, which JSON cannot hold.
        UnwritableFile: when the folder cannot be written.
    """
    write_text(path, as_json(command, rows))


def write_text(path: str | Path, text: str) -> None:
    """Write `text` and a line's end to `path`, whole or not at all: a reader never meets half a file.

    Raises:
        UnwritableFile: when the folder, made when missing, cannot be written.
    """
    write_whole(path, text + "\n")
