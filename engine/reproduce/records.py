"""What a table of a paper is made of, and how its rows come together from what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from engine.datasets.collection import Collection
from engine.metrics import subjects
from engine.metrics.intervals import paired_ratio
from engine.metrics.measure import Measure

SEED = 42


@dataclass(frozen=True)
class Training:
    """A checkpoint that a table needs, as `engine train` makes it.

    Attributes:
        name: of the checkpoint.
        guidance: as on the command line.
        changes: settings beside the table's own.
        demo: settings of the demo preset only.
        start_from: the run or checkpoint that the demo preset begins with.
        method: where it is not the table's.
        findings: the table's in another order, where the weights that it begins with have one of their own.
        seed: of the training.
    """

    name: str
    guidance: str = "none"
    changes: Mapping[str, str] = field(default_factory=dict)
    demo: Mapping[str, str] = field(default_factory=dict)
    start_from: str | None = None
    method: str | None = None
    findings: Sequence[str] = ()
    seed: int = SEED


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


@dataclass(frozen=True)
class Ratio:
    """One row: how many times as large a measure is in the second model as in the first."""

    metric: str
    about: About
    model: str
    than: str
    paper: float | None = None


@dataclass(frozen=True)
class Baselines:
    """Models without a checkpoint of their own.

    Attributes:
        names: as a reader sees them.
        measured: (table, preset, collection, machine, runs, train) -> their measures by name, or None where they are
            not trained and not to be.
    """

    names: Sequence[str]
    measured: Callable[..., Mapping[str, list[Measure]] | None]


@dataclass(frozen=True)
class Table:
    """A table of a paper.

    Attributes:
        method: of all its checkpoints.
        data, options, findings: the collection that they are trained and tested on.
        changes: settings of the training that differ from the preset, the same for all.
        models: the checkpoints, by the name that a reader sees.
        baselines: what stands beside that is no checkpoint, see `Baselines`.
        more: further measures of one model, (model, collection, indices) -> measures.
        note: what a reader must know about the paper's numbers.
    """

    method: str
    data: str
    models: Mapping[str, Training]
    rows: Sequence[Wanted | Ratio]
    note: str
    options: Sequence[str] = ()
    findings: Sequence[str] = ()
    changes: Mapping[str, str] = field(default_factory=dict)
    baselines: Baselines | None = None
    more: Callable[[object, Collection, np.ndarray], list[Measure]] | None = None

    def checkpoint(self, model: str, preset: str) -> str:
        """The name of a model's checkpoint; that of another preset than "demo" says which."""
        return self.models[model].name + suffix(preset)


def suffix(preset: str) -> str:
    """What a name carries when it was not made with the demo preset."""
    return "" if preset == "demo" else f"-{preset}"


def assembled(
    table: Table, measured: Mapping[str, Sequence[Measure]], absent: Mapping[str, str]
) -> tuple[list[Measure], list[dict]]:
    """The table's rows, model by model, and a JSON row without a value for each that could not be had, with its reason.

    Args:
        measured: what is known of each model; absent: why a model is not there, in a sentence.
    """
    rows, missing = [], []
    for wanted in table.rows:
        models = (wanted.model, wanted.than) if isinstance(wanted, Ratio) else (wanted.model,)
        name = " / ".join(models)
        found = [row for model in models if (row := _find(measured.get(model, ()), wanted)) is not None]
        remark = next(
            (absent[model] for model in models if model in absent), "it could not be measured on these pictures"
        )
        row = None
        if len(found) == len(models):
            row = ratio(found[0], found[1], name) if len(found) == 2 else replace(found[0], model=name)
            remark = "one of the two is not above 0, so there is no ratio"
        if row is None:
            empty = {"value": None, "low": None, "high": None, "n": 0}
            beside = {} if wanted.paper is None else {"paper": wanted.paper}
            missing.append({"metric": wanted.metric, **_named(wanted, name), **empty, **beside, "remark": remark})
        else:
            rows.append(row if wanted.paper is None else row.beside(wanted.paper))
    return rows, missing


def _named(wanted: Wanted | Ratio, model: str) -> dict[str, str]:
    """Fields and subject of a row that has no value."""
    fields: dict[str, Any] = asdict(wanted.about)
    if isinstance(wanted, Ratio):
        fields = {"variant": _compared(wanted.metric, wanted.about.subject)}
    fields["model"] = model
    return {"subject": subjects.subject(**fields)} | {name: value for name, value in fields.items() if value}


def _compared(metric: str, subject: str) -> str:
    """The variant of a ratio: of which measure."""
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


def _find(measures: Sequence[Measure], wanted: Wanted | Ratio) -> Measure | None:
    about = wanted.about
    fields = (wanted.metric, about.finding, about.attribute, about.attribute_value, about.variant, "")
    return next((m for m in measures if m.about == fields), None)
