"""Values of a preset: how the command line overrides them by name, and what all presets ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.configuration import setting_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Preset = TypeVar("Preset", bound="DataclassInstance")
RUNS = Path("runs")  # half-finished trainings; nothing in it is shipped


def with_changes(preset: Preset, changes: Mapping[str, str]) -> Preset:
    """`preset` with values overridden by name, as text from the command line; names of its parts ("width") reach into
    them.

    Args:
        preset: a frozen dataclass of numbers and of further dataclasses of numbers, its parts.

    Raises:
        ValueError: a name that no part has, a value of the wrong type, or values that do not go together.
    """
    parts = {
        field.name: getattr(preset, field.name) for field in fields(preset) if is_dataclass(getattr(preset, field.name))
    }
    holders = {**{name: part for part in parts.values() for name in part.__dataclass_fields__}}
    holders |= {field.name: preset for field in fields(preset) if field.name not in parts}
    changed: dict[int, dict] = {}
    for written, text in changes.items():
        name = setting_name(written, holders)
        if name not in holders:
            raise ValueError(f"no setting is called {name!r}; there are {', '.join(sorted(holders))}.")
        try:
            changed.setdefault(id(holders[name]), {})[name] = type(getattr(holders[name], name))(text)
        except ValueError as error:
            raise ValueError(f"{name} takes a number, got {text!r}.") from error
    whole = {name: replace(part, **changed[id(part)]) for name, part in parts.items() if id(part) in changed}
    return replace(preset, **whole, **changed.get(id(preset), {}))  # all at once: size and pool may only fit together


def whole_numbers(sizes: DataclassInstance) -> None:
    """Every field of a record of sizes is a whole number above 0, but for those that are words.

    Raises:
        ValueError: one is not; the message names it.
    """
    words = {field.name for field in fields(sizes) if isinstance(field.default, str)}
    for name, value in vars(sizes).items():
        if name not in words and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise ValueError(f"{name} must be a whole number above 0, got {value!r}")


def at_least_one(schedule: object, *names: str) -> None:
    """The fields called `names` are 1 or more.

    Raises:
        ValueError: one is not; the message names it.
    """
    for name in names:
        if getattr(schedule, name) < 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(schedule, name)}.")


def not_negative(schedule: object, *names: str) -> None:
    """The fields called `names` are 0 or more.

    Raises:
        ValueError: one is not; the message names it.
    """
    for name in names:
        if not getattr(schedule, name) >= 0:
            raise ValueError(f"{name} must not be negative, got {getattr(schedule, name)}.")


def yes_or_no(schedule: object, *names: str) -> None:
    """The fields called `names` are 1 or 0.

    Raises:
        ValueError: one is not; the message names it.
    """
    for name in names:
        if getattr(schedule, name) not in (0, 1):
            raise ValueError(f"{name} must be 0 or 1, got {getattr(schedule, name)}.")
