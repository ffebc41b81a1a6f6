"""python -m engine detector CHECKPOINT: learns anew which scans are unlike those that a checkpoint was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.checkpoints.changes import with_detector
from engine.checkpoints.resolve import open_checkpoint
from engine.commands.shared import as_read, opened
from engine.datasets import collections
from engine.errors import UsageError


def detector(
    checkpoint: Annotated[str, typer.Argument(help="a shipped name or a folder")],
    root: Annotated[Path | None, typer.Option(help="the folder of the collection that it was trained on")] = None,
) -> None:
    """Fit a checkpoint's detector of unlike scans again to its own training pictures; the network stays as it is."""
    from engine.checkpoints.detector import CheckpointDetector
    from engine.networks.films import Films
    from engine.networks.volume_films import VolumeFilms
    from engine.preprocessing import Preprocessing
    from engine.registry import method as registered
    from engine.training.detector import detector_of

    found = open_checkpoint(checkpoint)
    if found.collection not in collections():
        raise UsageError(f"{found.name} does not say which collection it was trained on, so it gets no detector.")
    entry = registered(found.method)
    if CheckpointDetector.of(found) is None and entry.dimensions != 3:  # volumes were trained on before there was one
        raise UsageError(f"{found.name} has no detector: its method asks nothing of the scans that it is shown.")
    config = found.config
    collection = as_read(
        entry, opened(found.collection, root, config["findings"], (), config.get("contrast_class"), trained=found)
    )
    preprocessing = Preprocessing(**config["preprocessing"])
    films = (
        VolumeFilms(collection, preprocessing, int(config["slices"]))
        if entry.dimensions == 3
        else Films(collection, preprocessing)
    )
    command = f"python -m engine detector {found.name}" + (" --root DIR" if root else "")
    tensors = {name: tensor.numpy() for name, tensor in detector_of(films, collection).items()}
    changed = with_detector(found, tensors, command)
    asked = CheckpointDetector.of(changed)
    assert asked is not None
    print(f"{changed.name}: scans that score above {asked.detector.limit:.2f} are unlike its training pictures")
