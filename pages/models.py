"""Models: every checkpoint at hand, how well it does on pictures it was not trained on, for whom less well,
and its card.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go
import streamlit as st

from engine.bias.interventions import GENERATOR_METHOD
from engine.checkpoints.format import Checkpoint, RefusedCheckpoint
from engine.checkpoints.resolve import UnknownCheckpoint
from engine.metrics.measure import Measure
from engine.metrics.subjects import MEAN, Variant
from pages.components import cards, common, words
from pages.components.common import Refused

ACCENT, QUIET, EDGE, WORDS = "#e8923c", "#8a95a3", "#222830", "#d3dae3"
ROW, LINE = 26, 16  # pixels of a row, and of each further line of its name
LONGEST = 28  # letters of a line; what is longer would leave the intervals no room


def interval_plot(rows: Sequence[Measure], chance: float | None, axis: str, called: str = "chance") -> go.Figure:
    """One row a subject: the value as a dot, its 95 % interval as a line, chance as a dashed upright under its name."""
    names = ["<br>".join(textwrap.wrap(row.subject.replace("_", " "), LONGEST)) for row in rows]
    heights = [ROW + LINE * name.count("<br>") for name in names]
    middles = [sum(heights[:k]) + height / 2 for k, height in enumerate(heights)]
    figure = go.Figure(
        go.Scatter(
            x=[row.value for row in rows],
            y=middles,
            mode="markers",
            marker={"color": ACCENT, "size": 8},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [(row.high or row.value) - row.value for row in rows],
                "arrayminus": [row.value - (row.low if row.low is not None else row.value) for row in rows],
                "color": ACCENT,
                "thickness": 1.5,
                "width": 4,
            },
            customdata=[[name, said(row)] for name, row in zip(names, rows)],
            hovertemplate="%{customdata[0]}: %{customdata[1]}<extra></extra>",
        )
    )
    ends = [end for row in rows for end in (row.low, row.high, row.value) if end is not None]
    low = min([*ends, chance if chance is not None else 1.0]) - 0.03
    figure.update_layout(
        height=sum(heights) + 62,
        margin={"l": 4, "r": 12, "t": 18, "b": 34},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "Source Sans, sans-serif", "color": WORDS, "size": 13},
        showlegend=False,
        dragmode=False,
        xaxis={
            "title": {"text": axis, "font": {"size": 12, "color": QUIET}},
            "range": [low, min(1.02, max(ends) + 0.03)],
            "gridcolor": EDGE,
            "zeroline": False,
            "tickformat": ".2f",
            "tickangle": 0,
            "nticks": 6,
            "fixedrange": True,
        },
        yaxis={
            "range": [sum(heights), 0],
            "tickvals": middles,
            "ticktext": names,
            "zeroline": False,
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
        },
    )
    if chance is not None:
        figure.add_vline(chance, line={"color": QUIET, "width": 1, "dash": "dash"})
        figure.add_annotation(
            x=chance,
            y=1.0,
            yref="paper",
            yanchor="bottom",
            text=called,
            showarrow=False,
            font={"size": 11, "color": QUIET},
        )
    return figure


def said(row: Measure) -> str:
    interval = "" if row.low is None else f" ({row.low:.2f} to {row.high:.2f})"
    return f"{row.value:.2f}{interval}, n {row.n}"


def chart(rows: Sequence[Measure], axis: str, key: str, called: str = "chance") -> None:
    """Rows with their chance level, where it is the same for all."""
    levels = {row.chance for row in rows}
    chance = levels.pop() if len(levels) == 1 else None
    st.plotly_chart(interval_plot(rows, chance, axis, called), key=key, config={"displayModeBar": False}, theme=None)


def table(rows: Sequence[Measure]) -> None:
    """The same numbers to read, and for those who cannot see the picture."""
    st.dataframe(
        {
            "measure": [row.metric.replace("_", " ") for row in rows],
            "of": [row.subject for row in rows],
            "value": [f"{row.value:.3f}" for row in rows],
            "95 % interval": ["-" if row.low is None else f"{row.low:.3f} to {row.high:.3f}" for row in rows],
            "n": [row.n for row in rows],
            "chance": ["-" if row.chance is None else f"{row.chance:.3f}" for row in rows],
        },
        hide_index=True,
    )


def provenance(checkpoint: Checkpoint) -> str:
    of = common.method_of(checkpoint)
    films = common.films_of(common.trained_on(checkpoint)) or "pictures its card names"
    where = {"shipped": "came with the app"}.get(checkpoint.source, "from " + checkpoint.source)
    return f"{of.title} ({of.paper}), trained on {films}. The weights {where}; sha256 {checkpoint.sha256[:12]}."


def strong(words_: str) -> None:
    """A line in bold. It may name what a checkpoint calls itself or its findings, so nothing in it is markup."""
    st.html(f"<p><b>{escape(words_)}</b></p>")


def show(checkpoint: Checkpoint) -> None:
    st.html(f"<h2 class='title'>{escape(common.label(checkpoint))}</h2>")
    st.text(provenance(checkpoint))
    rows, groups = checkpoint.metrics.rows, checkpoint.metrics.subgroups
    if checkpoint.method == GENERATOR_METHOD:
        return show_generator(rows, tuple(checkpoint.config.get("attributes", ())), checkpoint.card)
    aucs = [row for row in rows if row.metric == "auc"]
    noun = words.noun(next(iter(common.kinds_of(checkpoint)), "unknown"))
    what = noun + "s"
    if withheld := words.withheld(tuple(checkpoint.config["findings"]), rows, noun):
        common.line(withheld, "warn")
    left, right = st.columns(2, gap="medium")
    with left:
        strong(f"How well it tells {words.told_apart(checkpoint.config, noun)}")
        if aucs:
            chart(aucs, f"AUC on {what} not trained on, with 95 % interval", "aucs")
        else:
            st.text("Its card gives no AUC.")
    with right:
        strong("For whom")
        if groups:
            chart(groups, "mean AUC, with 95 % interval", "groups")
        else:
            st.text("Its card gives no numbers for subgroups.")
    to_read(rows, groups, checkpoint.card)


def show_generator(rows: Sequence[Measure], attributes: tuple[str, ...], card: str) -> None:
    """Of what shows patients otherwise: whether its pictures convince, and whether the findings stay as they were."""
    own = [row for row in rows if row.attribute in attributes and not row.model]  # not what is measured beside it
    left, right = st.columns(2, gap="medium")
    for side, title, metric, variants, axis in (
        (
            left,
            "How often its pictures show the value that was asked for",
            "effectiveness",
            ("", MEAN),
            "share, with 95 % interval",
        ),
        (
            right,
            "How far findings become harder or easier to see",
            "effect",
            (Variant.AUC,),
            "change of an AUC, with 95 % interval",
        ),
    ):
        chosen = [row for row in own if row.metric == metric and row.variant in variants]
        with side:
            strong(title)
            if chosen:
                chart(chosen, axis, metric, "no change")
            else:
                st.text("Its card gives no such number.")
    to_read(rows, [], card)


def to_read(rows: Sequence[Measure], groups: Sequence[Measure], card: str) -> None:
    """Every number as a table, and the card."""
    if rows:
        with st.expander(f"All {len(rows)} measures"):
            table(rows)
    if groups:
        with st.expander(f"All {len(groups)} measures of subgroups"):
            table(groups)
    with st.expander("The card", expanded=True):
        st.html(cards.to_html(card))


def open_another() -> None:
    with st.form("open another", border=False, clear_on_submit=False):
        address = st.text_input("Open another", placeholder="a folder, or hub:owner/name@revision")
        submitted = st.form_submit_button("Open")
    if submitted and address.strip():
        try:
            with st.spinner("Fetching and checking"):
                st.session_state["models notice"] = (common.open_another(address), "quiet")
        except UnknownCheckpoint as reason:
            st.session_state["models notice"] = (reason.briefly, "warn")
        except RefusedCheckpoint as reason:
            st.session_state["models notice"] = (str(reason), "warn")
        st.rerun()


def choose(good: Sequence[Checkpoint]) -> str:
    """The lists of what explains scans and of what only makes pictures for the bias report; the identity of the one
    that is chosen, of both.
    """
    groups = {
        "Models that explain scans": [c for c in good if c.method != GENERATOR_METHOD],
        "Generators, for the bias report": [c for c in good if c.method == GENERATOR_METHOD],
    }
    state, known = st.session_state, {c.identity for c in good}
    if not any(state.get(title) in known for title in groups):
        first = next(title for title, group in groups.items() if group)
        state[first] = groups[first][0].identity
    for title, group in groups.items():
        if not group:
            continue
        names = {c.identity: common.label(c) for c in group}
        if state.setdefault(title, None) not in names:
            state[title] = None
        films = [words.literal(common.films_of(common.trained_on(c))) for c in group]
        others = [other for other in groups if other != title]
        st.radio(
            title, list(names), format_func=names.get, captions=films, key=title, on_change=_only, args=(title, others)
        )
    return next(state[title] for title in groups if state.get(title) in known)


def _only(title: str, others: Sequence[str]) -> None:
    """One checkpoint is chosen in all lists together."""
    if st.session_state.get(title) is not None:
        st.session_state.update(dict.fromkeys(others))


def main() -> None:
    entries = common.everything()
    good = [entry for entry in entries if isinstance(entry, Checkpoint)]
    refused = [entry for entry in entries if isinstance(entry, Refused)]
    listed, shown = st.columns([1, 3.4], gap="medium")
    with listed:
        st.html("<h1 class='title'>Models</h1>")
        chosen = choose(good) if good else ""
        if not good:
            st.text("No checkpoint is here yet.")
        open_another()
        if notice := st.session_state.pop("models notice", None):
            common.line(*notice)
        if refused:
            strong("Not opened")
            for entry in refused:
                strong(entry.name)
                st.text(entry.reason)
    with shown:
        if good:
            show(next(c for c in good if c.identity == chosen))


if common.inside_app_frame():
    with st.container(key="models"):
        main()
