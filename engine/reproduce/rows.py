"""The kinds of row that a table of a paper has: a measure, a ratio of two, a mean over seeds, and a difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from engine.metrics import subjects
from engine.metrics.intervals import mean_interval, paired_ratio
from engine.metrics.measure import Measure, Sample


@dataclass(frozen=True)
class About:
    """What a row is about, by the fields of `Measure`."""

    finding: str = ""
    variant: str = ""
    attribute: str = ""
    attribute_value: str = ""

    @property
    def subject(self) -> str:
        return subjects.subject(**asdict(self))


@dataclass(frozen=True)
class Wanted:
    """One row: a measure of a model, as `evaluate` makes it, and the paper's number where there is one."""

    model: str
    metric: str
    about: About
    paper: float | None = None
    otherwise = "it could not be measured on these pictures"

    @property
    def name(self) -> str:
        """The model of the row, as a reader sees it."""
        return self.model

    @property
    def asks(self) -> tuple[tuple[str, About], ...]:
        """Which measures it needs: of which model, about what."""
        return ((self.model, self.about),)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of `Measure` that it has."""
        return {**asdict(self.about), "model": self.name}

    def made(self, found: Sequence[Measure]) -> Measure | None:
        """The row from the measures that it asks for; None where they do not go together, as `otherwise` says."""
        return replace(found[0], model=self.name)


@dataclass(frozen=True)
class Ratio:
    """One row: how many times as large a measure is in the second model as in the first."""

    metric: str
    about: About
    model: str
    than: str
    paper: float | None = None
    otherwise = "one of the two is not above 0, so there is no ratio"

    @property
    def name(self) -> str:
        return f"{self.model} / {self.than}"

    @property
    def asks(self) -> tuple[tuple[str, About], ...]:
        return ((self.model, self.about), (self.than, self.about))

    @property
    def fields(self) -> dict[str, Any]:
        return {**asdict(About(variant=_compared(self.metric, self.about.subject))), "model": self.name}

    def made(self, found: Sequence[Measure]) -> Measure | None:
        return ratio(found[0], found[1], self.name)


@dataclass(frozen=True)
class Mean:
    """One row: the mean of a measure over several models of one kind, as trainings of several seeds are, on the same
    pictures.
    """

    metric: str
    about: About
    name: str
    models: Sequence[str]
    paper: float | None = None
    otherwise = "the models were not measured on the same pictures"

    @property
    def asks(self) -> tuple[tuple[str, About], ...]:
        return tuple((model, self.about) for model in self.models)

    @property
    def fields(self) -> dict[str, Any]:
        return {**asdict(self.about), "model": self.name}

    def made(self, found: Sequence[Measure]) -> Measure | None:
        return mean_of(found, self.name)


@dataclass(frozen=True)
class Difference:
    """One row: by how much a measure is higher in some models than in others, picture by picture; of several models of
    one kind each picture's mean is taken.

    Attributes:
        models, about: the first; `than`, `than_about` what is subtracted.
    """

    metric: str
    about: About
    models: Sequence[str]
    than_about: About
    than: Sequence[str]
    name: str
    paper: float | None = None
    otherwise = "the models were not measured on the same pictures"

    @property
    def asks(self) -> tuple[tuple[str, About], ...]:
        return (*((m, self.about) for m in self.models), *((m, self.than_about) for m in self.than))

    @property
    def fields(self) -> dict[str, Any]:
        about = About(self.about.finding, "", self.about.attribute, self.about.attribute_value)
        return {**asdict(About(variant=_compared(self.metric, about.subject))), "model": self.name}

    def made(self, found: Sequence[Measure]) -> Measure | None:
        first, second = found[: len(self.models)], found[len(self.models) :]
        return difference(first, second, self.name, self.fields["variant"])


Row = Wanted | Ratio | Mean | Difference


def _compared(metric: str, subject: str) -> str:
    """The variant of a ratio or difference: of which measure."""
    return f"{metric}, {subject}"


def ratio(above: Measure, below: Measure, model: str) -> Measure | None:
    """`above` / `below`, two rows about the same, as an "effect", or None when either is not positive.

    Where both are means over the same pictures, these (or the patients) are drawn anew for both at once. Elsewhere the
    interval adds the two relative errors as if independent, which is too wide rather than too short.
    """
    if above.value <= 0 or below.value <= 0:
        return None
    value = above.value / below.value
    ends: tuple = (None, None)
    if above.sample is not None and below.sample is not None and above.sample.pairs_with(below.sample):
        ends = paired_ratio(above.sample.values, below.sample.values, above.sample.groups)
    elif above.low is not None and above.high is not None and below.low is not None and below.high is not None:
        relative = (above.high - above.low) / (2 * above.value), (below.high - below.low) / (2 * below.value)
        half_width = math.hypot(*relative)  # 1.96 standard errors
        ends = value * math.exp(-half_width), value * math.exp(half_width)
    return Measure(
        "effect",
        "",
        value,
        *ends,
        n=min(above.n, below.n),
        chance=1.0,
        variant=_compared(above.metric, above.subject),
        model=model,
    )


def mean_of(found: Sequence[Measure], name: str) -> Measure | None:
    """The mean of measures of several models, each picture's values in all of them taken together for the interval;
    None unless all rest on the same pictures. A single one is itself.
    """
    values, groups = _together(found)
    if len(found) == 1:
        return replace(found[0], model=name)
    if values is None:
        return None
    low, high = mean_interval(values, groups, within=(0.0, 1.0) if values.min() >= 0 and values.max() <= 1 else None)
    return replace(
        found[0],
        value=float(values.mean()),
        low=low,
        high=high,
        model=name,
        sample=Sample(values, groups),
        remark=f"mean of {len(found)} trainings; the interval is over pictures",
    )


def difference(first: Sequence[Measure], second: Sequence[Measure], name: str, variant: str) -> Measure | None:
    """Mean of `first` less mean of `second` as an "effect", with the interval of the differences picture by picture;
    None unless all rest on the same pictures.
    """
    values, groups = _together([*first, *second])
    if values is None:
        return None
    samples = [measure.sample.values for measure in (*first, *second) if measure.sample is not None]
    gain = np.mean(samples[: len(first)], axis=0) - np.mean(samples[len(first) :], axis=0)
    low, high = mean_interval(gain, groups)
    return Measure("effect", "", float(gain.mean()), low, high, n=len(gain), chance=0.0, variant=variant, model=name)


def _together(found: Sequence[Measure]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Each picture's mean (n,) over all measures, and whom the pictures belong to; None and None where they are not the
    same pictures.
    """
    samples = [measure.sample for measure in found if measure.sample is not None]
    if len(samples) < len(found) or not all(samples[0].pairs_with(sample) for sample in samples[1:]):
        return None, None
    return np.mean([sample.values for sample in samples], axis=0), samples[0].groups
