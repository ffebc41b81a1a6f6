"""A bias report on paper: the answer, how it was come by and what it assumes, intervals, every film both ways, the most
affected patients, and every number with what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine import __version__
from engine.bias.report import notes
from engine.bias.report import wording as answers
from engine.bias.report.reasons import Mark, Verdict
from engine.bias.report.records import Affected, BiasReport, FindingReport, difference_scale
from engine.export.paper import ACCENT, BAD, BAND, BOTTOM, GOOD, HAND, INK, LEFT, LINE, QUIET, WIDTH, Paper, latin
from engine.metrics.measure import Measure
from engine.metrics.subjects import HOLM
from engine.tables import number

ROW = 5.6  # mm
FINE = 6  # points, of the last page's numbers
SHOWN = 2  # patients a finding
GAP = 9  # mm between two scatters, for the numbers of an axis
MOST_FINDINGS = 6  # whose patients are shown
COLOURS = (("blue", HAND), ("orange", ACCENT), ("green", GOOD), ("red", BAD), ("grey", QUIET))  # of the values
MARKS = ("dots", "squares", "diamonds")  # likewise, so that nothing is said by colour alone
KINDS = {Mark.GOOD: GOOD, Mark.BAD: BAD, Mark.QUIET: QUIET}
VERDICTS = {Verdict.DEPENDS: ACCENT, Verdict.NO_SIGN: GOOD}  # others are quiet


def bias_pdf(report: BiasReport) -> bytes:
    """The report as a PDF; its numbers are those of `BiasReport.measures`."""
    page = Paper()
    page.set_title(latin(answers.question(report.attribute)))
    page.set_creator(f"Otherwise {__version__}")
    page.set_lang("en")
    page.add_page()
    _answer(page, report)
    _findings(page, report)
    _scatters(page, report)
    _people(page, report)
    _numbers(page, report)
    return bytes(page.output())


def _answer(page: Paper, report: BiasReport) -> None:
    page.words(answers.question(report.attribute), 15, bold=True)
    page.ln(1.5)
    first, rest = answers.answer(report)
    page.words(first, 11.5, ACCENT, bold=True)
    for text in filter(None, (rest, *notes.said_beside(report))):
        page.ln(0.8)
        page.words(text, 9)
    page.heading("How it was asked")
    page.facts(notes.facts(report))
    page.heading("What is assumed, and what was done to test it")
    for text in notes.assumption(report):
        page.words(text, 8.5)
    page.heading("Can these counterfactuals be trusted?")
    rows = answers.trust(report)
    for what, much, kind in rows:
        page.cells((what, much), (100, 80), 8, (INK, KINDS[kind]), height=4)


def _findings(page: Paper, report: BiasReport) -> None:
    start, end = (answers.short(report.attribute, value) for value in report.values[:2])
    direction = f", {start} to {end}" if len(report.values) == 2 else ""
    page.heading(f"Per finding{direction}", space=30)
    widths, margin = (24, 32, 28, 24, 30, 11, 12, 19), f"{100 * report.margin:g}"
    heads = "finding", "mean change", "points, 95 %", "flips of 100, 95 %", "verdict", "p", "corrected", "beyond"
    page.cells(heads, widths, 7, [QUIET] * 8, height=3.4)
    page.cells(("", "", "", "", "", "", "", f"-{margin}, +{margin}"), widths, 7, [QUIET] * 8, height=3.4)
    axis_limit = notes.axis_limit(report)
    lines = answers.table(report)
    for result, cells in zip(report.findings, lines, strict=True):
        page.page_break_unless_fits(ROW + 6)
        top = page.get_y()
        name, pair, change, between, flips, share, verdict, p, corrected, sided = cells[:10]
        colours = [INK] * 4 + [VERDICTS.get(result.verdict, QUIET)] + [INK] * 3
        page.cells(
            (name, "", f"{change} ({between})", f"{flips} ({share})", verdict, p, corrected, sided),
            widths,
            7.5,
            colours,
            height=ROW,
        )
        _interval(page, result, LEFT + widths[0], top, widths[1] - 4, axis_limit, report.margin)
        if len(report.values) > 2:
            page.at(LEFT + widths[0], top + ROW, pair, 5.5)
    _axis(page, LEFT + widths[0], page.get_y(), widths[1] - 4, axis_limit, report.margin)
    page.set_y(page.get_y() + 7)
    widths = (25, 26, 30, 33, 33, 33)
    page.cells(
        ("finding", "operating point", "detectable, points", "parity gap", "opportunity gap", "odds gap"),
        widths,
        7,
        [QUIET] * 6,
        height=4,
    )
    for result, cells in zip(report.findings, lines, strict=True):
        page.page_break_unless_fits(5)
        gaps = [result.associations.decisions.get(name) for name in ("parity", "opportunity", "odds")]
        said = ["-" if gap is None else f"{gap.gap:.2f} ({gap.low:.2f} to {gap.high:.2f})" for gap in gaps]
        page.cells((cells[0], number(result.threshold), cells[10], *said), widths, 7.5, height=4.2)
    page.ln(0.8)
    page.words(notes.columns(report, points=False), 7, QUIET)


def _interval(
    page: Paper, result: FindingReport, left: float, top: float, width: float, axis_limit: float, margin: float
) -> None:
    """A dot and its interval against zero, the margin as a band."""

    def across(value: float) -> float:
        return left + width * (0.5 + 0.5 * value / axis_limit)

    middle = top + ROW / 2
    page.set_fill_color(*BAND)
    page.rect(across(-margin), top, across(margin) - across(-margin), ROW, style="F")
    page.set_draw_color(*LINE)
    page.line(across(0), top, across(0), top + ROW)
    page.set_draw_color(*HAND)
    page.set_fill_color(*HAND)
    if result.change.low is not None and result.change.high is not None:
        page.line(
            across(max(result.change.low, -axis_limit)), middle, across(min(result.change.high, axis_limit)), middle
        )
    page.circle(across(result.change.value), middle, 0.8, style="F")


def _axis(page: Paper, left: float, top: float, width: float, axis_limit: float, margin: float) -> None:
    for value in (-margin, 0.0, margin):
        page.at(
            left + width * (0.5 + 0.5 * value / axis_limit),
            top + 2.6,
            f"{100 * value:+.3g}" if value else "0",
            6,
            align="middle",
        )
    page.at(left + width / 2, top + 5, "points; shaded: the margin", 5.5, align="middle")


def _scatters(page: Paper, report: BiasReport) -> None:
    across = min(max(len(report.findings), 3), 5)
    side = WIDTH / across - GAP
    page.heading("Every picture under both values", space=side + 22)
    colours = dict(zip(report.values, COLOURS, strict=False))
    whose = ", ".join(
        f"{answers.short(report.attribute, value)} {name} {MARKS[k % 3]}"
        for k, (value, (name, _)) in enumerate(colours.items())
    )
    page.words(
        "The probability under the first value (across) and under the second (up); dashed, the operating point. The "
        f"patient's own value: {whose}.",
        7.5,
        QUIET,
    )
    for start in range(0, len(report.findings), across):
        page.page_break_unless_fits(side + 13)
        top = page.get_y() + 4.5
        for k, result in enumerate(report.findings[start : start + across]):
            _scatter(page, report, result, LEFT + GAP - 1 + k * (side + GAP), top, side)
        page.set_y(top + side + 8)


def _scatter(page: Paper, report: BiasReport, result: FindingReport, left: float, top: float, side: float) -> None:
    page.at(left, top - 1.2, result.finding, 7.5, INK)
    page.set_draw_color(*LINE)
    page.rect(left, top, side, side)
    page.line(left, top + side, left + side, top)
    page.set_dash_pattern(0.6, 0.8)
    page.line(left + side * result.threshold, top, left + side * result.threshold, top + side)
    page.line(left, top + side * (1 - result.threshold), left + side, top + side * (1 - result.threshold))
    page.set_dash_pattern()
    for value in (0.0, 0.5, 1.0):
        page.at(left + side * value, top + side + 2.6, f"{value:g}", 6, align="middle")
        page.at(left - 0.8, top + side * (1 - value) + 0.8, f"{value:g}", 6, align="right")
    first, second = (answers.short(report.attribute, value) for value in result.pair)
    page.at(left + side / 2, top + side + 5.2, f"probability, {first}", 6, align="middle")
    with page.rotation(90, left - 5.2, top + side / 2):
        page.at(left - 5.2, top + side / 2, f"probability, {second}", 6, align="middle")
    for k, value in enumerate(report.values):
        page.set_fill_color(*COLOURS[k % len(COLOURS)][1])
        for x, y in np.clip(result.under[report.factual == value], 0, 1):
            page.mark(left + side * float(x), top + side * (1 - float(y)), MARKS[k % 3])


def _people(page: Paper, report: BiasReport, side: float = 25.5) -> None:
    shown = [result for result in report.decided if result.verdict == Verdict.DEPENDS and not result.slight][
        :MOST_FINDINGS
    ] or report.decided[:1]
    if not shown:
        return
    page.heading("The most affected patients", space=side + 26)
    page.words(
        f"As photographed, under the other value, and the difference, always {_direction(report)}; one scale of "
        "differences for each finding.",
        7.5,
        QUIET,
    )
    for result in shown:
        page.page_break_unless_fits(side + 13)
        people, top = result.affected[:SHOWN], page.get_y() + 1
        axis_limit = difference_scale(people)
        lines = max(
            _person(page, report, result, person, LEFT + k * (3 * side + 6), top, side, axis_limit)
            for k, person in enumerate(people)
        )
        _bar(page, LEFT + len(people) * (3 * side + 6), top + 2.9 * lines + 1, side, axis_limit)
        page.set_y(top + 2.9 * lines + side + 2.5)


def _direction(report: BiasReport) -> str:
    if len(report.values) > 2:
        return "the other value less the patient's own"
    first, second = (answers.short(report.attribute, value) for value in report.values)
    return f"{second} less {first}"


def _person(
    page: Paper,
    report: BiasReport,
    result: FindingReport,
    person: Affected,
    left: float,
    top: float,
    side: float,
    axis_limit: float,
) -> int:
    """Three pictures below a caption; returns how many lines it takes."""
    flips = ", flips" if person.flips else ""
    null = "" if report.exact else f"{person.null:.2f} redrawn with nothing changed, "
    own, other = (answers.short(report.attribute, value) for value in (person.factual, person.other))
    said = (
        f"{result.finding}, picture {person.index}: {person.before:.2f} as photographed ({own}), "
        f"{null}{person.after:.2f} otherwise ({other}){flips}"
    )
    lines = page.wrapped(said, 3 * side + 2, 7)
    for k, line in enumerate(lines):
        page.at(left, top + 2.4 + 2.9 * k, line, 7, INK)
    top, low, high = top + 2.9 * len(lines) + 1, float(person.original.min()), float(person.original.max())
    page.picture(person.original, low, high, left, top, side, f"{result.finding}, as photographed")
    page.picture(person.counterfactual, low, high, left + side + 1, top, side, f"{result.finding}, otherwise")
    page.picture(
        person.difference(report.values),
        -axis_limit,
        axis_limit,
        left + 2 * side + 2,
        top,
        side,
        f"{result.finding}, the difference",
    )
    return len(lines)


def _bar(page: Paper, left: float, top: float, height: float, axis_limit: float) -> None:
    """What the greys of a difference mean."""
    page.picture(
        np.linspace(1, -1, 128, dtype=np.float32)[:, None], -1, 1, left - 1, top, 2.5, "scale of the difference", height
    )
    for text, share in ((f"{axis_limit:+.3g}", 0.08), ("grey levels", 0.18), ("0", 0.52), (f"{-axis_limit:+.3g}", 1.0)):
        page.at(left + 2.3, top + height * share, text, 6)


def _numbers(page: Paper, report: BiasReport) -> None:
    """Two columns of blocks: the pictures', one for each finding, and what the less common numbers are."""
    page.heading("Every number, and what it is", space=45)
    page.words("Value, 95 % interval, number of pictures it rests on; p: a p value.", 7.5, QUIET)
    page.ln(1)
    pictures = [report.composition, *report.quality]
    blocks = [_block(page, "The pictures", [(row, row.subject) for row in pictures])]
    blocks += [
        _block(page, result.finding, [(row, row.detail) for row in result.measures()]) for result in report.findings
    ]
    lines = [line for block in (*blocks, _glossary(page)) for line in block]
    column, top, lowest = 0, page.get_y(), page.get_y()
    for k, line in enumerate(lines):
        needed = line.height + (lines[k + 1].height if line.bold else 0)  # a title is never the last of its column
        if page.get_y() + needed > page.h - BOTTOM:
            column += 1
            if column == 2:
                page.add_page()
                column, top, lowest = 0, page.get_y(), page.get_y()
            page.set_y(top)
        _line(page, line, LEFT + 93 * column)
        lowest = max(lowest, page.get_y())
    page.set_y(lowest)


class _Line:
    """A line of a block: a title, a number with its name, or a paragraph."""

    def __init__(self, lines: Sequence[str], row: Measure | None = None, bold: bool = False):
        self.lines, self.row, self.bold = lines, row, bold

    @property
    def height(self) -> float:
        return 2.7 * len(self.lines) + (3.2 if self.bold else 0)


def _block(page: Paper, title: str, rows: Sequence[tuple[Measure, str]]) -> list[_Line]:
    """Lines of measures, each with what to call it below the title."""
    named = []
    for row, name in rows:
        of_test = {"": "p of the calibrated test", HOLM: "p of the calibrated test, Holm"}
        name = {"p_value": of_test.get(row.variant, f"p: {name}"), "eca": "eca", "effect": name}.get(
            row.metric, f"{row.metric}: {name}"
        )
        named.append(_Line(page.wrapped(name, 48, FINE), row))
    return [_Line([title], bold=True), *named]


def _glossary(page: Paper) -> list[_Line]:
    return [
        _Line(["What some of these are"], bold=True),
        *(_Line(page.wrapped(f"{name}: {what}", 86, FINE)) for name, what in notes.SMALL_PRINT.items()),
    ]


def _line(page: Paper, line: _Line, left: float) -> None:
    top = page.get_y() + (2 if line.bold else 0)
    for k, text in enumerate(line.lines):
        page.at(left, top + 2.2 + 2.7 * k, text, 7.5 if line.bold else FINE, INK, bold=line.bold)
    if line.row is not None:
        between = "-" if line.row.low is None else f"{number(line.row.low)} to {number(line.row.high)}"
        for text, right in ((number(line.row.value), 58), (between, 81), (str(line.row.n), 87)):
            page.at(left + right, top + 2.2, text, FINE, INK, align="right")
    page.set_y(page.get_y() + line.height)
