"""Files are written aside and take their names when they are whole: whatever happens in between, no name stands for
half a file.

A full disk is one sentence and leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST_NAME = 255  # bytes of a file's or folder's name, on every common file system
LONGEST_STEM = 120  # bytes of a name made from a finding's
PART = ".part"  # the end of a hidden folder's name, whose files are not whole yet
FULL = (errno.ENOSPC, errno.EDQUOT)
CURRENT_FOLDER, EXCHANGE = -100, 2  # AT_FDCWD of <fcntl.h>, RENAME_EXCHANGE of <linux/fs.h>


def plain_name(name: str) -> bool:
    """Whether `name` can be a checkpoint's: that of a folder, and no path."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}", name) is not None


class UnwritableFile(OSError):
    """A file that could not be written; the message is one sentence, and nothing of the file is left."""


def write_whole(path: str | Path, data: bytes | str) -> None:
    """Writes `data`, text as UTF-8, to `path`, whole or not at all; its folder is made when missing.

    Raises:
        UnwritableFile: with what stood there before standing there still.
    """
    path = Path(path)
    with staged(path.parent) as put:
        put(path.name, data)


@contextmanager
def staged(folder: str | Path, marker: str | None = None) -> Iterator[Callable[[str, bytes | str], None]]:
    """Files that belong together, written by a function that takes a name and data.

    They lie aside until the block ends and then take their names in the order in which they were written. When the
    block raises, none is there, and the folder neither, if it was made for them.

    Args:
        marker: the file that says that all others are there: an older one goes before they come, and the new one comes
            last.

    Raises:
        UnwritableFile: the disk is full, or the folder may not be written to.
    """
    folder = Path(folder)
    made = [parent for parent in (folder, *folder.parents) if not os.path.lexists(parent)]  # the innermost first
    aside: Path | None = None
    names: list[str] = []

    def put(name: str, data: bytes | str) -> None:
        assert aside is not None, "the block, which calls this, begins once it is there"
        with open(aside / name, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())  # some file systems say only now that the disk is full
        if name not in names:
            names.append(name)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=folder, prefix=".", suffix=PART))
        yield put
        if marker is not None:
            (folder / marker).unlink(missing_ok=True)
        for name in sorted(names, key=lambda name: name == marker):
            os.replace(aside / name, folder / name)
        aside.rmdir()
    except BaseException as error:
        _undo(aside, made)
        if isinstance(error, OSError) and not isinstance(error, UnwritableFile):
            raise unwritable(folder, error) from error
        raise


def unfinished(path: Path) -> bool:
    """Whether a file or folder is what a program that was killed has left of its writing."""
    return path.name.startswith(".") and path.suffix == PART


def unwritable(folder: Path, error: OSError) -> UnwritableFile:
    """What to tell whoever wanted files in `folder`."""
    if error.errno in FULL:
        return UnwritableFile(
            f"The disk is full: nothing was written to {folder}; make room there, or name another folder."
        )
    return UnwritableFile(f"Nothing could be written to {folder} ({error.strerror or error}); name another folder.")


@contextmanager
def scratch_beside(folder: str | Path) -> Iterator[Path]:
    """A hidden folder beside `folder`, on the same file system, that is gone after the block; missing parents are made,
    and unmade when it raises.

    Raises:
        UnwritableFile: the disk is full, or nothing may be written there.
    """
    folder = Path(folder)
    made = [parent for parent in folder.parents if not os.path.lexists(parent)]
    scratch: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".", suffix=PART))
        yield scratch
    except BaseException as error:
        _undo(scratch, made)
        if isinstance(error, OSError) and not isinstance(error, UnwritableFile):
            raise unwritable(folder, error) from error
        raise
    shutil.rmtree(scratch, ignore_errors=True)


def _undo(aside: Path | None, made: list[Path]) -> None:
    """Removes what was written aside, and the folders made for it, the innermost first."""
    if aside is not None:
        shutil.rmtree(aside, ignore_errors=True)
    for parent in made:
        try:
            parent.rmdir()
        except OSError:  # it was never made, or somebody else uses it by now
            break


def replace_folder(new: Path, folder: Path, aside: Path) -> None:
    """Gives the folder `new` the name `folder`; what stood there is moved to `aside`, in one step where the system can
    do that.

    Args:
        aside: a name that is free; all three on one file system.
    """
    if not folder.exists():
        new.rename(folder)
    elif _exchanged(new, folder):
        new.rename(aside)
    else:
        folder.rename(aside)
        new.rename(folder)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether two names changed places; not on every file system."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):
        return False
    return rename(CURRENT_FOLDER, os.fsencode(one), CURRENT_FOLDER, os.fsencode(other), EXCHANGE) == 0


def file_stems(names: list[str] | tuple[str, ...]) -> dict[str, str]:
    """A file name without suffix for each of different names: lower case, what is no letter or digit as _, and never
    two alike.

    A name that loses more than that, or is long, ends in a few digits of its sha256.
    """
    plain = {name: re.sub(r"\W+", "_", unicodedata.normalize("NFC", name).lower()) for name in names}
    stems = {}
    for name, stem in plain.items():
        short = stem.encode()[:LONGEST_STEM].decode(errors="ignore")
        if short != stem or not stem.strip("_") or list(plain.values()).count(stem) > 1:
            short = f"{short}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        stems[name] = short
    return stems
