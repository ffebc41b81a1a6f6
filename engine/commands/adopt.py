"""python -m engine adopt FILE.onnx: somebody else's model becomes a checkpoint that can be explained, measured and tested."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.checkpoints import shipped_folder
from engine.commands.train import typed


def adopt(
    file: Annotated[Path, typer.Argument(help="the ONNX file, its weights inside")],
    card: Annotated[Path, typer.Option(help="JSON: findings, input_size, value_range, channel_order, colour, output, terms")],
    name: Annotated[str, typer.Option(help="of the checkpoint")],
    out: Annotated[Path | None, typer.Option(help="folder that the checkpoint's folder goes into")] = None,
) -> None:
    """Check an ONNX file and its card, run it once, and write it as a checkpoint."""
    from engine.foreign.adopt import adopt as adopted

    checkpoint = adopted(file, card, name, out or shipped_folder(), typed())
    print(checkpoint.card)
    print(f"{checkpoint.folder} is open to explain, evaluate and bias.")
