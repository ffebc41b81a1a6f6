"""Packages whose modules join a registry when they are imported: a new file there needs no line anywhere else."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules, walk_packages


@cache
def import_all(package: str, nested: bool = False) -> None:
    """Imports every module and package that lies directly in `package`, a dotted name; `nested` brings
    those deeper down too.
    """
    root = import_module(package)
    find = walk_packages if nested else iter_modules
    for found in find(root.__path__, f"{package}."):
        import_module(found.name)
