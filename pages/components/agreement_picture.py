"""The section Agreement of the Review page: pictures of who agrees with whom, and of what the reveal did."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go
import streamlit as st

from engine.review.agreement import Estimate, Influence, Kappa, by_aids, influence, kappas, pairs, seen_before
from engine.review.records import Reading
from pages.components import common

BEFORE, AFTER, QUIET, EDGE, WORDS = "#8a95a3", "#e8923c", "#8a95a3", "#222830", "#d3dae3"
ROW = 30  # pixels
Row = tuple[str, Estimate, str, str]  # name, what was measured, colour, symbol

READ_ME = {
    "automation": "takes over a wrong answer",
    "accepted": "takes over a right answer",
    "anchoring": "stays with the own call where the model differs",
    "changed": "changes a call",
    "helped": "a wrong call becomes right",
    "harmed": "a right call becomes wrong",
}


def show(readings: Sequence[Reading]) -> None:
    """Everything that is known of who read first."""
    both = pairs(readings)
    overall = influence(both)
    if left_out := left_out_words(len(seen_before(readings))):
        common.line(left_out, "note")
    if overall is None:
        st.text(
            "Nobody has read before and after a reveal yet. On Read first, give your own findings, reveal the model's "
            "answer, and give them again; this page then shows what changed."
        )
        return
    readers = sorted({pair.before.reader for pair in both})
    each = [one for name in readers if (one := influence(both, name)) is not None]
    scans = len({pair.scan for pair in both})
    st.html(
        f"<p class='lead'>{len(both)} findings on {scans} {'scan' if scans == 1 else 'scans'}, read by {len(readers)} "
        f"{'reader' if len(readers) == 1 else 'readers'} before and after the reveal. {sentence(overall)}</p>"
    )
    st.text("A hollow mark is before the reveal, a filled one after it; a diamond is a bias, or harm.")
    shown = [overall, *each] if len(each) > 1 else [overall]
    left, right = st.columns(2, gap="medium")
    with left:
        _chart("Calls that are right", "share of calls whose truth is known", right_rows(shown), (0, 1))
        _chart("Agreement beyond chance", "kappa (Cohen; Fleiss for all readers)", kappa_rows(kappas(both)), (-0.5, 1))
    with right:
        _chart("After the reveal", "share, with its 95 % interval", bias_rows(shown), (0, 1))
        apart = by_aids(both)
        if len(apart) > 1:
            _chart("Right after the reveal, by what was shown", "share of calls", aids_rows(apart), (0, 1))
        _chart(
            "Weight of advice",
            "0: stays at the own reading, 1: takes the model's answer",
            advice_rows(shown),
            (-0.5, 1.5),
        )
    st.text(
        "Intervals are of 95 %; what is said of one scan belongs together. Names of readers are not verified. Where a "
        "truth is known, it is that of a drawn scan."
    )


def left_out_words(count: int) -> str:
    """How many readings count in nothing here, because the model's answer had been seen before; empty for none."""
    if not count:
        return ""
    what = "1 reading of a finding is" if count == 1 else f"{count} readings of findings are"
    return f"{what} left out: its reader had seen the model's answer before the first reading."


def sentence(overall: Influence) -> str:
    """The two things that a reader of this page asks first."""
    said = []
    if overall.right_before is not None and overall.right_after is not None:
        said.append(
            f"Right before the reveal: {_percent(overall.right_before)}, after it: {_percent(overall.right_after)}."
        )
    if overall.automation is not None:
        said.append(
            f"Where the model was wrong and the reader right, {_percent(overall.automation)} took its wrong answer."
        )
    elif overall.right_before is not None:
        said.append("The model was never wrong where a reader was right, so nothing is known of automation bias.")
    return " ".join(said)


def _number(one: Estimate) -> str:
    interval = "" if one.low is None or one.high is None else f" ({one.low:.2f} to {one.high:.2f})"
    return f"{one.value:.2f}{interval} of {one.n}"


def _percent(one: Estimate) -> str:
    interval = "" if one.low is None or one.high is None else f" ({100 * one.low:.0f} to {100 * one.high:.0f})"
    return f"{100 * one.value:.0f} %{interval} of {one.n}"


def _who(one: Influence) -> str:
    return one.reader or "all readers"


def right_rows(shown: Sequence[Influence]) -> list[Row]:
    """Before and after, one above the other."""
    rows = []
    for one in shown:
        if one.right_before is not None and one.right_after is not None:
            rows.append((f"{_who(one)}, before", one.right_before, BEFORE, "circle-open"))
            rows.append((f"{_who(one)}, after", one.right_after, AFTER, "circle"))
    return rows


def bias_rows(shown: Sequence[Influence]) -> list[Row]:
    """What the reveal did; a diamond is a bias, or harm."""
    rows = []
    for one in shown:
        for name, words in READ_ME.items():
            estimate = getattr(one, name)
            if estimate is not None:
                bias = name in ("automation", "anchoring", "harmed")
                rows.append((f"{_who(one)}: {words}", estimate, AFTER, "diamond" if bias else "circle"))
    return rows


def advice_rows(shown: Sequence[Influence]) -> list[Row]:
    """Of each reader."""
    return [(_who(one), one.advice, AFTER, "circle") for one in shown if one.advice is not None]


def aids_rows(apart: dict[str, Influence]) -> list[Row]:
    """Right after the reveal, apart for what it showed."""
    return [(words, one.right_after, AFTER, "circle") for words, one in apart.items() if one.right_after is not None]


def kappa_rows(found: Sequence[Kappa]) -> list[Row]:
    """Before and after, for the same two one above the other."""
    rows = []
    for between in dict.fromkeys((one.first, one.second) for one in found):
        for one in found:
            if (one.first, one.second) == between:
                name = " and ".join(filter(None, between))
                look = (BEFORE, "circle-open") if one.stage == "before" else (AFTER, "circle")
                rows.append((f"{name}, {one.stage}", one.estimate, *look))
    return rows


def figure(axis: str, rows: Sequence[Row], ends: tuple[float, float]) -> go.Figure:
    """One row each: the value as a mark, its 95 % interval as a line."""
    known = [(one.low if one.low is not None else one.value, one.high or one.value) for _, one, _, _ in rows]
    low = min([ends[0], *(a for a, _ in known)])
    high = max([ends[1], *(b for _, b in known)])
    chart = go.Figure(
        go.Scatter(
            x=[one.value for _, one, _, _ in rows],
            y=list(range(len(rows))),
            mode="markers",
            marker={"color": [c for _, _, c, _ in rows], "symbol": [s for *_, s in rows], "size": 10},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [b - one.value for (_, b), (_, one, _, _) in zip(known, rows)],
                "arrayminus": [one.value - a for (a, _), (_, one, _, _) in zip(known, rows)],
                "color": QUIET,
                "thickness": 1.5,
                "width": 4,
            },
            customdata=[[escape(name), one.n] for name, one, _, _ in rows],
            hovertemplate="%{customdata[0]}: %{x:.2f}, of %{customdata[1]}<extra></extra>",
        )
    )
    chart.update_layout(
        height=ROW * len(rows) + 66,
        margin={"l": 4, "r": 12, "t": 6, "b": 38},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "Source Sans, sans-serif", "color": WORDS, "size": 13},
        showlegend=False,
        dragmode=False,
        xaxis={
            "title": {"text": axis, "font": {"size": 12, "color": QUIET}},
            "range": [low - 0.03, high + 0.03],
            "gridcolor": EDGE,
            "zerolinecolor": EDGE,
            "fixedrange": True,
        },
        yaxis={
            "range": [len(rows) - 0.4, -0.6],
            "tickvals": list(range(len(rows))),
            "ticktext": [f"{escape(name)} (n {one.n})" for name, one, _, _ in rows],
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
        },
    )
    return chart


def _chart(title: str, axis: str, rows: Sequence[Row], ends: tuple[float, float]) -> None:
    if not rows:
        return
    said = "; ".join(f"{name} {_number(one)}" for name, one, _, _ in rows)
    st.html(f"<h3 class='part'>{title}</h3>")
    st.plotly_chart(figure(axis, rows, ends), key=f"agreement {title}", config={"displayModeBar": False})
    with st.expander("In words", expanded=False):
        st.text(f"{title}: {said}.")
