"""A bias report as it is asked for in the app: which model, which films, what is changed on them; and the files that hold the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.checkpoints import Checkpoint
from engine.datasets import UnusableCollection, open_collection
from engine.datasets.phantom import Marker
from engine.invariance.interventions import open_interventions
from engine.invariance.report import BiasReport

if TYPE_CHECKING:
    from engine.datasets.collection import Collection

DRAWN = "phantom"  # the collection with a structural model, whose attributes can be changed exactly
SEED = 2  # of drawn films, the seed of no checkpoint's training data


class Unanswerable(ValueError):
    """What was asked for cannot be done; the message is a sentence for the reader."""


@dataclass(frozen=True)
class Asked:
    """What a report was asked for; there is one answer for each.

    Attributes:
        checkpoint: the model's identity. attribute, count: what is changed, on how many films.
        generator: `interventions.STRUCTURAL`, or a checkpoint's folder. root: the films' folder, None for drawn ones or when none was typed.
    """

    checkpoint: str
    attribute: str
    count: int
    generator: str
    root: str | None
    device: str


@dataclass(frozen=True)
class Written:
    """A report and the two files that hold its numbers."""

    report: BiasReport
    json: str
    pdf: bytes


def written(progress: Callable[[int, int], None], checkpoint: Checkpoint, collection: str, asked: Asked) -> Written:
    """The report, for the inference process.

    Args:
        progress: called with (done, all) after every step.
        collection: that the checkpoint was trained on.

    Raises:
        Unanswerable: the films, or what should change them, cannot be had.
    """
    from engine.export.bias_json import bias_json
    from engine.export.bias_pdf import bias_pdf
    from engine.inference.tasks import model_of
    from engine.invariance.bias import bias_report

    model = model_of(checkpoint, asked.device)
    try:
        opened, indices = films(collection, model.findings, asked)
        changes = open_interventions(opened, asked.generator, asked.device)
        report = bias_report(model, opened, indices, asked.attribute, changes, progress)
    except (UnusableCollection, ValueError) as error:
        raise Unanswerable(str(error)) from error
    return Written(report, bias_json([report]), bias_pdf(report))


def films(collection: str, findings: Sequence[str], asked: Asked) -> tuple[Collection, np.ndarray]:
    """The collection and the pictures of it that are asked about, none of which a checkpoint made here was trained on.

    Raises:
        UnusableCollection: the films are not to be had.
    """
    if collection == DRAWN:
        marker = Marker() if asked.attribute == "marker" else None
        return (drawn := open_collection(DRAWN, count=asked.count, seed=SEED, marker=marker)), drawn.split("all")
    if asked.root is None:
        raise UnusableCollection(f"Type the folder in which the films of {collection} lie, in their public layout.")
    real = open_collection(collection, asked.root, findings=tuple(findings))
    return real, np.sort(np.random.default_rng(0).permutation(real.split("test"))[: asked.count])
