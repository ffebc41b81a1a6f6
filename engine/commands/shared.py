"""What several commands share: how a collection is opened by what was typed, and how many threads work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.checkpoints.format import Checkpoint
from engine.datasets import Collection, RegisteredCollection, registered_collection
from engine.datasets.selected_findings import SelectedFindings
from engine.datasets.single_slices import SLICED, SingleSlices
from engine.datasets.two_class import TwoClass
from engine.errors import UsageError
from engine.registry import Trained


def use_threads(threads: int | None) -> None:
    """At most so many CPU threads from here on, in this process and in those that it starts; None leaves it
    to the machine.
    """
    if threads:
        import torch

        torch.set_num_threads(threads)
        os.environ["OMP_NUM_THREADS"] = str(threads)  # Fabric asks this before it chooses a number itself


def _trained_options(known: RegisteredCollection, checkpoint: Checkpoint) -> dict[str, Any]:
    try:
        return known.trained_options(checkpoint.config)
    except ValueError as error:
        raise UsageError(
            f"{checkpoint.name} was trained with options that are none ({str(error).rstrip('.')}); "
            "leave them out with --default-options."
        ) from error


def options_used(collection: Collection, given: Sequence[str], checkpoint: Checkpoint) -> list[str]:
    """A remark that says which options a collection was opened with, and whose they are; none where all are
    its own defaults.
    """
    whose = {"as given": [], f"as {checkpoint.name} was trained": []}
    for name, value in collection.options.items():
        whose["as given" if name in settings(given) else f"as {checkpoint.name} was trained"].append(f"{name}={value}")
    said = [f"{', '.join(options)} {how}" for how, options in whose.items() if options]
    return [f"{collection.name} was opened with {' and '.join(said)}"] if said else []


def as_read(entry: Trained, collection: Collection) -> Collection:
    """The collection as a method reads it: single slices become volumes of one slice for a method of volumes.

    Raises:
        UsageError: see `check_dimensions`.
    """
    if entry.dimensions == 3 and collection.dimensions == 2 and collection.kind in SLICED:
        return SingleSlices(collection)
    check_dimensions(entry, collection)
    return collection


def check_dimensions(entry: Trained, collection: Collection) -> None:
    """Refuses volumes for a method of pictures, and pictures for a method of volumes."""
    words = {2: "single pictures", 3: "volumes"}
    if entry.dimensions != collection.dimensions:
        raise UsageError(
            f"{entry.title} learns from {words[entry.dimensions]}; {collection.name} holds "
            f"{words[collection.dimensions]}."
        )


def settings(pairs: Sequence[str]) -> dict[str, str]:
    """["name=value", ...] as a dict."""
    broken = [pair for pair in pairs if "=" not in pair]
    if broken:
        raise UsageError(f"settings are written name=value, got {broken[0]!r}.")
    return dict(pair.split("=", 1) for pair in pairs)


def opened(
    data: str,
    root: Path | None,
    findings: Sequence[str] = (),
    options: Sequence[str] = (),
    contrast_class: str | None = None,
    trained: Checkpoint | None = None,
) -> Collection:
    """The collection called `data`.

    Args:
        findings: restrict or reorder its findings, where it has a choice.
        options: name=value, of those that the collection has.
        contrast_class: the finding that pictures without the first have instead; all others take no part.
        trained: a checkpoint; where it was trained on the same collection, its options are taken, but for those in
            `options`.
    """
    if contrast_class is not None:
        both = opened(data, root, (*findings, contrast_class), options, None, trained)
        return TwoClass(both, findings[0], contrast_class)
    known = registered_collection(data)
    if known.needs_folder and root is None:
        return known.open()  # says what is missing
    chosen = (_trained_options(known, trained) if trained else {}) | known.values_of(settings(options))
    if known.takes_findings and findings:
        chosen["findings"] = tuple(findings)
    try:
        collection = known.open(root, **chosen)
        return (
            SelectedFindings(collection, findings)
            if findings and tuple(findings) != tuple(collection.findings)
            else collection
        )
    except (TypeError, OverflowError) as error:
        raise UsageError(f"{data} has no such option, or none of that value ({error}).") from error
