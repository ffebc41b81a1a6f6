"""python -m engine evaluate METHOD: every measure that the method's paper reports, with 95 % intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.checkpoints.format import Checkpoint
from engine.commands.outputs import writable
from engine.commands.shared import check_dimensions, opened, options_used
from engine.datasets import SPLITS, Collection, collections
from engine.errors import UsageError
from engine.registry import Generator, open_generator, open_model
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
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    json: Annotated[Path | None, typer.Option(help="write the same numbers here", callback=writable)] = None,
) -> None:
    """Measure a checkpoint on a collection; `--split all` is for a folder of nothing but unseen cases."""
    from engine.registry import method as registered

    if split not in SPLITS:
        raise UsageError(f"split is one of {', '.join(SPLITS)}, got {split!r}.")
    entry = registered(method)
    model = (open_generator if isinstance(entry, Generator) else open_model)(checkpoint, device)
    if model.checkpoint.method != entry.name:
        raise UsageError(f"{checkpoint} is a checkpoint of {model.checkpoint.method}, not of {method}.")
    trained = None if default_options else model.checkpoint
    collection = opened(
        data, root, model.findings, option or (), model.checkpoint.config.get("contrast_class"), trained
    )
    check_dimensions(entry, collection)
    elsewhere = measured_elsewhere(model.checkpoint, collection)
    if tuple(collection.findings) != tuple(model.findings):
        raise UsageError(
            f"{checkpoint} knows {', '.join(model.findings)}, but {data} is labelled for "
            f"{', '.join(collection.findings)}."
        )
    indices = collection.split(split)
    if not len(indices):
        raise UsageError(f"the {split} part of {data} holds no picture; try --split all.")
    rows, remarks = entry.evaluate(model, collection, indices)
    used = options_used(collection, option or (), model.checkpoint)
    print(show(rows, [*elsewhere, *used, *remarks, *both_numbers(rows)]))
    if json:
        write_json(json, "evaluate", rows)


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
