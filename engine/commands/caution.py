"""python -m engine caution CHECKPOINT "...": what somebody who looked at its maps saw and no number says."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.checkpoints.changes import with_caution
from engine.checkpoints.resolve import open_checkpoint


def caution(
    checkpoint: Annotated[str, typer.Argument(help="a shipped name or a folder")],
    words: Annotated[str, typer.Argument(help="one or two sentences; empty to take an earlier caution back")],
) -> None:
    """Put a caution on a checkpoint: it stands on its card and above whatever the checkpoint explains."""
    changed = with_caution(open_checkpoint(checkpoint), words)
    print(f"{changed.name}: {changed.caution or 'no caution'}")
