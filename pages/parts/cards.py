"""What pages read from a checkpoint's card: its measures, one of them with its interval, its title."""

from __future__ import annotations

import re

from engine.cards import measures
from engine.metrics.measure import Measure

__all__ = ["measures", "rate", "title"]


def rate(rows: list[Measure], metric: str, finding: str) -> Measure | None:
    """The row for `metric` of `finding`, where its interval is known too."""
    return next((row for row in rows if row.metric == metric and row.subject == finding and row.low is not None), None)


def title(card: str) -> str:
    """The card's first heading, or nothing."""
    found = re.search(r"(?m)^# +(.+)$", card)
    return found[1].strip() if found else ""
