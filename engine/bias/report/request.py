"""A bias report as it is asked for in the app: which model, which films, what is changed on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.bias.interventions import open_interventions
from engine.bias.report.records import BiasReport
from engine.checkpoints.format import Checkpoint
from engine.datasets import UnusableCollection, registered_collection
from engine.datasets.phantom.collection import Marker

if TYPE_CHECKING:
    from engine.datasets.collection import Collection

DRAWN = "phantom"  # the collection with a structural model, whose attributes can be changed exactly
SEED = 2  # of drawn films, the seed of no checkpoint's training data


class Unanswerable(ValueError):
    """What was asked for cannot be done; the message is a sentence for the reader."""


@dataclass(frozen=True)
class ReportRequest:
    """What a report was asked for; there is one answer for each.

    Attributes:
        checkpoint: the model's identity. attribute, count: what is changed, on how many films.
        generator: `interventions.STRUCTURAL`, or a checkpoint's folder. root: the films' folder, None for drawn ones or
            when none was typed.
    """

    checkpoint: str
    attribute: str
    count: int
    generator: str
    root: str | None
    device: str


def measured(
    progress: Callable[[int, int], None], checkpoint: Checkpoint, collection: str, request: ReportRequest
) -> BiasReport:
    """The report before its p values are corrected for all that was asked in its session, for the inference process.

    Args:
        progress: called with (done, all) after every step.
        collection: that the checkpoint was trained on.

    Raises:
        Unanswerable: the films, or what should change them, cannot be had.
    """
    from engine.bias.report.compute import measured_report
    from engine.inference.tasks import model_of

    model = model_of(checkpoint, request.device)
    try:
        opened, indices, split = films(collection, model.findings, request, checkpoint.config)
        changes = open_interventions(opened, request.generator, request.device)
        return measured_report(model, opened, indices, request.attribute, changes, progress, split=split)
    except (UnusableCollection, ValueError) as error:
        raise Unanswerable(str(error)) from error


def films(
    collection: str, findings: Sequence[str], request: ReportRequest, config: Mapping[str, Any]
) -> tuple[Collection, np.ndarray, str]:
    """The collection, the pictures of it that are asked about, and the part that these are from.

    They are of the options that the checkpoint was trained with, but drawn ones of a seed that no checkpoint was
    trained on.

    Args:
        config: of the checkpoint.

    Raises:
        UnusableCollection: the films are not to be had.
    """
    known = registered_collection(collection)
    if collection == DRAWN:
        marker = {"marker": Marker()} if request.attribute == "marker" else {}
        options: dict[str, Any] = marker | known.trained_options(config) | {"count": request.count, "seed": SEED}
        return (drawn := known.open(**options)), drawn.split("all"), "all"
    if request.root is None:
        raise UnusableCollection(f"Type the folder in which the films of {collection} lie, in their public layout.")
    real = known.open(request.root, findings=tuple(findings), **known.trained_options(config))
    return real, np.sort(np.random.default_rng(0).permutation(real.split("test"))[: request.count]), "test"
