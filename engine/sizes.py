"""How much memory a value holds, as far as arrays, bytes and text go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

OBJECT = 64  # bytes that anything else is counted with


def size_in_bytes(value: Any) -> int:
    """Bytes of a value and of all that is in it; an array that is in it twice, or as two views of the same memory,
    counts once.
    """
    return _size(value, set())


def _size(value: Any, seen: set[int]) -> int:
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        if id(value) in seen:
            return 0
        seen.add(id(value))
        return OBJECT + value.nbytes
    if id(value) in seen:
        return 0
    if isinstance(value, (bytes, bytearray, memoryview)):
        seen.add(id(value))
        return OBJECT + (value.nbytes if isinstance(value, memoryview) else len(value))
    if isinstance(value, str):
        return OBJECT + len(value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, field.name) for field in fields(value)]
    elif isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, (Sequence, Set)):
        parts = list(value)
    else:
        return OBJECT
    seen.add(id(value))
    return OBJECT + sum(_size(part, seen) for part in parts)
