"""python -m engine push CHECKPOINT OWNER/NAME: a checkpoint to the Hugging Face Hub, with its card as the
front page.
"""

from __future__ import annotations

from typing import Annotated

import typer

from engine.checkpoints import hub
from engine.checkpoints.resolve import open_checkpoint


def push(
    checkpoint: Annotated[str, typer.Argument(help="a shipped name or a folder")],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME; made when it is not there")],
    tag: Annotated[str | None, typer.Option(help="a name for this version that is not taken yet, such as v1")] = None,
    public: Annotated[bool, typer.Option("--public", help="make a new repository public")] = False,
) -> None:
    """Push a checkpoint and print the pinned address that every --checkpoint takes. `hf auth login` once before it."""
    address = hub.push(open_checkpoint(checkpoint).folder, repository, tag=tag, private=not public)
    print(f"{address} is pinned: open it with --checkpoint {address}, or on the page Models.")
