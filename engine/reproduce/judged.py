"""The judges are judged: which measures of an explanation rank methods as the truth does, where the truth is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from engine.metrics.intervals import UNKNOWN, Interval
from engine.metrics.measure import Measure
from engine.reproduce.comparisons import RANDOM, Compared

TRUTHS = ("recovery", "restraint", "disease_sensitivity", "hit_rate")
LOW_IS_GOOD = frozenset(
    (
        "deletion",
        "max_sensitivity",
        "parameter_randomisation",
        "random_logit",
        "minimality",
        "reversibility",
        "composition",
        "amplification",
    )
)
FEWEST = 5  # methods, below which no rank correlation is given
DRAWS = 400
NOTE = (
    "Spearman's rank correlation over methods, finding by finding, and the mean over findings. Measures of which less "
    "is better are turned round: 1 says that a measure ranks methods as the truth does, 0 that it knows nothing of it, "
    "and below 0 that it misleads. The intervals resample methods. Methods are few and not drawn at random: several "
    "explain one classifier, and checkpoints of one method resemble each other."
)
Values = Mapping[str, np.ndarray]  # metric -> (methods, findings), NaN where not measured


def judged(found: Sequence[Compared], films: str) -> list[Measure]:
    """A row for each measure and truth that enough methods have.

    Args:
        films: what the films are called.
    """
    values = table(found)
    rows = []
    for truth in TRUTHS:
        for metric in values:
            if metric != truth and truth in values:
                rows += _row(metric, truth, values, films)
    return rows


def table(found: Sequence[Compared]) -> Values:
    """Every measure of every method and finding. A measure with several variants (composition after 1 and 10 rounds) is
    several measures.
    """
    findings = list(dict.fromkeys(row.finding for entrant in found for row in entrant.rows if row.finding))
    values: dict[str, np.ndarray] = {}
    for m, entrant in enumerate(found):
        for row in entrant.rows:
            if not row.finding or RANDOM in row.variant:
                continue
            name = f"{row.metric}, {row.variant}" if row.variant else row.metric
            values.setdefault(name, np.full((len(found), len(findings)), np.nan))[m, findings.index(row.finding)] = (
                row.value
            )
    return values


def agreement(metric: np.ndarray, truth: np.ndarray, methods: np.ndarray, fewest: int = FEWEST) -> float:
    """Mean over findings of the rank correlation over methods; NaN where no finding has enough.

    Args:
        metric, truth: (M, F), NaN where not measured. methods: indices, some of them several times.
    """
    found = []
    for one, other in zip(metric[methods].T, truth[methods].T):
        both = np.isfinite(one) & np.isfinite(other)
        if len(np.unique(methods[both])) >= fewest and np.ptp(one[both]) > 0 and np.ptp(other[both]) > 0:
            found.append(float(np.corrcoef(rankdata(one[both]), rankdata(other[both]))[0, 1]))
    return float(np.mean(found)) if found else float("nan")


def _row(metric: str, truth: str, values: Values, films: str) -> list[Measure]:
    sign = -1.0 if metric.split(",")[0] in LOW_IS_GOOD else 1.0
    one, other = sign * values[metric], values[truth]
    usable = np.flatnonzero((np.isfinite(one) & np.isfinite(other)).any(axis=1))
    value = agreement(one, other, usable)
    if not np.isfinite(value):
        return []
    low, high = _interval(one, other, usable)
    words = f"{metric} and {truth}"
    return [Measure("spearman", "", value, low, high, n=len(usable), chance=0.0, variant=words, model=films)]


def _interval(one: np.ndarray, other: np.ndarray, methods: np.ndarray) -> Interval:
    random = np.random.default_rng(0)
    drawn = [agreement(one, other, random.choice(methods, len(methods)), FEWEST - 2) for _ in range(DRAWS)]
    known = np.array(drawn)[np.isfinite(drawn)]
    if len(known) < DRAWS / 2:
        return UNKNOWN
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)


def draw(rows: Iterable[Measure], file: Path) -> None:
    """The rows as a picture: a field for each measure and truth, coloured by the correlation, which stands in it; bold
    where the interval leaves out 0.
    """
    from matplotlib.figure import Figure

    cells = {(*row.variant.rsplit(" and ", 1), row.model): row for row in rows}
    metrics = list(dict.fromkeys(metric for metric, _, _ in cells))
    columns = list(dict.fromkeys((films, truth) for _, truth, films in cells))
    grid = np.full((len(metrics), len(columns)), np.nan)
    for (metric, truth, films), row in cells.items():
        grid[metrics.index(metric), columns.index((films, truth))] = row.value
    figure = Figure(figsize=(3.2 + 1.25 * len(columns), 1.6 + 0.36 * len(metrics)), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(grid, cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto")
    for (metric, truth, films), row in cells.items():
        sure = row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)
        at = columns.index((films, truth)), metrics.index(metric)
        colour = "white" if abs(row.value) > 0.6 else "black"
        axes.text(*at, f"{row.value:.2f}", ha="center", va="center", color=colour, weight="bold" if sure else "normal")
    axes.set_xticks(range(len(columns)), [f"{truth}\n{films}" for films, truth in columns], fontsize=8)
    axes.set_yticks(range(len(metrics)), metrics, fontsize=8)
    axes.xaxis.tick_top()
    figure.colorbar(shown, label="rank correlation with the truth (bold: the interval leaves out 0)", shrink=0.6)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=130, metadata={"Title": "Which measures rank methods as the truth does"})
