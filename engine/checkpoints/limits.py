"""Which methods checkpoints may be of, and how large their weights may be: each method says so when it is
registered.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.discovery import import_all

LARGEST_WEIGHTS = 25_000_000  # bytes, where a method does not say otherwise

_limits: dict[str, int] = {}


def declare(method: str, largest_weights: int) -> None:
    """Checkpoints of `method` may be opened, with weights files of at most so many bytes."""
    _limits[method] = largest_weights


def limits() -> Mapping[str, int]:
    """The largest weights file of every method, in bytes, by the method's name."""
    import_all(
        "engine.methods"
    )  # here rather than above: doctor looks at checkpoints where a method's parts are missing
    return dict(_limits)
