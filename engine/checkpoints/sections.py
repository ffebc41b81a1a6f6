"""The sections of a card, which is Markdown: taken apart, and one of them put in another's place."""

from __future__ import annotations

import re


def read_card(text: str) -> dict[str, str]:
    """Sections of a card: title to text, in order; headings inside a fenced block are not headings."""
    lines = text.splitlines()
    sections: dict[str, list[str]] = {}
    for title, start, end in _places(lines):
        sections.setdefault(title, []).extend(lines[start:end])
    return {title: "\n".join(body).strip() for title, body in sections.items()}


def with_section(text: str, title: str, body: str) -> str:
    """The card with `body` under `title`, in place of what stood there; at its end where there was no such section."""
    lines = text.splitlines()
    for name, start, end in _places(lines):
        if name == title:
            lines[start:end] = ["", *body.splitlines(), ""]
            break
    else:
        lines += ["", f"## {title}", "", *body.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _places(lines: list[str]) -> list[tuple[str, int, int]]:
    """(title, first line of its body, the line behind that) of every section."""
    headings, fenced = [], False
    for k, line in enumerate(lines):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if not fenced and line.startswith("## "):
            headings.append((line[3:].strip(), k))
    ends = [k for _, k in headings[1:]] + [len(lines)]
    return [(title, k + 1, end) for (title, k), end in zip(headings, ends, strict=False)]
