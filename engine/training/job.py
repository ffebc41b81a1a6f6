"""What the command line asks a method to do: train one checkpoint, on which data, with which settings, where."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.checkpoints.resolve import open_checkpoint
from engine.datasets.collection import Collection
from engine.files import plain_name
from engine.training.loop import BEST, Machine, best_weights
from engine.training.presets import RUNS


@dataclass(frozen=True)
class TrainingJob:
    """One training.

    Attributes:
        name: of the checkpoint, and of its folder under `runs` and `checkpoints`.
        collection: what it learns from; `terms` says under which licence.
        preset: "demo", "gpu" or "paper".
        changes: settings that differ from the preset, as text.
        guidance: an object with `name`, `mask` and `annotated`, or None; `guidance_words` says for the card what it is.
        resume: go on with the run that was stopped.
        start_from: a run or checkpoint whose weights the training begins with, or None.
        pairs: a collection of made pairs that teaches beside the other losses, or None.
        command: what was typed, for the card.
        minutes: of training after which it ends with what it has; None goes through all steps.
    """

    name: str
    collection: Collection
    terms: str
    preset: str
    changes: Mapping[str, str]
    guidance: object | None
    guidance_words: str
    machine: Machine
    seed: int
    command: str
    destination: Path
    resume: bool = False
    start_from: str | None = None
    compiled: bool = False
    pairs: Collection | None = None
    runs: Path = field(default=RUNS)
    minutes: float | None = None

    def __post_init__(self):
        if not plain_name(self.name):
            raise ValueError(f"a training's name must be that of a folder, got {self.name!r}.")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"minutes must be above 0, got {self.minutes}.")

    @property
    def run_folder(self) -> Path:
        return self.runs / self.name


def starting_weights(job: TrainingJob) -> dict:
    """What a training begins with, by name: all that a run kept, or the weights of a checkpoint."""
    if job.start_from is None:
        raise ValueError(f"{job.name} starts from nothing")
    run_folder = job.runs / job.start_from
    return best_weights(run_folder) if (run_folder / BEST).exists() else open_checkpoint(job.start_from).weights()


def data_facts(collection: Collection, pairs: Collection | None = None, **more: str) -> dict[str, Any]:
    """What a configuration says under `data`: collection, its kind of scan, `more`, and options and made pairs where
    there are any. With the options the checkpoint is measured on the same pictures later on.
    """
    facts: dict[str, Any] = {"collection": collection.name, "kind": collection.kind, **more}
    if collection.options:
        facts["options"] = dict(collection.options)
    return facts if pairs is None else facts | {"pairs": pairs.name}


def taught_words(pairs: Collection | None) -> str:
    """What a card says of made pairs, after the terms of the collection; nothing without any."""
    if pairs is None:
        return ""
    part = pairs.split("train")
    return (
        f"\n\nAlso trained on {len(part)} made pairs of {len(np.unique(pairs.patients[part]))} patients "
        f"({pairs.name}: lesions put into real films of ChestX-ray8 without findings), none of whom is in validation "
        "or test here."
    )


def hardware(machine: Machine, device: str) -> str:
    """One sentence on what a training ran on."""
    import torch

    if device == "cuda":
        name = torch.cuda.get_device_name()
    else:
        name = f"{torch.get_num_threads()} thread(s) of a {platform.machine()} CPU"
    return (
        f"{machine.devices} x {name}, {machine.precision}, torch {torch.__version__.split('+')[0]}, Python "
        f"{platform.python_version()}"
    )
