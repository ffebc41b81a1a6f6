"""What is said between a program and its inference process: pickled, but that a scan's pixels go by themselves, and
only once.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from engine.scan import Scan


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO):
        super().__init__(file, protocol=5)
        self.scans: dict[str, Scan] = {}

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, Scan):
            return None
        self.scans[value.sha256] = value
        return value.pixels.shape, {
            field.name: getattr(value, field.name) for field in fields(value) if field.name != "pixels"
        }


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, pixels_of: Callable[[str, tuple[int, ...]], np.ndarray] | None):
        super().__init__(file)
        self._pixels_of = pixels_of

    def persistent_load(self, said: Any) -> Scan:
        shape, rest = said
        assert self._pixels_of is not None, "a message to the asker holds no scan"
        return Scan(pixels=self._pixels_of(rest["sha256"], shape), **rest)


def dumped(value: Any) -> tuple[bytes, dict[str, Scan]]:
    """`value` without the pixels of the scans in it, and those scans by sha256."""
    file = io.BytesIO()
    pickler = _Pickler(file)
    pickler.dump(value)
    return file.getvalue(), pickler.scans


def loads(data: bytes, pixels_of: Callable[[str, tuple[int, ...]], np.ndarray] | None = None) -> Any:
    """The value again; `pixels_of(sha256, shape)` gives the pixels of a scan in it."""
    return _Unpickler(io.BytesIO(data), pixels_of).load()
