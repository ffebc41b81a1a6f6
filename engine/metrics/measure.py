"""The record that every measure returns: one number, what it is about, its interval and what it should be read
against.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from engine.discovery import declared
from engine.metrics import subjects

METRICS = (  # what is measured outside engine/metrics: statistics, and the bias report
    "eca",
    "eca_error",
    "effect",
    "p_value",
    "power",
    "spearman",
    "type_1_error",
)
ABOUT = ("finding", "attribute", "attribute_value", "variant", "model")


class NotMeasurable(ValueError):
    """The data cannot answer the question (one class only, nothing annotated); str() is one sentence that
    names the subject.
    """


@dataclass(frozen=True, eq=False)
class Sample:
    """What a mean was taken over, so that two means over the same pictures can be compared picture by picture.

    Attributes:
        values: (n,) float64. groups: (n,) whom each belongs to, None when all are independent.
    """

    values: np.ndarray
    groups: np.ndarray | None

    def pairs_with(self, other: Sample) -> bool:
        """Whether the other's values are, as far as can be told, of the same pictures: as many, of the same people in
        the same order.
        """
        if len(self.values) != len(other.values):
            return False
        if self.groups is None or other.groups is None:
            return self.groups is other.groups
        return np.array_equal(self.groups, other.groups)


@dataclass(frozen=True)
class Measure:
    """One row of a results table.

    Attributes:
        metric: one of `metrics()`.
        finding: the finding or class that was measured; "" for a row about none or all of them.
        value: finite.
        low, high: ends of the 95 % interval of `value`, both None where nothing was sampled or too little to tell.
        n: how many things `value` rests on (pictures, grids, regions or pixels; each measure says which), at least 1.
        chance: what a method that knows nothing would score.
        paper: what the paper printed.
        remark: what a reader must know beside the number, "" if nothing.
        attribute, attribute_value: of the patient or the picture, as the collection names them; of a change from
            one value to another see `between`.
        variant: how it was measured where that can be done in several ways, for example a `subjects.Variant`.
        model: where rows of several models stand in one table.
        limit: in (0, 1), for a p value of the hypothesis that something does (or does not) exceed it.
        sample: where `value` is a mean over pictures and its measure keeps them; written nowhere.

    Raises:
        ValueError: for an unknown metric, a number that is not finite, or half an interval.
    """

    metric: str
    finding: str
    value: float
    low: float | None
    high: float | None
    n: int
    chance: float | None = None
    paper: float | None = None
    remark: str = ""
    attribute: str = ""
    attribute_value: str = ""
    variant: str = ""
    model: str = ""
    limit: float | None = None
    sample: Sample | None = field(default=None, repr=False, compare=False)

    def __post_init__(self):
        if self.metric not in metrics():
            raise ValueError(f"metric must be one of {', '.join(metrics())}, got {self.metric!r}")
        if (self.low is None) != (self.high is None):
            raise ValueError(
                f"low and high of {self.metric} must both be given or both be None, got {self.low} and {self.high}"
            )
        for name in ("value", "low", "high", "chance", "paper", "limit"):
            number: float | None = getattr(self, name)
            if number is None and name != "value":
                continue
            if number is None or not math.isfinite(number):
                raise ValueError(f"{name} of {self.metric} for {self.subject!r} must be finite, got {number}")
            object.__setattr__(self, name, float(number))  # numpy's scalars cannot be written as JSON
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(
                f"the interval of {self.metric} for {self.subject!r} runs backwards: {self.low} to {self.high}"
            )
        object.__setattr__(self, "n", int(self.n))
        if self.n < 1:
            raise ValueError(f"{self.metric} for {self.subject!r} rests on n = {self.n}, must be at least 1")

    @property
    def interval(self) -> tuple[float, float] | None:
        """`low` and `high`, or None where there are none."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def about(self) -> tuple[str, ...]:
        """What tells this row from every other of its table: its metric and the fields of `ABOUT`."""
        return (self.metric, *(getattr(self, name) for name in ABOUT))

    @property
    def subject(self) -> str:
        """What this row is about, in words for a reader."""
        return subjects.subject(**{name: getattr(self, name) for name in ABOUT}, limit=self.limit)

    @property
    def detail(self) -> str:
        """The same below a title that names finding and attribute already."""
        return subjects.detail(self.finding, self.attribute, self.attribute_value, self.variant, self.limit)

    def beside(self, paper: float) -> Measure:
        """The same measure with the paper's number beside it."""
        return replace(self, paper=paper)

    def row(self) -> dict:
        """The fields of one JSON row and its subject in words; what is not set is left out, but for the interval."""
        row = {name: getattr(self, name) for name in ("metric", "subject", "value", "low", "high", "n")}
        row.update(
            {name: getattr(self, name) for name in ("chance", "paper", "limit") if getattr(self, name) is not None}
        )
        return row | {name: str(getattr(self, name)) for name in (*ABOUT, "remark") if getattr(self, name)}

    @classmethod
    def of_row(cls, row: Mapping) -> Measure:
        """The measure that `row` wrote; the subject is made anew from the fields.

        Raises:
            ValueError: a field is missing, not known or of another type.
        """
        words, numbers = ("metric", *ABOUT, "remark"), ("value", "low", "high", "chance", "paper", "limit")
        given = {name: value for name, value in row.items() if name != "subject"}
        if strange := sorted(given.keys() - {*words, *numbers, "n"}):
            raise ValueError(f"a row has no {strange[0]}")
        if missing := [name for name in ("metric", "value", "n") if name not in given]:
            raise ValueError(f"a row has no {missing[0]}")
        for name, value in given.items():
            wanted = str if name in words else int if name == "n" else (int, float)
            if isinstance(value, bool) or not (isinstance(value, wanted) or (value is None and name in numbers)):
                raise ValueError(f"{name} of a row cannot be {value!r}")
        return cls(**{"finding": "", "low": None, "high": None} | given)


def metrics() -> tuple[str, ...]:
    """Names of all metrics: what the modules of `engine/metrics` declare in `METRICS`, each beside what it measures.

    None of the modules is imported: a results table is read where the libraries of the measures may be missing.

    Raises:
        ValueError: two modules declare one name, or a module something else than names.
    """
    return tuple(declared("engine.metrics", "METRICS"))


def between(first: str, second: str) -> str:
    """`attribute_value` of a change from the first value to the second."""
    return f"{first} to {second}"


def collected() -> tuple[list[Measure], Callable[..., None], list[str]]:
    """An empty list of rows, a function that adds what a measure returns, and the reasons of those that
    could not be had.
    """
    rows: list[Measure] = []
    remarks: list[str] = []

    def measured(call: Callable[..., Measure | list[Measure]], *args, **kwargs) -> None:
        try:
            found = call(*args, **kwargs)
            rows.extend(found if isinstance(found, list) else [found])
        except NotMeasurable as reason:
            remarks.append(str(reason))

    return rows, measured, remarks
