"""Files that a command is to write: one that cannot be written is refused before the work, not after it."""

from __future__ import annotations

import os
from pathlib import Path

from engine.endings import OneSentence


def writable(path: Path | None) -> Path | None:
    """The path itself; the callback of every option that names a file to write. Its folder need not be there yet.

    Raises:
        OneSentence: it is a folder, lies below a file, or may not be written.
    """
    if path is None:
        return None
    if path.is_dir():
        raise OneSentence(f"{path} is a folder; name a file to write.")
    there = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if not there.is_dir():
        raise OneSentence(f"{path} cannot be written, since {there} is a file and no folder.")
    if not os.access(path if path.exists() else there, os.W_OK):
        raise OneSentence(f"{path} cannot be written; name a file in a folder that may be written to.")
    return path
