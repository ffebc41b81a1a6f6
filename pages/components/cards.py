"""What pages show of a checkpoint's card: a measure with its interval, and the whole card to be read."""

from __future__ import annotations

from markdown_it import MarkdownIt

from engine.answers import rate

__all__ = ["rate", "to_html"]

# A card comes from wherever its checkpoint does: no markup of its own, and no picture, which would be fetched from
# wherever it points.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def to_html(card: str) -> str:
    """The card as HTML that loads nothing; a link opens beside the app."""
    tokens = _MARKDOWN.parse(card)
    for token in (inner for outer in tokens for inner in outer.children or ()):
        if token.type == "link_open":
            token.attrs |= {"target": "_blank", "rel": "noopener noreferrer"}
    return f"<div class='model-card'>{_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})}</div>"
