"""A sheet of A4 that a report is set on: paragraphs, tables, columns that fill a page before they ask for the next, and
pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from PIL import Image

from engine import __version__

NOTICE = "Research use only, not for diagnosis"
INK, QUIET, LINE, ACCENT, HAND = (25, 30, 36), (100, 108, 118), (205, 210, 216), (175, 85, 15), (45, 100, 180)
GOOD, BAD, BAND = (30, 120, 70), (170, 50, 40), (232, 238, 246)
LEFT, WIDTH = 15, 180  # mm
TOP, BOTTOM = 13, 15  # mm
POINT = 0.3528  # mm
LEADING = 1.28  # of a line, in heights of its letters


class Paper(FPDF):
    """A4, quiet, with the notice at the foot of every page. Lengths in millimetres, letters in points."""

    def __init__(self):
        super().__init__(format="A4")
        self.set_margins(LEFT, TOP, LEFT)
        self.set_auto_page_break(True, BOTTOM)
        self.c_margin = 0  # text begins where pictures and lines do
        self.alias_nb_pages()

    def footer(self):
        self.set_y(-11)
        self.words(f"{NOTICE}. Otherwise {__version__}, page {self.page_no()} of {{nb}}", 7.5, QUIET)

    def letters(self, size: float, colour=INK, bold: bool = False) -> None:
        self.set_font("Helvetica", "B" if bold else "", size)
        self.set_text_color(*colour)

    def words(
        self, text: str, size: float = 9, colour=INK, bold: bool = False, left: float = LEFT, width: float = WIDTH
    ) -> None:
        """A paragraph."""
        self.letters(size, colour, bold)
        self.set_x(left)
        self.multi_cell(width, size * POINT * LEADING, latin(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def heading(self, text: str, space: float = 20) -> None:
        """Above a part that needs at least `space` mm."""
        self.page_break_unless_fits(space)
        self.ln(1.5)
        self.words(text, 10, bold=True)
        self.ln(0.8)

    def cells(
        self,
        texts: Sequence[str],
        widths: Sequence[float],
        size: float = 8,
        colours=None,
        height: float = 5,
        left: float = LEFT,
    ) -> None:
        """One line of a table."""
        self.set_x(left)
        for k, (text, width) in enumerate(zip(texts, widths, strict=True)):
            self.letters(size, colours[k] if colours else INK)
            self.cell(width, height, latin(text))
        self.ln(height)

    def facts(self, pairs: Sequence[tuple[str, str]], label: float = 34, size: float = 7.5) -> None:
        """What stands quietly on the left, and what it is on the right."""
        for what, how in pairs:
            lines = max(len(self.wrapped(what, label - 2, size)), len(self.wrapped(how, WIDTH - label, size)))
            self.page_break_unless_fits(lines * size * POINT * LEADING)
            top = self.get_y()
            self.words(what, size, QUIET, width=label - 2)
            left_ends = self.get_y()
            self.set_y(top)
            self.words(how, size, left=LEFT + label, width=WIDTH - label)
            self.set_y(max(left_ends, self.get_y()) + 0.4)

    def page_break_unless_fits(self, height: float) -> None:
        """A new page where less is left."""
        if self.get_y() + height > self.h - BOTTOM:
            self.add_page()

    def wrapped(self, text: str, width: float, size: float) -> list[str]:
        """The lines of a paragraph, in Latin 1."""
        self.letters(size)
        lines = self.multi_cell(width, size * POINT, latin(text), align="L", dry_run=True, output="LINES")
        return cast(list[str], lines)  # that is what this output gives

    def at(
        self, x: float, y: float, text: str, size: float = 6.5, colour=QUIET, align: str = "left", bold: bool = False
    ) -> None:
        """A few words with their baseline at (x, y), which is their left end, their middle or their right end."""
        self.letters(size, colour, bold)
        text = latin(text)
        self.text(x - {"left": 0, "middle": 0.5, "right": 1}[align] * self.get_string_width(text), y, text)

    def picture(
        self,
        values: np.ndarray,
        low: float,
        high: float,
        left: float,
        top: float,
        side: float,
        said: str,
        height: float | None = None,
    ) -> None:
        """(H, W) as greys from black at `low` to white at `high`."""
        span = high - low or 1.0
        grey = Image.fromarray(np.clip((values - low) / span * 255, 0, 255).astype(np.uint8))
        self.image(grey, left, top, side, height or side, alt_text=said)

    def mark(self, x: float, y: float, kind: str, half_width: float = 0.45) -> None:
        """A point of a scatter, filled: 'dots', 'squares' or 'diamonds'."""
        if kind == "dots":
            self.circle(x, y, half_width, style="F")
        elif kind == "squares":
            self.rect(x - half_width, y - half_width, 2 * half_width, 2 * half_width, style="F")
        else:
            half_width *= 1.3  # a diamond of that half width weighs as much as the others
            self.polygon(
                [(x, y - half_width), (x + half_width, y), (x, y + half_width), (x - half_width, y)], style="F"
            )


def latin(text: str) -> str:
    """The built-in fonts know Latin 1 only; a patient's or a finding's name may hold more."""
    return text.encode("latin-1", "replace").decode("latin-1")
