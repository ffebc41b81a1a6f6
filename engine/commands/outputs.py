"""Files and folders that a command is to write: what cannot be is refused before the work, not after it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from engine.errors import UsageError
from engine.files import LONGEST_NAME, plain_name


def writable(path: Path | None) -> Path | None:
    """The path itself; the callback of every option that names a file to write. Its folder need not be there yet.

    Raises:
        UsageError: it is a folder, lies below a file, has too long a name, or may not be written.
    """
    if path is None:
        return None
    _check_names(path)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file to write.")
    _check_folder(path, _nearest(path))
    if path.exists() and not os.access(path, os.W_OK):
        raise UsageError(f"{path} cannot be written; name a file in a folder that may be written to.")
    return path


def writable_folder(path: Path | None) -> Path | None:
    """The path itself; the callback of every option that names a folder to write to, which need not be there yet.

    Raises:
        UsageError: it is or lies below a file, has too long a name, or may not be written to.
    """
    if path is None:
        return None
    _check_names(path)
    _check_folder(path, path if os.path.lexists(path) else _nearest(path))
    return path


def checkpoint_name(name: str | None) -> str | None:
    """The name itself; the callback of every option that names a checkpoint to be made: a folder's name and no path.

    Raises:
        UsageError: anything else.
    """
    if name is not None and not plain_name(name):
        raise UsageError(
            "a checkpoint's name is made of at most 80 letters, digits, dots, - and _, and begins with a letter or "
            f"digit; got {name[:100]!r}."
        )
    return name


def _nearest(path: Path) -> Path:
    """The innermost folder of `path` that is there."""
    return next(folder for folder in path.absolute().parents if os.path.lexists(folder))


def _check_names(path: Path) -> None:
    if "\0" in str(path):
        raise UsageError(f"{str(path)!r} is no path.")
    if long := next((part for part in path.parts if len(os.fsencode(part)) > LONGEST_NAME), None):
        raise UsageError(
            f"{long[:40]}... is {len(os.fsencode(long))} bytes long; a file's or folder's name has at most "
            f"{LONGEST_NAME}."
        )


def _check_folder(path: Path, there: Path) -> None:
    if not there.is_dir():
        raise UsageError(f"{path} cannot be written, since {there} is a file and no folder.")
    try:  # asking for permissions is not enough: a system folder or a full disk refuses even who may write
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror}); name a file in a folder that may be written to."
        ) from error
