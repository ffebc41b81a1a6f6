"""What pages read from a checkpoint's card: its measures, one of them with its interval, its title, and all
of it to be read.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

from engine.checkpoints.card import measures
from engine.metrics.measure import Measure

__all__ = ["measures", "rate", "title", "to_html"]

# A card comes from wherever its checkpoint does: no markup of its own, and no picture, which would be fetched from
# wherever it points.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def rate(rows: list[Measure], metric: str, finding: str) -> Measure | None:
    """The row for `metric` of `finding`, where its interval is known too."""
    return next((row for row in rows if row.metric == metric and row.subject == finding and row.low is not None), None)


def title(card: str) -> str:
    """The card's first heading, or nothing."""
    found = re.search(r"(?m)^# +(.+)$", card)
    return found[1].strip() if found else ""


def to_html(card: str) -> str:
    """The card as HTML that loads nothing; a link opens beside the app."""
    tokens = _MARKDOWN.parse(card)
    for token in (inner for outer in tokens for inner in outer.children or ()):
        if token.type == "link_open":
            token.attrs |= {"target": "_blank", "rel": "noopener noreferrer"}
    return f"<div class='model-card'>{_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})}</div>"
