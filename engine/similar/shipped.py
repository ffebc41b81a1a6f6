"""Indexes that come with the app, and those of a folder that the environment names."""

from __future__ import annotations

import json
import os
from pathlib import Path

from engine.similar.index import ARRAYS, FACTS

SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "indexes"


def index_folders() -> list[Path]:
    """Folders of indexes: those shipped, and those in the folder that OTHERWISE_INDEXES names."""
    roots = [SHIPPED_FOLDER, *(Path(named) for named in [os.environ.get("OTHERWISE_INDEXES")] if named)]
    return [
        folder
        for root in roots
        if root.is_dir()
        for folder in sorted(root.iterdir())
        if (folder / FACTS).is_file() and (folder / ARRAYS).is_file()
    ]


def indexes() -> dict[str, list[Path]]:
    """The folders of indexes by the identity of the checkpoint that made them; each is looked into once."""
    found: dict[str, list[Path]] = {}
    for folder in index_folders():
        found.setdefault(_identity_of(folder), []).append(folder)
    return found


def _identity_of(folder: Path) -> str:
    try:
        return str(json.loads((folder / FACTS).read_text(encoding="utf-8")).get("identity"))
    except (OSError, ValueError, AttributeError):
        return ""
