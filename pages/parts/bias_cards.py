"""The cards of a bias report: the answer beside how far to trust it, intervals against zero, and every film both ways."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from engine.invariance import answers
from engine.invariance.report import CANNOT_TELL, DEPENDS, NO_SIGN, BiasReport, FindingReport

SIDE, EDGE = 230, 34  # of the scatter, in its own units
ACROSS = 150  # of one interval
DOTS = ("#5b9bf0", "#e8923c", "#7fce9f", "#f09a90", "#b9a5f0")  # of the values, in their order
SHAPES = {"circle": "\u25cf", "square": "\u25a0", "diamond": "\u25c6"}  # so that nothing is said by colour alone; and as text
STYLE = (
    "<style>text{font:10.5px sans-serif;fill:#98a3b0}.field{fill:#0a0c10;stroke:#222830}.same{stroke:#46515f;stroke-dasharray:3 3}"
    ".point{stroke:#39434f;stroke-dasharray:2 3}.zero{stroke:#56616f}.bar{stroke:#5b9bf0;stroke-width:1.6}.mean{fill:#8fbcf7}</style>"
)
KINDS = {DEPENDS: "found", NO_SIGN: "spared", CANNOT_TELL: "untold"}
HEADS = (
    "finding", "mean change of the probability", "points, 95 %", "flips of 100, 95 %", "p", "corrected", "verdict", "detectable", "parity",
    "opportunity", "odds",
)  # fmt: skip


def badges(report: BiasReport, what: str = "films not trained on") -> list[str]:
    """Who was asked about, in a few words each; `what` is all that is known of the films."""
    groups = ", ".join(f"{value} {count}" for value, count in report.groups.items())
    films = f"{report.n} {what}"
    return [groups, films if report.patients == report.n else f"{films}, {report.patients} patients"]


def headline(attribute: str, words: Sequence[str] = ()) -> str:
    chips = "".join(f"<span class='chip'>{escape(text)}</span>" for text in words)
    return f"<div class='bias-head'><h1 class='title'>{escape(answers.question(attribute))}</h1>{chips}</div>"


def answer_card(report: BiasReport) -> str:
    first, rest = answers.answer(report)
    kinds = {one.verdict for one in report.findings if not one.slight}
    kind = KINDS[DEPENDS if DEPENDS in kinds else NO_SIGN if report.told else CANNOT_TELL]
    said = "".join(f"<p>{escape(text)}</p>" for text in (rest, *report.remarks) if text)
    rows = "".join(
        f"<li>{escape(what)} <b class='{mark}'>{escape(much)}</b></li>" for what, much, mark in answers.trust(report)
    )  # fmt: skip
    return (
        f"<section class='answer {kind}'><div class='said'><p class='first'>{escape(first)}</p>{said}</div>"
        f"<div class='trust'><p>Can these counterfactuals be trusted?</p><ul>{rows}</ul></div></section>"
    )


def findings_card(report: BiasReport) -> str:
    """One row a finding; the interval stands against zero, on one scale for all."""
    ends = [abs(end) for one in report.findings for end in (one.change.low, one.change.high, one.change.value) if end is not None]
    reach = max(0.02, *ends) * 1.08
    rows, two = [], len(report.values) == 2
    for one, cells in zip(report.findings, answers.table(report), strict=True):
        name, change, between, flips, share, p, corrected, verdict, detectable, parity, opportunity, odds, pair = cells
        between = between if two else f"{between}, {pair}"
        why = f" title='{escape(one.reason, quote=True)}'" if one.reason else ""
        rows.append(
            f"<tr><th scope='row'>{escape(name)}</th><td>{interval(one, reach)}</td><td>{change} <i>{escape(between)}</i></td>"
            f"<td>{flips} <i>{share}</i></td><td>{escape(p)}</td><td>{escape(corrected)}</td>"
            f"<td class='{KINDS[one.verdict]}'{why}>{escape(verdict)}</td><td>{detectable}</td><td>{parity}</td><td>{opportunity}</td><td>{odds}</td></tr>"
        )
    of_what = " to ".join(report.findings[0].pair) if two else "between the two values furthest apart"
    heads = "".join(f"<th scope='col'>{head}</th>" for head in HEADS)
    return (
        f"<section class='per-finding'><h2>Per finding, {escape(of_what)}</h2><table><thead><tr>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table><p class='note'>{escape(answers.note(report))}</p></section>"
    )


def interval(one: FindingReport, reach: float) -> str:
    """A dot and its 95 % interval; the upright is zero."""

    def x(value: float) -> float:
        return round(ACROSS / 2 * (1 + value / reach), 1)

    change = one.change
    line = "" if change.low is None else f"<line class='bar' x1='{x(change.low)}' x2='{x(change.high)}' y1='9' y2='9'/>"
    between = "" if change.low is None else f", {answers.points(change.low)} to {answers.points(change.high)}"
    said = f"Mean change for {one.finding.lower()}: {answers.points(change.value)} points{between}"
    drawing = f"<line class='zero' x1='{ACROSS / 2}' x2='{ACROSS / 2}' y1='1' y2='17'/>{line}<circle class='mean' cx='{x(change.value)}' cy='9' r='3.6'/>"
    return picture("interval", ACROSS, 18, drawing, said)


def picture(kind: str, width: float, height: float, drawing: str, said: str) -> str:
    """An SVG as an <img>: Streamlit takes drawings out of the HTML that it is given, but not pictures. `said` is its text."""
    whole = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}'>{STYLE}{drawing}</svg>"
    data = b64encode(whole.encode()).decode()
    return f"<img class='{kind}' alt='{escape(said, quote=True)}' src='data:image/svg+xml;base64,{data}'>"


def scatter_card(report: BiasReport, one: FindingReport) -> str:
    """Every film as photographed (across) and otherwise (up), the operating point dashed; above it, outside the plot, whose dot is whose."""
    whole = SIDE + 2 * EDGE
    marks = []
    for k, value in enumerate(report.values):
        chosen = report.factual == value
        points = zip(one.before[chosen], one.after[chosen], strict=True)
        marks += [_dot(EDGE + SIDE * float(a), EDGE / 2 + SIDE * (1 - float(b)), k) for a, b in points]
    at = EDGE + SIDE * one.threshold, EDGE / 2 + SIDE * (1 - one.threshold)
    legend = " ".join(
        f"<span><b style='color:{DOTS[k % len(DOTS)]}'>{[*SHAPES.values()][k % len(SHAPES)]}</b> {escape(answers.short(report.attribute, value))}</span>"
        for k, value in enumerate(report.values)
    )
    moved = int(abs(one.after - one.before).argmax())
    said = (
        f"{report.n} films, probability of {one.finding.lower()} as photographed against otherwise; "
        f"{answers.of_hundred(one.flips)} flip; the furthest goes from {one.before[moved]:.2f} to {one.after[moved]:.2f}"
    )
    drawing = (
        f"<rect class='field' x='{EDGE}' y='{EDGE / 2}' width='{SIDE}' height='{SIDE}'/>"
        f"<line class='same' x1='{EDGE}' y1='{EDGE / 2 + SIDE}' x2='{EDGE + SIDE}' y2='{EDGE / 2}'/>"
        f"<line class='point' x1='{at[0]:.1f}' x2='{at[0]:.1f}' y1='{EDGE / 2}' y2='{EDGE / 2 + SIDE}'/>"
        f"<line class='point' x1='{EDGE}' x2='{EDGE + SIDE}' y1='{at[1]:.1f}' y2='{at[1]:.1f}'/>{''.join(marks)}"
        f"<text x='{EDGE + SIDE / 2}' y='{EDGE / 2 + SIDE + 26}' text-anchor='middle'>probability as photographed</text>"
        f"<text transform='rotate(-90)' x='{-(EDGE / 2 + SIDE / 2)}' y='12' text-anchor='middle'>otherwise</text>"
        f"<text x='{EDGE}' y='{EDGE / 2 + SIDE + 13}'>0</text><text x='{EDGE + SIDE}' y='{EDGE / 2 + SIDE + 13}' text-anchor='end'>1</text>"
    )
    return f"<p class='legend'>Photographed: {legend}</p>{picture('scatter', whole, whole - EDGE / 2, drawing, said)}"


def _dot(x: float, y: float, k: int) -> str:
    colour, shape = DOTS[k % len(DOTS)], [*SHAPES][k % len(SHAPES)]
    if shape == "circle":
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='2.4' fill='{colour}'/>"
    turn = f" transform='rotate(45 {x:.1f} {y:.1f})'" if shape == "diamond" else ""
    return f"<rect class='dot' x='{x - 2:.1f}' y='{y - 2:.1f}' width='4' height='4' fill='{colour}'{turn}/>"
