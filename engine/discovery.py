"""Packages whose modules join a registry when they are imported: a new file there needs no line anywhere else."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules


def import_all(package: str) -> None:
    """Imports every module and package that lies directly in `package`, a dotted name; those that are imported stay as they are."""
    root = import_module(package)
    for found in iter_modules(root.__path__, f"{package}."):
        import_module(found.name)
