"""python -m engine evaluate METHOD: every measure that the method's paper reports, or those asked for, with 95 %
intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from tqdm import tqdm

from engine.checkpoints.format import Checkpoint
from engine.checkpoints.resolve import open_checkpoint
from engine.commands.outputs import writable
from engine.commands.shared import as_read, opened, options_used
from engine.datasets import SPLITS, Collection, collections
from engine.errors import UsageError
from engine.metrics.measure import Measure, NotMeasurable
from engine.registry import Generator, Model, open_generator, open_model
from engine.shortcuts import both_numbers
from engine.tables import show, write_json


def evaluate(
    method: Annotated[str, typer.Argument(help="for example attri_net")],
    checkpoint: Annotated[str, typer.Option(help="a shipped name, a folder, or hub:owner/name@revision")],
    data: Annotated[str, typer.Option(help=", ".join(collections()))],
    root: Annotated[Path | None, typer.Option(help="the collection's folder")] = None,
    split: Annotated[str, typer.Option(help="train, validation, test or all")] = "test",
    option: Annotated[
        list[str] | None,
        typer.Option(help="of the collection, name=value; what is not given is as the checkpoint was trained"),
    ] = None,
    default_options: Annotated[
        bool,
        typer.Option(
            "--default-options", help="leave out the options of the collection that the checkpoint was trained with"
        ),
    ] = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="measure these instead of what the method's paper reports: a metric, or a group (faithfulness, "
            "localisation, robustness, sanity, counterfactual, truth); each beside a random map"
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="with --metric: pictures a finding")] = 32,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    json: Annotated[Path | None, typer.Option(help="write the same numbers here", callback=writable)] = None,
) -> None:
    """Measure a checkpoint on a collection; `--split all` is for a folder of nothing but unseen cases."""
    from engine.registry import method as registered

    if split not in SPLITS:
        raise UsageError(f"split is one of {', '.join(SPLITS)}, got {split!r}.")
    entry, names = registered(method), asked(metric or ())
    if names and isinstance(entry, Generator):
        raise UsageError(f"{entry.title} explains no scans, so there is no map to measure; leave --metric out.")
    found = open_checkpoint(checkpoint)
    if found.method != entry.name:
        raise UsageError(f"{checkpoint} is a checkpoint of {found.method}, not of {method}.")
    findings = found.config["findings"]
    trained = None if default_options else found
    contrast_class = found.config.get("contrast_class")
    collection = as_read(entry, opened(data, root, findings, option or (), contrast_class, trained))
    elsewhere = measured_elsewhere(found, collection)
    if tuple(collection.findings) != tuple(findings):
        raise UsageError(
            f"{checkpoint} knows {', '.join(findings)}, but {data} is labelled for {', '.join(collection.findings)}."
        )
    indices = collection.split(split)
    if not len(indices):
        raise UsageError(f"the {split} part of {data} holds no picture; try --split all.")
    model = (open_generator if isinstance(entry, Generator) else open_model)(found, device)
    rows, remarks = (
        judged(model, collection, indices, names, most) if names else entry.evaluate(model, collection, indices)
    )
    used = options_used(collection, option or (), found)
    print(show(rows, [*elsewhere, *used, *remarks, *both_numbers(rows)]))
    if json:
        write_json(json, "evaluate", rows)


def asked(names: Sequence[str]) -> list[str]:
    """The metrics that `--metric` names, none where it is not given.

    Raises:
        UsageError: neither a metric nor a group.
    """
    if not names:
        return []
    from engine.attribution.measures import chosen

    try:
        return chosen(names)
    except ValueError as error:
        raise UsageError(str(error)) from error


def judged(
    model: Model, collection: Collection, indices: np.ndarray, names: Sequence[str], most: int
) -> tuple[list[Measure], list[str]]:
    """Rows and remarks of `--metric`, as any explainer is measured.

    Raises:
        UsageError: a model of volumes, or one that does not say how it prepares a picture.
    """
    from engine.attribution.explainer import ModelExplainer
    from engine.attribution.measures import measured

    try:
        explainer = ModelExplainer(model)
    except NotMeasurable as reason:
        raise UsageError(str(reason)) from reason
    with tqdm(unit="measure", mininterval=2.0) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return measured(explainer, collection, indices, names, most, progress=progress)


def measured_elsewhere(checkpoint: Checkpoint, collection: Collection) -> list[str]:
    """A remark where a checkpoint is measured on another collection than it was trained on, none where it is the same
    or not known.

    Raises:
        UsageError: the two hold scans of different kinds. The drawn pictures of vagan_synthetic, of unknown kind, are
            like no other collection's; an ONNX model whose card names neither kind nor collection may be measured on
            any.
    """
    data = checkpoint.config.get("data", {})
    trained, kind = str(data.get("collection", "")), str(data.get("kind", "unknown"))
    if trained == collection.name:
        return []
    known = collections()
    if kind == "unknown" and trained in known:
        kind = known[trained].kind
    if kind != collection.kind and (kind != "unknown" or trained in known):
        own = f"{trained} (kind {kind})" if trained else f"scans of kind {kind}"
        raise UsageError(
            f"{checkpoint.name} was trained on {own} and cannot be measured on {collection.name} (kind "
            f"{collection.kind})."
        )
    return [f"{checkpoint.name} was trained on {trained} and is measured on {collection.name}"] if trained else []
