"""Values of a preset that the command line overrides by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

Preset = TypeVar("Preset")


def with_changes(preset: Preset, changes: Mapping[str, str]) -> Preset:
    """`preset` with values overridden by name, as text from the command line; names of its parts ("width") reach into them.

    Args:
        preset: a frozen dataclass of numbers and of further dataclasses of numbers, its parts.

    Raises:
        ValueError: a name that no part has, a value of the wrong type, or values that do not go together.
    """
    parts = {field.name: getattr(preset, field.name) for field in fields(preset) if is_dataclass(getattr(preset, field.name))}
    holders = {**{name: part for part in parts.values() for name in part.__dataclass_fields__}}
    holders |= {field.name: preset for field in fields(preset) if field.name not in parts}
    changed: dict[int, dict] = {}
    for name, text in changes.items():
        if name not in holders:
            raise ValueError(f"no setting is called {name!r}; there are {', '.join(sorted(holders))}.")
        try:
            changed.setdefault(id(holders[name]), {})[name] = type(getattr(holders[name], name))(text)
        except ValueError as error:
            raise ValueError(f"{name} takes a number, got {text!r}.") from error
    whole = {name: replace(part, **changed[id(part)]) for name, part in parts.items() if id(part) in changed}
    return replace(preset, **whole, **changed.get(id(preset), {}))  # all at once: size and pool may only fit together
