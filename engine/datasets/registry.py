"""Which collections there are, what each declares about itself, and how one is opened by its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from engine.datasets.collection import Collection, UnusableCollection
from engine.discovery import import_all

NO_OPTIONS = ("root", "findings", "memory")  # of a collection's constructor, that are not given as name=value
Class = TypeVar("Class", bound=type[Collection])
_registered: dict[str, RegisteredCollection] = {}


@dataclass(frozen=True)
class RegisteredCollection:
    """What a collection declares about itself.

    Attributes:
        name: as on the command line and in `config.json`.
        title: what a reader calls its pictures, in the plural, for example "NIH films".
        kind: the `Scan.kind` of its scans.
        terms: whose the pictures are and under which licence they may be used; a sentence or two, for cards.
        needs_folder: whether it is read from a folder; else it draws its own pictures.
        pairs_of: findings of which it makes pairs of a film and its true counterfactual for `train --pairs`; none for
            most.
        made_of: the collection whose folder it reads, where that is another's; "" for its own.
        opens: its class; what its constructor takes by name, less `NO_OPTIONS`, are its options.
    """

    name: str
    title: str
    kind: str
    terms: str
    needs_folder: bool
    pairs_of: Sequence[str]
    made_of: str
    opens: Callable[..., Collection]

    @cached_property
    def options(self) -> Mapping[str, type]:
        """Option to int, float, str or Path, by the type that the constructor declares for it; `X | None`
        counts as X.
        """
        hints = get_type_hints(self.opens.__init__)
        named = [name for name in self._parameters if name not in NO_OPTIONS]
        return {name: _plain_type(hints[name]) for name in named}

    @property
    def takes_findings(self) -> bool:
        """Whether the label columns can be chosen when it is opened."""
        return "findings" in self._parameters

    @cached_property
    def _parameters(self) -> Mapping[str, Parameter]:
        return signature(self.opens).parameters

    def values_of(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Options as they were typed, or as a checkpoint remembers them, as the constructor takes them.

        Raises:
            ValueError: an option that it does not have, or a value that is not of the option's type; the message says
                which options there are.
        """
        for name in given:
            if name not in self.options:
                offered = ", ".join(sorted(self.options))
                raise ValueError(f"{self.name} has no such option as {name!r}; there are {offered}.")
        return {name: _value(name, said, self.options[name]) for name, said in given.items()}

    def trained_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The options that the collection had when a checkpoint was trained on it, as the constructor takes them.

        Args:
            config: the checkpoint's config.json; without options, or of another collection, it gives none.

        Raises:
            ValueError: options that this collection does not have.
        """
        data = config.get("data", {})
        if data.get("collection") != self.name:
            return {}
        return self.values_of(data.get("options", {}))

    def open(self, root: str | Path | None = None, **given: Any) -> Collection:
        """The collection.

        Args:
            root: its folder, in the public layout; a collection that draws its own pictures takes none, or the folder
                of what it draws in.
            given: what its constructor takes.

        Raises:
            ValueError: an option out of range.
            UnusableCollection: no folder given, or not in the public layout.
        """
        if self.needs_folder and root is None:
            raise UnusableCollection(f"{self.name} is read from a folder: give its root.")
        read = self.needs_folder or (root is not None and "root" in self._parameters)
        collection = self.opens(**({"root": root} if read else {}), **given)
        collection.options = {
            name: value
            for name, value in given.items()
            if self.options.get(name, Path) is not Path and isinstance(value, (int, float, str))
        }
        return collection


def register_collection(
    name: str,
    *,
    title: str,
    kind: str,
    terms: str,
    needs_folder: bool = True,
    pairs_of: Sequence[str] = (),
    made_of: str = "",
) -> Callable[[Class], Class]:
    """Class decorator: the collection joins the command line, the app and the contract test.

    Nothing but the file of the collection, anywhere below `engine/datasets`, needs to be touched; the contract test
    asks for a miniature of its public layout. For example

        @register_collection("padchest", title="PadChest films", kind="radiograph", terms="PadChest (Bustos 2020).")
        class PadChest(Collection):
            def __init__(self, root: str | Path, findings: Sequence[str] = FINDINGS, seed: int = 42): ...

    takes ``--data padchest --root DIR --option seed=7``.

    Args:
        name: see `RegisteredCollection`, as for the others.

    Raises:
        ValueError: another one has that name.
    """

    def registered(cls: Class) -> Class:
        if name in _registered:
            raise ValueError(f"two collections are called {name!r}")
        cls.name, cls.kind = name, kind
        _registered[name] = RegisteredCollection(name, title, kind, terms, needs_folder, tuple(pairs_of), made_of, cls)
        return cls

    return registered


def collections() -> Mapping[str, RegisteredCollection]:
    """Every registered collection by name: those of the files in `engine/datasets`."""
    import_all("engine.datasets", nested=True)
    return dict(sorted(_registered.items()))


def registered_collection(name: str) -> RegisteredCollection:
    """The one called `name`; hyphens stand for underscores.

    Raises:
        ValueError: there is none; the message names those there are.
    """
    known, name = collections(), name.replace("-", "_")
    if name not in known:
        raise ValueError(f"no collection is called {name!r}; known are {', '.join(known)}")
    return known[name]


def draws_its_own(name: str) -> bool:
    """Whether `name` is that of a collection that draws its own pictures; False for one that is not registered."""
    known = collections()
    return name in known and not known[name].needs_folder


def open_collection(name: str, root: str | Path | None = None, **given: Any) -> Collection:
    """The collection called `name`, with whatever else its constructor takes, for example `findings=` or `seed=`.

    Raises:
        ValueError: unknown name, or an option out of range.
        UnusableCollection: no folder given, or not in the public layout.
    """
    return registered_collection(name).open(root, **given)


def _plain_type(hint: Any) -> type:
    named = get_args(hint) or (hint,)
    return next((plain for plain in (int, float, Path) if plain in named), str)


def _value(name: str, said: Any, plain: type) -> Any:
    text = str(said)
    if plain is int:
        if not re.fullmatch(r"-?\d{1,30}", text):
            raise ValueError(f"{name} must be a whole number, got {said!r}.")
        return int(text)
    if plain is float:
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"{name} must be a number, got {said!r}.") from None
    return Path(text) if plain is Path else text
