"""python -m engine index: what a checkpoint makes of a collection, to find similar cases in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from tqdm import tqdm

from engine.commands.outputs import writable_folder
from engine.commands.shared import check_dimensions, opened
from engine.datasets import SPLITS, collections
from engine.errors import UsageError
from engine.registry import method as registered
from engine.registry import open_model


def index(
    checkpoint: Annotated[str, typer.Option(help="a shipped name, a folder, or hub:owner/name@revision")],
    data: Annotated[str, typer.Option(help=", ".join(collections()))],
    root: Annotated[Path | None, typer.Option(help="the collection's folder")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(help="of the collection, name=value; what is not given is as the checkpoint was trained"),
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation, test or all")] = "test",
    most: Annotated[int, typer.Option(min=1, help="cases at most, drawn at random")] = 400,
    seed: Annotated[int, typer.Option(help="of that draw")] = 42,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    out: Annotated[
        Path, typer.Option(help="folder that the index's folder goes into", callback=writable_folder)
    ] = Path("indexes"),
) -> None:
    """Build an index of similar cases. It holds a small picture of every case: keep it where the collection may be
    kept. The app finds it in ./indexes, or in the folder that OTHERWISE_INDEXES names.
    """
    if split not in SPLITS:
        raise UsageError(f"split is one of {', '.join(SPLITS)}, got {split!r}.")
    model = open_model(checkpoint, device)
    collection = opened(data, root, (), option or (), None, model.checkpoint)
    check_dimensions(registered(model.checkpoint.method), collection)
    if not set(model.findings) & set(collection.findings):
        raise UsageError(
            f"{checkpoint} knows {', '.join(model.findings)}, of which {data} is labelled for none; choose another "
            "collection."
        )
    from engine.similar.index import build

    chosen = collection.split(split)
    chosen = np.sort(np.random.default_rng(seed).permutation(chosen)[:most])
    if not len(chosen):
        raise UsageError(f"the {split} part of {data} holds no picture; try --split all.")
    with tqdm(total=len(chosen), unit="case") as bar:

        def progress(done: int, _every: int) -> None:
            bar.update(done - bar.n)

        made = build(model, collection, chosen, progress)
    name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{model.checkpoint.name}-{collection.name}").strip("-")
    made.save(out / name)
    spaces = "every finding's evidence" + (" and by embedding" if made.layer else "")
    print(f"{out / name}: {len(made)} cases of {collection.description}, found by {spaces}.")
