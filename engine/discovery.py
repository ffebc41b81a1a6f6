"""Packages whose modules join a registry when they are imported, what a module declares without being imported, and
what it brings along when it is.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules, walk_packages
from types import MappingProxyType


@cache
def import_all(package: str, nested: bool = False) -> None:
    """Imports every module and package that lies directly in `package`, a dotted name; `nested` brings
    those deeper down too.

    A new file there needs no line anywhere else.
    """
    root = import_module(package)
    find = walk_packages if nested else iter_modules
    for found in find(root.__path__, f"{package}."):
        import_module(found.name)


@cache
def declared(package: str, constant: str) -> Mapping[str, str]:
    """Names that the modules directly in `package` declare, each with the module that does, read from their files.

    A module declares them as `constant = ("one", "two")` at its top; one that has no such line declares none.

    Raises:
        ValueError: two modules declare one name, or a module something else than a tuple of names.
    """
    found: dict[str, str] = {}
    for module in iter_modules(import_module(package).__path__, f"{package}."):
        for name in _declared(module.name, constant):
            if name in found:
                raise ValueError(f"{found[name]} and {module.name} both declare {name!r} in {constant}")
            found[name] = module.name
    return MappingProxyType(found)


def _declared(module: str, constant: str) -> tuple[str, ...]:
    spec = find_spec(module)
    if spec is None or not spec.origin:
        return ()
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == constant for t in node.targets):
            try:
                names = ast.literal_eval(node.value)
            except ValueError:
                names = None
            if not isinstance(names, tuple) or not all(isinstance(name, str) and name for name in names):
                raise ValueError(f'{constant} of {module} must be a tuple of names as they are, such as ("auc",)')
            return names
    return ()


def packages_imported(module: str) -> set[str]:
    """Packages of others that importing a module of the engine imports too, directly or by the engine's own modules.

    Nothing but the parent packages of `module` is imported for it: the files are read. What functions import of others
    counts.
    """
    found: set[str] = set()
    seen, todo = set(), [module]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name.split(".")[0] != __name__.split(".")[0]:
            found.add(name.split(".")[0])
        elif (spec := find_spec(name)) is not None and spec.origin:
            todo += [*_imported(Path(spec.origin)), *filter(None, [name.rpartition(".")[0]])]
    return found - set(sys.stdlib_module_names)


def _imported(file: Path) -> list[str]:
    """Names of modules, and of what may be modules, in a file's import statements; of the engine's own, those at its
    top only. What type checkers alone read does not count.
    """
    tree, names = _Running().visit(ast.parse(file.read_text(encoding="utf-8"))), []
    own = f"{__name__.split('.')[0]}."
    for node in ast.walk(tree):
        found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [f"{node.module}.{alias.name}" for alias in node.names if _is_module(node.module, alias.name)]
            found = [node.module, *modules]
        names += [name for name in found if node in tree.body or not name.startswith(own)]
    return names


class _Running(ast.NodeTransformer):
    """Leaves out what is there for type checkers only: under `if TYPE_CHECKING`."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return node.orelse if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" else node


def _is_module(package: str, name: str) -> bool:
    """Whether `name` is a module of one of the engine's own packages."""
    folder = Path(__file__).parent.parent.joinpath(*package.split("."))
    return (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file()
