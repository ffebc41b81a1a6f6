"""What can be asked of the inference process: functions that take `progress` and a checkpoint, and open its
model there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from engine.checkpoints.format import Checkpoint
from engine.explanation import ClassCentres, Explanation
from engine.look import AttributeEffect, Look
from engine.registry import Model, open_model
from engine.scan import Scan
from engine.similar.describe import Description, describe

Progress = Callable[[int, int], None]
MODELS = 6  # open at a time, those used last
_opened: OrderedDict[tuple[str, str], Model] = OrderedDict()


def warm() -> None:
    """Imports what every model needs."""
    import torch  # noqa: F401


def model_of(checkpoint: Checkpoint, device: str) -> Model:
    """The opened model of a checkpoint, by its identity; the one asked for least lately is closed for a seventh."""
    key = (checkpoint.identity, device)
    if key not in _opened:
        _opened[key] = open_model(checkpoint, device)
    _opened.move_to_end(key)
    while len(_opened) > MODELS:
        _opened.popitem(last=False)
    return _opened[key]


def explain(
    progress: Progress, checkpoint: Checkpoint, device: str, scan: Scan, findings: Sequence[str] | None, space: str = ""
) -> list[Explanation]:
    """One record a finding, without the large pictures; counterfactuals sought in `space` where one is named."""
    model = model_of(checkpoint, device)
    model = model.in_space(space) if space else model
    return [record.without_pictures() for record in model.explain(scan, findings, progress)]


def predict_counterfactual(
    progress: Progress, checkpoint: Checkpoint, device: str, scan: Scan, amounts: Mapping[str, float]
) -> dict[str, float]:
    """The probability of every finding with several taken away together."""
    return model_of(checkpoint, device).predict_counterfactual(scan, amounts)


def described(progress: Progress, checkpoint: Checkpoint, device: str, scan: Scan, layer: str) -> Description:
    """What the checkpoint makes of a scan, as an index of similar cases compares it."""
    return describe(model_of(checkpoint, device), scan, layer or None)


def centres(progress: Progress, checkpoint: Checkpoint, device: str) -> list[ClassCentres]:
    """What the model learned overall."""
    return model_of(checkpoint, device).centres()


def look(progress: Progress, checkpoint: Checkpoint, device: str, scan: Scan, symbols: Sequence[str]) -> list[Look]:
    """Where the model looks, once for each value of a symbol that is drawn into the scan, "" for the scan as it is."""
    return [model_of(checkpoint, device).look(scan, symbol) for symbol in symbols]


def diagnosis(
    progress: Progress, checkpoint: Checkpoint, device: str, values: Mapping[str, float]
) -> tuple[float, list[AttributeEffect]]:
    """The probability of the diagnosis with attributes set by hand, and what they account for."""
    model = model_of(checkpoint, device)
    return model.predict_from_attributes(values), model.attribute_effects(values)
