"""What a table of a paper is made of, and how its rows come together from what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engine.datasets.collection import Collection
from engine.metrics import subjects
from engine.metrics.measure import Measure
from engine.reproduce.rows import About, Mean, Row, Wanted

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
        measured_on: another collection, which they are measured on, all of it; nothing learns from that.
        changes: settings of the training that differ from the preset, the same for all.
        models: the checkpoints, by the name that a reader sees.
        baselines: what stands beside that is no checkpoint, see `Baselines`.
        more: further measures of one model, (model, collection, indices) -> measures.
        note: what a reader must know about the paper's numbers.
    """

    method: str
    data: str
    models: Mapping[str, Training]
    rows: Sequence[Row]
    note: str
    options: Sequence[str] = ()
    findings: Sequence[str] = ()
    changes: Mapping[str, str] = field(default_factory=dict)
    baselines: Baselines | None = None
    more: Callable[[object, Collection, np.ndarray], list[Measure]] | None = None
    measured_on: str = ""

    @property
    def measured_data(self) -> str:
        """The collection whose pictures the rows are of, and whose folder is asked for."""
        return self.measured_on or self.data

    def checkpoint(self, model: str, preset: str) -> str:
        """The name of a model's checkpoint; that of another preset than "demo" says which."""
        return self.models[model].name + suffix(preset)


def of_seeds(table: Table, seeds: Sequence[int]) -> Table:
    """The same table with the trainings of some seeds only, and the rows that these can fill; a mean over seeds is
    taken over those that are left.

    Raises:
        ValueError: it has no training of one of them.
    """
    known = sorted({training.seed for training in table.models.values()})
    if unknown := [seed for seed in seeds if seed not in known]:
        raise ValueError(f"the table has no training of seed {unknown[0]}; its seeds are {', '.join(map(str, known))}.")
    models = {name: training for name, training in table.models.items() if training.seed in seeds}
    left = {*models, *(table.baselines.names if table.baselines and SEED in seeds else ())}
    rows: list[Row] = []
    for row in table.rows:
        if isinstance(row, Mean):
            row = replace(row, models=tuple(model for model in row.models if model in left))
        if row.asks and all(model in left for model, _ in row.asks):
            rows.append(row)
    return replace(table, models=models, rows=rows, baselines=table.baselines if SEED in seeds else None)


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
        found = [_find(measured.get(model, ()), wanted.metric, about) for model, about in wanted.asks]
        whole = [measure for measure in found if measure is not None]
        remark = next((absent[model] for model, _ in wanted.asks if model in absent), Wanted.otherwise)
        row = None
        if len(whole) == len(found):
            row, remark = wanted.made(whole), wanted.otherwise
        if row is None:
            empty = {"value": None, "low": None, "high": None, "n": 0}
            beside = {} if wanted.paper is None else {"paper": wanted.paper}
            missing.append({"metric": wanted.metric, **_named(wanted), **empty, **beside, "remark": remark})
        else:
            rows.append(row if wanted.paper is None else row.beside(wanted.paper))
    return rows, missing


def _named(wanted: Row) -> dict[str, str]:
    """Fields and subject of a row that has no value."""
    fields = wanted.fields
    return {"subject": subjects.subject(**fields)} | {name: value for name, value in fields.items() if value}


def _find(measures: Sequence[Measure], metric: str, about: About) -> Measure | None:
    fields = (metric, about.finding, about.attribute, about.attribute_value, about.variant, "")
    return next((m for m in measures if m.about == fields), None)
