"""What a checkpoint's card says in numbers: its tables, read back into measures."""

from __future__ import annotations

import re

from engine.checkpoints import read_card
from engine.metrics.measure import Measure


def measures(card: str, section: str = "Metrics") -> list[Measure]:
    """The rows of the table under `section`; a line that is not a measure is left out."""
    rows = []
    for line in read_card(card).get(section, "").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|") or len(cells) != 6:
            continue
        metric, subject, value, interval, n, chance = cells
        ends = re.fullmatch(r"(\S+) to (\S+)", interval)
        try:
            low, high = (float(ends[1]), float(ends[2])) if ends else (None, None)
            rows.append(Measure(metric, subject, float(value), low, high, int(n), None if chance == "-" else float(chance)))
        except ValueError:  # the table's head, its rule, or a number written by hand
            continue
    return rows


def rate(rows: list[Measure], metric: str, finding: str) -> Measure | None:
    """The row for `metric` of `finding`, where its interval is known too."""
    return next((row for row in rows if row.metric == metric and row.subject == finding and row.low is not None), None)


def title(card: str) -> str:
    """The card's first heading, or nothing."""
    found = re.search(r"(?m)^# +(.+)$", card)
    return found[1].strip() if found else ""
