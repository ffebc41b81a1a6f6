"""What making a picture leaves in it, estimated and subtracted, and whether the change that remains is shown to be
smaller than a margin.

A generator that redraws a patient under the patient's own value ought to change nothing. By how much the model's answer
moves all the same is the generator's trace under that value. It is assumed to be the same in pictures that are made
under that value of patients who have another one, and is subtracted there; what is not known of it widens the interval
of the change.

That a change was not found does not mean that there is none. "No sign of it" is claimed only where the interval of the
change lies within a margin on both sides (two one-sided tests, Schuirmann 1987), by the same interval that an
accusation rests on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, special, stats

from engine.metrics.intervals import LEVEL, cluster_index, clustered_variance, wilson
from engine.metrics.measure import Measure
from engine.metrics.subjects import Variant

# Of the mean change of the probability, and of the share of decisions: changes below it are too small to matter
MARGIN = 0.05
FEWEST_OWN = 20  # patients of a value, below which its trace is not estimated
LARGEST_TRACE = 20.0  # log-odds
NEAREST = 1e-6  # to 0 and 1, so that log-odds are finite


@dataclass(frozen=True)
class Trace:
    """By how much the null intervention moves the answer on patients of one value.

    Attributes:
        value: of the attribute.
        shift, low, high: in log-odds with the 95 % interval; of a model that gives labels alone, in shares of its
            labels. 0 without an interval where no answer moves at all, or where fewer than `FEWEST_OWN` patients have
            this value.
        points: the same as the mean change of the probability on these patients, in [-1, 1].
        n: pictures that it rests on.
    """

    value: str
    shift: float
    low: float | None
    high: float | None
    points: float
    n: int

    def measure(self, finding: str, attribute: str) -> Measure:
        """As a row: the shift with its interval."""
        return Measure(
            "effect",
            finding,
            self.shift,
            self.low,
            self.high,
            max(self.n, 1),
            chance=0.0,
            attribute=attribute,
            attribute_value=self.value,
            variant=Variant.TRACE,
        )


@dataclass(frozen=True, eq=False)
class Subtracted:
    """Answers from which the traces were subtracted.

    Attributes:
        answers: (n, m) under every value; of a model that gives labels alone they may leave [0, 1] by the trace.
        traces: one a value.
        pulls: (n, m) by how much each case moved the shift of each trace. slopes: (n, m) by how much a shift moves each
            answer.
    """

    answers: np.ndarray
    traces: tuple[Trace, ...]
    pulls: np.ndarray
    slopes: np.ndarray

    def change(self, a: int, b: int) -> np.ndarray:
        """(n,) of which the mean is the mean change from value a to value b, and whose spread holds that of the traces
        as well.
        """
        n, slope = len(self.answers), self.slopes.mean(0)
        return self.answers[:, b] - self.answers[:, a] + n * (slope[b] * self.pulls[:, b] - slope[a] * self.pulls[:, a])


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of a mean change against a margin.

    Attributes:
        margin: in (0, 1), of the mean change of the probability and of the share of decisions that flip.
        p_below, p_above: of the null hypotheses that the change is -margin or less, and margin or more. Both are at
            most 0.025 exactly where the 95 % interval lies within the margin.
    """

    margin: float
    p_below: float
    p_above: float

    @property
    def p_value(self) -> float:
        """The larger of the two."""
        return max(self.p_below, self.p_above)


def subtract_traces(
    under: np.ndarray,
    original: np.ndarray,
    codes: np.ndarray,
    values: Sequence[str],
    patients: np.ndarray | None = None,
) -> Subtracted:
    """Answers on generated pictures less what the null intervention moves them by.

    The shift of value a is the t with mean(expit(logit(own) - t)) = mean(original) over the patients who have a.

    Args:
        under: (n, m) answers in [0, 1] under every value. original: (n,) on the pictures as they are.
        codes: (n,) int, each case's own value. values: their m names. patients: (n,) or None.
    """
    n, m = under.shape
    units = cluster_index(patients, n)[0]
    labels = bool(np.isin(under, (0, 1)).all())
    scale = under if labels else special.logit(np.clip(under, NEAREST, 1 - NEAREST))
    answers, pulls, slopes, traces = under.astype(np.float64), np.zeros((n, m)), np.zeros((n, m)), []
    for a, value in enumerate(values):
        own = codes == a
        points = float((under[own, a] - original[own]).mean()) if own.any() else 0.0
        if len(np.unique(units[own])) < FEWEST_OWN or (under[own, a] == original[own]).all():
            traces.append(Trace(value, 0.0, None, None, points, int(own.sum())))
            continue
        shift = points if labels else _shift(scale[own, a], original[own])
        answers[:, a] = under[:, a] - shift if labels else special.expit(scale[:, a] - shift)
        slopes[:, a] = -1.0 if labels else -answers[:, a] * (1 - answers[:, a])
        pulls[own, a] = (answers[own, a] - original[own]) / max(-slopes[own, a].sum(), NEAREST)
        index, g = cluster_index(units[own], int(own.sum()))
        half_width = float(stats.t.ppf((1 + LEVEL) / 2, g - 1)) * math.sqrt(clustered_variance(pulls[own, a], index, g))
        traces.append(Trace(value, shift, shift - half_width, shift + half_width, points, int(own.sum())))
    return Subtracted(answers, tuple(traces), pulls, slopes)


def _shift(scale: np.ndarray, original: np.ndarray) -> float:
    """The t with mean(expit(scale - t)) = mean(original), at most `LARGEST_TRACE` either way."""

    def excess(t: float) -> float:
        return float((special.expit(scale - t) - original).mean())

    if excess(-LARGEST_TRACE) <= 0:
        return -LARGEST_TRACE
    return (
        LARGEST_TRACE
        if excess(LARGEST_TRACE) >= 0
        else float(np.asarray(optimize.brentq(excess, -LARGEST_TRACE, LARGEST_TRACE, xtol=1e-10)))
    )


def mean_change(
    finding: str,
    values: np.ndarray,
    patients: np.ndarray | None,
    margin: float = MARGIN,
    choices: int = 1,
    **about: Any,
) -> tuple[Measure, Equivalence]:
    """The mean of (n,) changes in [-1, 1] with its interval, and the two one-sided tests that go with that interval.

    Student's t with the cluster-robust standard error of patients. Where no two patients differ, nothing is known of
    those who were not seen but that they are few: the interval then ends where Wilson's interval of 0 in so many
    patients does.

    Args:
        choices: out of how many this mean was picked; interval and tests are then Bonferroni's.
        about: the row's attribute, attribute_value and variant.
    """
    n, mean = len(values), float(np.mean(values))
    index, g = cluster_index(patients, n)
    if g < 2:
        return Measure("effect", finding, mean, None, None, n, chance=0.0, **about), Equivalence(margin, 1.0, 1.0)
    error, quantile = (
        math.sqrt(clustered_variance((values - mean) / n, index, g)),
        float(stats.t.isf((1 - LEVEL) / 2 / choices, g - 1)),
    )
    half_width = quantile * error
    if np.ptp(values) == 0:
        half_width = wilson(0, g)[1]
        error = half_width / quantile
    p = [min(1.0, choices * float(stats.t.sf((margin + sign * mean) / error, g - 1))) for sign in (1, -1)]
    row = Measure("effect", finding, mean, mean - half_width, mean + half_width, n, chance=0.0, **about)
    return row, Equivalence(margin, *p)
