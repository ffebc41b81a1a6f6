"""The record that every measure returns: one number about one subject, with its interval and what it should
be read against.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

METRICS = (
    "auc",
    "accuracy",
    "sensitivity",
    "specificity",
    "class_sensitivity",
    "disease_sensitivity",
    "confounder_sensitivity",
    "iou",
    "dice",
    "ncc",
    "ssim",
    "non_resemblance",
    "cam_precision",
    "hit_rate",
    "recovery",
    "restraint",
    "evidence_on_body",
    "composition",
    "effectiveness",
    "fid",
    "eca",
    "eca_error",
    "p_value",
    "effect",
    "type_1_error",
    "power",
    "spearman",
    "stride_energy",
)


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
        if len(self.values) != len(other.values) or (self.groups is None) != (other.groups is None):
            return False
        return self.groups is None or np.array_equal(self.groups, other.groups)


@dataclass(frozen=True)
class Measure:
    """One row of a results table.

    Attributes:
        metric: one of `METRICS`.
        subject: what was measured: a finding, a class or a method.
        value: finite.
        low, high: ends of the 95 % interval of `value`, both None where nothing was sampled or too little to tell.
        n: how many things `value` rests on (pictures, grids, regions or pixels; each measure says which), at least 1.
        chance: what a method that knows nothing would score.
        paper: what the paper printed.
        remark: what a reader must know beside the number, "" if nothing.
        sample: where `value` is a mean over pictures and its measure keeps them; written nowhere.

    Raises:
        ValueError: for an unknown metric, a number that is not finite, or half an interval.
    """

    metric: str
    subject: str
    value: float
    low: float | None
    high: float | None
    n: int
    chance: float | None = None
    paper: float | None = None
    remark: str = ""
    sample: Sample | None = field(default=None, repr=False, compare=False)

    def __post_init__(self):
        if self.metric not in METRICS:
            raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {self.metric!r}")
        if (self.low is None) != (self.high is None):
            raise ValueError(
                f"low and high of {self.metric} must both be given or both be None, got {self.low} and {self.high}"
            )
        for name in ("value", "low", "high", "chance", "paper"):
            number = getattr(self, name)
            if number is None and name != "value":
                continue
            if not math.isfinite(number):
                raise ValueError(f"{name} of {self.metric} for {self.subject!r} must be finite, got {number}")
            object.__setattr__(self, name, float(number))  # numpy's scalars cannot be written as JSON
        if self.low is not None and self.low > self.high:
            raise ValueError(
                f"the interval of {self.metric} for {self.subject!r} runs backwards: {self.low} to {self.high}"
            )
        object.__setattr__(self, "n", int(self.n))
        if self.n < 1:
            raise ValueError(f"{self.metric} for {self.subject!r} rests on n = {self.n}, must be at least 1")

    def beside(self, paper: float) -> Measure:
        """The same measure with the paper's number beside it."""
        return replace(self, paper=paper)

    def row(self) -> dict:
        """The fields of one JSON row; chance, paper and remark only where there is one."""
        row = {name: getattr(self, name) for name in ("metric", "subject", "value", "low", "high", "n")}
        row.update({name: getattr(self, name) for name in ("chance", "paper") if getattr(self, name) is not None})
        return row | ({"remark": self.remark} if self.remark else {})


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
