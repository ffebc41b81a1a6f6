"""From what a user names, a shipped checkpoint, a folder or an address on the Hub, to a checkpoint that was checked."""

from __future__ import annotations

import os
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from engine.checkpoints.format import CARD, CONFIG, WEIGHTS, Checkpoint, RefusedCheckpoint, examine

SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "checkpoints"


class UnknownCheckpoint(RefusedCheckpoint):
    """Nothing is where a checkpoint was looked for.

    Attributes:
        briefly: the message without the names of the shipped ones, for where these are listed already.
    """

    def __init__(self, where: str, names: list[str]):
        near = get_close_matches(where, names, n=1)
        start = f"There is no checkpoint at {where!r}" + (f" (did you mean {near[0]!r}?)" if near else "")
        self.briefly = f"{start}: name a folder, or hub:owner/name@revision."
        super().__init__(
            f"{start}: name a shipped one ({', '.join(names) or 'none'}), a folder, or hub:owner/name@revision."
        )


def shipped_folder() -> Path:
    """Where the checkpoints that come with the app lie; the environment's OTHERWISE_CHECKPOINTS says otherwise."""
    return Path(os.environ.get("OTHERWISE_CHECKPOINTS") or SHIPPED_FOLDER)


def shipped() -> list[str]:
    """Names of the checkpoints that come with the app, sorted, whether or not each one opens."""
    root = shipped_folder()
    if not root.is_dir():
        return []
    return sorted(folder.name for folder in root.iterdir() if not folder.name.startswith(".") and _may_be_one(folder))


def _may_be_one(folder: Path) -> bool:
    try:
        return any((folder / file).exists() for file in (WEIGHTS, CONFIG, CARD))
    except OSError:  # it may not be looked into: it is listed, and refused with its reason
        return True


def open_checkpoint(where: str | Path) -> Checkpoint:
    """The checkpoint at `where`: a shipped name, a folder, or ``hub:owner/name@revision``.

    Raises:
        RefusedCheckpoint: there is none, or it cannot be trusted; the message says what would work.
    """
    if isinstance(where, str) and where.startswith("hub:"):
        from engine.checkpoints import hub  # brings the Hub's client: only where it is needed

        repository, revision = hub.parse_address(where)
        folder, commit = hub.fetch(repository, revision)
        return replace(examine(folder), name=repository.split("/")[-1], source=f"hub {repository}@{commit}")
    if isinstance(where, str) and where in shipped():
        return replace(examine(shipped_folder() / where), source="shipped")
    if not Path(where).is_dir():
        raise UnknownCheckpoint(str(where), shipped())
    return examine(where)
