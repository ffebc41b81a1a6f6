"""python -m engine adopt FILE.onnx: somebody else's model becomes a checkpoint that can be explained,
measured and tested.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from engine.checkpoints.resolve import shipped_folder
from engine.commands.outputs import checkpoint_name, writable_folder
from engine.errors import UsageError


def adopt(
    file: Annotated[Path, typer.Argument(help="the ONNX file, its weights inside")],
    card: Annotated[
        Path, typer.Option(help="JSON: findings, input_size, value_range, channel_order, colour, output, terms")
    ],
    name: Annotated[str, typer.Option(help="of the checkpoint", callback=checkpoint_name)],
    out: Annotated[
        Path | None, typer.Option(help="folder that the checkpoint's folder goes into", callback=writable_folder)
    ] = None,
) -> None:
    """Check an ONNX file and its card, run it, and write it as a checkpoint.

    The card is a JSON object. It needs findings (a name for each output in their order, null for an output that is
    none; or name to output numbers), input_size (pixels, square), value_range (what black and white become, such as [0,
    1]), channel_order (NCHW or NHWC), colour (grey or colour), output (probabilities, logits, softmax or class_logits)
    and terms.

    It may say kind (radiograph, CT, MR, ...), collection (one known here that it was trained on), grey_levels (a scan's
    values that count as black and white, such as [0, 255]; else each picture's own ends do), mean and std (a number a
    channel), operating_points (finding to probability; else 0.5), input_name, output_name, intended_use, trained_on and
    maker.
    """
    folder = out or shipped_folder()
    for path in (file, card):
        if not path.is_file():
            raise UsageError(f"there is no file {path}.")
    if os.path.lexists(folder / name):
        raise UsageError(f"there is something called {name} in {folder} already; choose another --name.")
    from engine.methods.onnx.adopt import adopt as adopted  # brings what runs the network

    command = shlex.join(
        ["python", "-m", "engine", "adopt", file.name, "--card", card.name, "--name", name]
    )  # no folder of this machine
    checkpoint = adopted(file, card, name, folder, command)
    print(checkpoint.card)
    print(f"{checkpoint.folder} is open to explain, evaluate and bias.")
