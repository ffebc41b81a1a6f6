"""python -m engine evaluate METHOD: every measure that the method's paper reports, with 95 % intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.commands.shared import opened
from engine.datasets import COLLECTIONS, SPLITS
from engine.endings import OneSentence
from engine.registry import Generator, open_generator, open_model
from engine.tables import show, write_json


def evaluate(
    method: Annotated[str, typer.Argument(help="for example attri_net")],
    checkpoint: Annotated[str, typer.Option(help="a shipped name, a folder, or hub:owner/name@revision")],
    data: Annotated[str, typer.Option(help=", ".join(COLLECTIONS))],
    root: Annotated[Path | None, typer.Option(help="the collection's folder")] = None,
    split: Annotated[str, typer.Option(help="train, validation, test or all")] = "test",
    option: Annotated[list[str] | None, typer.Option(help="of the collection, name=value")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    json: Annotated[Path | None, typer.Option(help="write the same numbers here")] = None,
) -> None:
    """Measure a checkpoint on a collection; `--split all` is for a folder of nothing but unseen cases."""
    from engine.registry import method as registered

    if split not in SPLITS:
        raise OneSentence(f"split is one of {', '.join(SPLITS)}, got {split!r}.")
    room = registered(method)
    model = (open_generator if isinstance(room, Generator) else open_model)(checkpoint, device)
    if model.checkpoint.method != method:
        raise OneSentence(f"{checkpoint} is a checkpoint of {model.checkpoint.method}, not of {method}.")
    collection = opened(data, root, model.findings, option or (), model.checkpoint.config.get("against"))
    if tuple(collection.findings) != tuple(model.findings):
        raise OneSentence(f"{checkpoint} knows {', '.join(model.findings)}, but {data} is labelled for {', '.join(collection.findings)}.")
    indices = collection.split(split)
    if not len(indices):
        raise OneSentence(f"the {split} part of {data} holds no picture; try --split all.")
    rows, remarks = room.evaluate(model, collection, indices)
    print(show(rows, remarks))
    if json:
        write_json(json, "evaluate", rows)
