"""A bias report on paper: the answer, whether the pictures deserve trust, intervals, the most affected patients, and every number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from engine import __version__
from engine.invariance import answers
from engine.invariance.report import BiasReport, FindingReport, difference_scale
from engine.tables import number

NOTICE = "Research use only, not for diagnosis"
INK, QUIET, LINE, ACCENT, HAND = (25, 30, 36), (100, 108, 118), (205, 210, 216), (190, 95, 20), (45, 100, 180)
GOOD, BAD = (30, 120, 70), (170, 50, 40)
LEFT, WIDTH = 15, 180  # mm
ROW = 6.5  # mm
SHOWN = 2  # patients a finding
COLOURS = (("blue", HAND), ("orange", ACCENT), ("green", GOOD), ("red", BAD), ("grey", QUIET))  # of the values
MARKS = ("dots", "squares", "diamonds")  # likewise, so that nothing is said by colour alone
KINDS = {"good": GOOD, "bad": BAD, "quiet": QUIET}


def bias_pdf(report: BiasReport) -> bytes:
    """The report as a PDF; its numbers are those of `BiasReport.measures`."""
    page = _Paper()
    page.set_title(_latin(answers.question(report.attribute)))
    page.set_creator(f"Otherwise {__version__}")
    page.add_page()
    _answer(page, report)
    _findings(page, report)
    _scatters(page, report)
    _people(page, report)
    _numbers(page, report)
    return bytes(page.output())


class _Paper(FPDF):
    """A4, quiet, with the notice at the foot of every page."""

    def __init__(self):
        super().__init__(format="A4")
        self.set_margins(LEFT, 14, LEFT)
        self.set_auto_page_break(True, 16)

    def footer(self):
        self.set_y(-12)
        self.words(f"{NOTICE}. Otherwise {__version__}, page {self.page_no()}", 7.5, QUIET)

    def words(self, text: str, size: float = 9, colour=INK, bold: bool = False, height: float | None = None) -> None:
        """A paragraph over the whole width."""
        self.set_font("Helvetica", "B" if bold else "", size)
        self.set_text_color(*colour)
        self.multi_cell(WIDTH, height or size * 0.48, _latin(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def cells(self, texts: Sequence[str], widths: Sequence[float], size: float = 8, colours=None, bold: bool = False, height: float = ROW) -> None:
        """One line of a table."""
        self.set_font("Helvetica", "B" if bold else "", size)
        for k, (text, width) in enumerate(zip(texts, widths, strict=True)):
            self.set_text_color(*(colours[k] if colours else INK))
            self.cell(width, height, _latin(text))
        self.ln(height)

    def room_for(self, millimetres: float) -> None:
        """A new page where fewer are left."""
        if self.get_y() + millimetres > self.h - 18:
            self.add_page()


def _answer(page: _Paper, report: BiasReport) -> None:
    page.words(answers.question(report.attribute), 16, bold=True)
    groups = ", ".join(f"{value} {count}" for value, count in report.groups.items())
    page.words(
        f"{report.checkpoint} (sha256 {report.checkpoint_sha256[:12]}) on {report.n} pictures of {report.patients} patients, {report.collection}: {groups}. "
        f"Pictures otherwise from: {report.generator}{' (exact)' if report.exact else ''}.", 8.5, QUIET,
    )  # fmt: skip
    page.ln(3)
    first, rest = answers.answer(report)
    page.words(first, 12, ACCENT, bold=True, height=5.6)
    for text in filter(None, (rest, *report.remarks)):
        page.ln(1)
        page.words(text, 9.5, height=4.6)
    page.ln(3)
    page.words("Can these counterfactuals be trusted?", 10, bold=True)
    for what, much, kind in answers.trust(report):
        page.cells((what, much), (95, 85), 8.5, (INK, KINDS[kind]), height=4.8)
    page.ln(3)


def _findings(page: _Paper, report: BiasReport) -> None:
    page.words("Per finding", 10, bold=True)
    widths = (27, 40, 31, 28, 15, 17, 22)
    page.cells(("finding", "mean change of the probability", "points, 95 %", "flips of 100, 95 %", "p", "corrected", "verdict"), widths, 7.5, [QUIET] * 7)
    reach = max([0.02, *(abs(end) for one in report.findings for end in (one.change.low, one.change.high, one.change.value) if end is not None)])
    lines = answers.table(report)
    for one, cells in zip(report.findings, lines, strict=True):
        page.room_for(ROW)
        top = page.get_y()
        name, change, between, flips, share, p, corrected, verdict = cells[:8]
        colour = {"depends": ACCENT, "no sign of it": GOOD, "cannot tell": QUIET}[one.verdict]
        page.cells((name, "", f"{change} ({between})", f"{flips} ({share})", p, corrected, verdict), widths, 8, [INK] * 6 + [colour])
        _interval(page, one, LEFT + widths[0], top, widths[1] - 4, reach)
    page.ln(1)
    widths = (27, 24, 27, 19, 25, 18, 40)
    heads = ("finding", "operating point", "detectable, points", "parity gap", "opportunity gap", "odds gap", "change from, to")
    page.cells(heads, widths, 7.5, [QUIET] * 7)
    for one, cells in zip(report.findings, lines, strict=True):
        page.cells((cells[0], number(one.threshold), *cells[8:]), widths, 8, height=5)
    page.words(answers.note(report), 7.5, QUIET)
    page.ln(3)


def _interval(page: _Paper, one: FindingReport, left: float, top: float, width: float, reach: float) -> None:
    """A dot and its interval against zero."""

    def across(value: float) -> float:
        return left + width * (0.5 + 0.48 * value / reach)

    middle = top + ROW / 2
    page.set_draw_color(*LINE)
    page.line(across(0), top + 0.5, across(0), top + ROW - 0.5)
    page.set_draw_color(*HAND)
    page.set_fill_color(*HAND)
    if one.change.low is not None:
        page.line(across(one.change.low), middle, across(one.change.high), middle)
    page.circle(across(one.change.value), middle, 0.9, style="F")


def _scatters(page: _Paper, report: BiasReport, side: float = 46, across: int = 3) -> None:
    page.room_for(side + 22)
    page.words("The same picture both ways: probability as photographed (across) and otherwise (up)", 10, bold=True)
    colours = dict(zip(report.values, COLOURS, strict=False))
    said = ", ".join(f"{answers.otherwise(report.attribute, v)}: {name} {MARKS[k % 3]}" for k, (v, (name, _)) in enumerate(colours.items()))
    page.words(f"Photographed {said}.", 7.5, QUIET)
    for start in range(0, len(report.findings), across):
        page.room_for(side + 9)
        top = page.get_y() + 6
        for k, one in enumerate(report.findings[start : start + across]):
            left = LEFT + k * (side + 12)
            page.set_font("Helvetica", "", 8)
            page.set_text_color(*INK)
            page.text(left, top - 1.5, _latin(one.finding))
            page.set_draw_color(*LINE)
            page.rect(left, top, side, side)
            page.line(left, top + side, left + side, top)
            for kind, (value, (_, colour)) in enumerate(colours.items()):
                page.set_fill_color(*colour)
                for x, y in zip(one.before[report.factual == value], one.after[report.factual == value], strict=True):
                    _mark(page, left + side * float(x), top + side * (1 - float(y)), MARKS[kind % 3])
        page.set_y(top + side + 2)


def _mark(page: _Paper, x: float, y: float, kind: str, reach: float = 0.45) -> None:
    if kind == "dots":
        page.circle(x, y, reach, style="F")
    elif kind == "squares":
        page.rect(x - reach, y - reach, 2 * reach, 2 * reach, style="F")
    else:
        reach *= 1.3  # a diamond of that half width weighs as much as the others
        page.polygon([(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)], style="F")


def _people(page: _Paper, report: BiasReport, side: float = 42) -> None:
    if not report.told:
        return
    page.add_page()
    page.words("The most affected patients", 10, bold=True)
    for one in report.told:
        shown = one.affected[:SHOWN]
        reach = difference_scale(shown)
        for person in shown:
            page.room_for(side + 14)
            page.ln(2)
            flips = ", flips the decision" if person.flips else ""
            page.words(
                f"{one.finding}, picture {person.index} of {report.collection}: {person.before:.2f} as photographed ({person.factual}), {person.null:.2f} with nothing "
                f"changed, {person.after:.2f} {answers.otherwise(report.attribute, person.other)}{flips}.", 8.5,
            )  # fmt: skip
            top, low, high = page.get_y() + 1, float(person.original.min()), float(person.original.max())
            difference = person.counterfactual - person.original
            pictures = (_grey(person.original, low, high), _grey(person.counterfactual, low, high), _grey(difference, -reach, reach))
            for k, (picture, title) in enumerate(zip(pictures, ("as photographed", "otherwise", "difference"), strict=True)):
                page.image(picture, LEFT + k * (side + 4), top, side, side, alt_text=title)
            _bar(page, LEFT + 3 * (side + 4), top, side, reach)
            page.set_y(top + side + 1)


def _bar(page: _Paper, left: float, top: float, height: float, reach: float) -> None:
    """What the greys of a difference mean; the same for all patients of a finding."""
    page.image(_grey(np.linspace(1, -1, 128, dtype=np.float32)[:, None], -1, 1), left, top, 4, height, alt_text="scale of the difference")
    page.set_font("Helvetica", "", 7.5)
    page.set_text_color(*QUIET)
    for text, share in ((f"{reach:+.3g} grey levels", 0.06), ("0", 0.52), (f"{-reach:+.3g}", 1.0)):
        page.text(left + 5.5, top + height * share, text)


def _grey(picture: np.ndarray, low: float, high: float):
    from PIL import Image

    span = high - low or 1.0
    return Image.fromarray(np.clip((picture - low) / span * 255, 0, 255).astype(np.uint8))


def _numbers(page: _Paper, report: BiasReport) -> None:
    page.add_page()
    page.words("Every number", 10, bold=True)
    widths = (20, 104, 16, 30, 10)
    page.cells(("metric", "subject", "value", "95 %", "n"), widths, 7, [QUIET] * 5, height=4.5)
    for row in report.measures():
        page.room_for(5)
        between = "-" if row.low is None else f"{number(row.low)} to {number(row.high)}"
        page.cells((row.metric, _short(row.subject), number(row.value), between, str(row.n)), widths, 7, height=4)


def _short(text: str, most: int = 82) -> str:
    return text if len(text) <= most else text[: most - 2] + ".."


def _latin(text: str) -> str:
    """The built-in fonts know Latin 1 only; a patient's or a finding's name may hold more."""
    return text.encode("latin-1", "replace").decode("latin-1")
