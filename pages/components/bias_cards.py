"""The cards of a bias report: the answer beside how far to trust it, intervals against zero, and every film
both ways.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

import numpy as np

from engine.bias.report import notes
from engine.bias.report import wording as answers
from engine.bias.report.reasons import Mark, Verdict
from engine.bias.report.records import BiasReport, FindingReport

SIDE, EDGE = 230, 34  # of the scatter, in its own units
ACROSS = 150  # of one interval
MOST_TRUST = 5  # lines beside the answer; more of them can be opened
DOTS = ("#5b9bf0", "#e8923c", "#7fce9f", "#f09a90", "#b9a5f0")  # of the values, in their order
SHAPES = {
    "circle": "\u25cf",
    "square": "\u25a0",
    "diamond": "\u25c6",
}  # so that nothing is said by colour alone; and as text
STYLE = (
    "<style>text{font:10.5px "
    "sans-serif;fill:#98a3b0}.field{fill:#0a0c10;stroke:#222830}.same{stroke:#46515f;stroke-dasharray:3 "
    "3}.point{stroke:#39434f;stroke-dasharray:2 "
    "3}.zero{stroke:#56616f}.bar{stroke:#5b9bf0;stroke-width:1.6}.mean{fill:#8fbcf7}.band{fill:#1a2330}</style>"
)
KINDS = {Verdict.DEPENDS: "found", Verdict.NO_SIGN: "spared", Verdict.CANNOT_TELL: "untold"}
GAPS = ("parity", "opportunity", "odds")


def badges(report: BiasReport, what: str = "films not trained on") -> list[str]:
    """Who was asked about, in a few words each; `what` is all that is known of the films."""
    groups = ", ".join(f"{answers.short(report.attribute, value)} {count}" for value, count in report.groups.items())
    films = f"{report.n} {what}"
    return [groups, films if report.patients == report.n else f"{films}, {report.patients} patients"]


def headline(attribute: str, words: Sequence[str] = ()) -> str:
    """The question as the title, with small words beside it, as HTML."""
    chips = "".join(f"<span class='chip'>{escape(text)}</span>" for text in words)
    return f"<div class='bias-head'><h1 class='title'>{escape(answers.question(attribute))}</h1>{chips}</div>"


def answer_card(report: BiasReport) -> str:
    """The answer and what must be said with it, as HTML."""
    first, rest = answers.answer(report)
    kinds = {result.verdict for result in report.findings if not result.slight}
    kind = KINDS[
        Verdict.DEPENDS if Verdict.DEPENDS in kinds else Verdict.NO_SIGN if report.decided else Verdict.CANNOT_TELL
    ]
    said = "".join(f"<p>{escape(text)}</p>" for text in (rest, *notes.said_beside(report)) if text)
    return (
        f"<section class='answer {kind}'><div class='said'><p class='first'>{escape(first)}</p>{said}</div>"
        f"<div class='trust'><p>Can these counterfactuals be trusted?</p>{_trusted(report)}</div></section>"
    )


def _trusted(report: BiasReport) -> str:
    """What is bad, and what counts most, at a glance; the rest can be opened."""
    rows = answers.trust(report)
    ordered = [row for row in rows if row[2] is Mark.BAD] + [row for row in rows if row[2] is not Mark.BAD]
    short, more = (
        (ordered, []) if len(ordered) <= MOST_TRUST else (ordered[: MOST_TRUST - 1], ordered[MOST_TRUST - 1 :])
    )
    shown = f"<ul>{''.join(map(_row, short))}</ul>"
    if not more:
        return shown
    return f"{shown}<details><summary>{len(more)} more</summary><ul>{''.join(map(_row, more))}</ul></details>"


def _row(row: tuple[str, str, str]) -> str:
    what, much, mark = row
    return f"<li>{escape(what)} <b class='{mark}'>{escape(much)}</b></li>"


def assumption_card(report: BiasReport) -> str:
    """What the verdicts assume and what was done to test it, and how it was asked: quiet, and there to read."""
    assumed, tested = notes.assumption(report)
    facts = "".join(f"<dt>{escape(what)}</dt><dd>{escape(how)}</dd>" for what, how in notes.facts(report))
    return (
        f"<section class='beside'><p><b>What is assumed.</b> {escape(assumed)} {escape(tested)}</p>"
        f"<details><summary>How it was asked</summary><dl>{facts}</dl></details></section>"
    )


def findings_card(report: BiasReport) -> str:
    """One row a finding, what moves most first; the interval stands against zero and the margin, on one
    scale for all.
    """
    axis_limit, rows, two = notes.axis_limit(report), [], len(report.values) == 2
    margin = f"{100 * report.margin:g}"
    for result, cells in zip(report.findings, answers.table(report), strict=True):
        name, pair, change, between, flips, share, verdict, p, corrected, sided, _detectable, *gaps = cells
        between = between if two else f"{between}, {pair}"
        why = f" title='{escape(result.reason.words, quote=True)}'" if result.reason else ""
        reasons = [result.associations.missing.get(gap, "") for gap in GAPS]
        shown = "".join(f"<td{_title(reason)}>{gap}</td>" for gap, reason in zip(gaps, reasons, strict=True))
        rows.append(
            f"<tr><th scope='row'>{escape(name)}</th><td>{interval(report, result, axis_limit)}</td><td>{change} "
            f"<i>{escape(between)}</i></td><td>{flips} <i>{share}</i></td><td "
            f"class='{KINDS[result.verdict]}'{why}>{escape(verdict)}</td><td title='p {escape(p)} before the "
            f"correction'>{escape(corrected)}</td><td>{escape(sided)}</td>{shown}</tr>"
        )
    of_what = (
        " to ".join(answers.short(report.attribute, value) for value in report.values)
        if two
        else "between the two values furthest apart"
    )
    names = (
        "finding",
        f"mean change, -{margin} to +{margin} shaded",
        "points <i>95 %</i>",
        "decisions of 100 that change <i>95 %</i>",
        "verdict",
        "corrected p",
        f"p beyond -{margin}, +{margin}",
    )
    heads = "".join(f"<th scope='col'>{head}</th>" for head in (*names, "parity gap", "opport. gap", "odds gap"))
    return (
        "<section class='per-finding'><h2>Per finding, "
        f"{escape(of_what)}</h2><table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        "<details><summary>What the columns are</summary><p "
        f"class='note'>{escape(notes.columns(report))}</p></details></section>"
    )


def _title(reason: str) -> str:
    return f" title='{escape(reason, quote=True)}'" if reason else ""


def interval(report: BiasReport, result: FindingReport, axis_limit: float) -> str:
    """A dot and its 95 % interval; the upright is zero, the band the margin."""

    def x(value: float) -> float:
        return round(ACROSS / 2 * (1 + max(-1.0, min(1.0, value / axis_limit))), 1)

    change, margin = result.change, report.margin
    line = "" if change.low is None else f"<line class='bar' x1='{x(change.low)}' x2='{x(change.high)}' y1='9' y2='9'/>"
    band = f"<rect class='band' x='{x(-margin)}' y='0' width='{round(x(margin) - x(-margin), 1)}' height='18'/>"
    drawing = (
        f"{band}<line class='zero' x1='{ACROSS / 2}' x2='{ACROSS / 2}' y1='1' y2='17'/>{line}<circle class='mean' "
        f"cx='{x(change.value)}' cy='9' r='3.6'/>"
    )
    return picture("interval", ACROSS, 18, drawing, notes.caption(report, result))


def picture(kind: str, width: float, height: float, drawing: str, said: str) -> str:
    """An SVG as an <img>: Streamlit takes drawings out of the HTML that it is given, but not pictures.

    `said` is its text.
    """
    whole = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
        f"height='{height}'>{STYLE}{drawing}</svg>"
    )
    data = b64encode(whole.encode()).decode()
    return f"<img class='{kind}' alt='{escape(said, quote=True)}' src='data:image/svg+xml;base64,{data}'>"


def scatter_card(report: BiasReport, result: FindingReport) -> str:
    """Every film under the first value (across) and the second (up), the operating point dashed; above it, outside the
    plot, whose dot is whose.
    """
    marks = []
    for k, value in enumerate(report.values):
        points = np.clip(result.under[report.factual == value], 0, 1)
        marks += [_dot(EDGE + SIDE * float(a), EDGE / 2 + SIDE * (1 - float(b)), k) for a, b in points]
    at, bottom = (EDGE + SIDE * result.threshold, EDGE / 2 + SIDE * (1 - result.threshold)), EDGE / 2 + SIDE
    legend = " ".join(
        f"<span><b style='color:{DOTS[k % len(DOTS)]}'>{[*SHAPES.values()][k % len(SHAPES)]}</b> "
        f"{escape(answers.short(report.attribute, value))}</span>"
        for k, value in enumerate(report.values)
    )
    first, second = (answers.short(report.attribute, value) for value in result.pair)
    moved = int(abs(result.under[:, 1] - result.under[:, 0]).argmax())
    said = (
        f"{report.n} films, probability of {result.finding.lower()}, {first} across and {second} up; "
        f"{answers.of_hundred(result.flips)} change; the furthest goes from {result.under[moved, 0]:.2f} to "
        f"{result.under[moved, 1]:.2f}"
    )
    numbers = "".join(
        f"<text x='{EDGE + SIDE * v}' y='{bottom + 13}' text-anchor='middle'>{v:g}</text>"
        f"<text x='{EDGE - 3}' y='{EDGE / 2 + SIDE * (1 - v) + 4}' text-anchor='end'>{v:g}</text>"
        for v in (0.0, 0.5, 1.0)
    )
    drawing = (
        f"<rect class='field' x='{EDGE}' y='{EDGE / 2}' width='{SIDE}' height='{SIDE}'/><line class='same' x1='{EDGE}' "
        f"y1='{bottom}' x2='{EDGE + SIDE}' y2='{EDGE / 2}'/><line class='point' x1='{at[0]:.1f}' x2='{at[0]:.1f}' "
        f"y1='{EDGE / 2}' y2='{bottom}'/><line class='point' x1='{EDGE}' x2='{EDGE + SIDE}' y1='{at[1]:.1f}' "
        f"y2='{at[1]:.1f}'/>{''.join(marks)}{numbers}<text x='{EDGE + SIDE / 2}' y='{bottom + 28}' "
        f"text-anchor='middle'>probability, {escape(first)}</text><text transform='rotate(-90)' "
        f"x='{-(EDGE / 2 + SIDE / 2)}' y='9' text-anchor='middle'>probability, {escape(second)}</text>"
    )
    whole = SIDE + 2 * EDGE
    return (
        f"<p class='legend'>The patient's own: {legend}</p>{picture('scatter', whole, whole - EDGE / 2, drawing, said)}"
    )


def _dot(x: float, y: float, k: int) -> str:
    colour, shape = DOTS[k % len(DOTS)], [*SHAPES][k % len(SHAPES)]
    if shape == "circle":
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2.4' fill='{colour}'/>"
    turn = f" transform='rotate(45 {x:.1f} {y:.1f})'" if shape == "diamond" else ""
    return f"<rect class='dot' x='{x - 2:.1f}' y='{y - 2:.1f}' width='4' height='4' fill='{colour}'{turn}/>"
