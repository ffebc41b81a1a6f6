"""Values on a socket between two processes that do not trust each other: JSON and raw buffers, and nothing
is ever unpickled.
"""

from __future__ import annotations

import json
import math
import re
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import numpy as np

HEADER = struct.Struct("<QQ")  # bytes of the JSON text, and of the buffers that follow it
LARGEST_TEXT = 16 << 20  # bytes
PIECE = 1 << 20  # bytes read at once where a deadline must be looked at
NUMBERS = re.compile(r"[<>|=]?[biufc][1-9]\d?")  # types of arrays that are sent


class BrokenMessage(ValueError):
    """What the other process sent is no message."""


class TooLarge(BrokenMessage):
    """A message of more bytes than it may have."""


def send(to: socket.socket, value: Any) -> None:
    """Writes `value`: None, numbers, text, bytes, arrays of numbers, and lists, tuples and dictionaries of them.

    Raises:
        TypeError: anything else in it; nothing is written then.
        OSError: nobody listens, or the socket's time is over.
    """
    buffers: list[memoryview] = []
    text = json.dumps(_plain(value, buffers.append)).encode()
    to.sendall(HEADER.pack(len(text), sum(buffer.nbytes for buffer in buffers)) + text)
    for buffer in buffers:
        to.sendall(buffer)


def receive(source: socket.socket, most: int, until: float | None = None) -> Any:
    """The next value; its arrays are read-only.

    Args:
        most: bytes that it may have.
        until: when to give up, on the clock of `time.monotonic`; None for never.

    Raises:
        EOFError: the other end is closed, before or within a message.
        TimeoutError: `until` is over.
        BrokenMessage, TooLarge: what comes is no message, or a larger one.
    """
    size, every = HEADER.unpack(_exactly(source, HEADER.size, until))
    if size > LARGEST_TEXT or size + every > most:
        raise TooLarge(f"a message of {size + every} bytes")
    text = _exactly(source, size, until)
    try:
        return _Buffers(source, every, until).value(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise (
            error if isinstance(error, BrokenMessage) else BrokenMessage(f"the message cannot be read ({error})")
        ) from error


def _plain(value: Any, place: Callable[[memoryview], None]) -> Any:
    """`value` as JSON; lists stay lists, and what JSON lacks becomes an object with one key that says what it was."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        if not NUMBERS.fullmatch(value.dtype.str):
            raise TypeError(f"an array of {value.dtype} cannot be sent")
        if value.size:
            place(np.asarray(value, order="C").reshape(-1).data.cast("B"))
        return {"array": [value.dtype.str, list(value.shape)]}
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = memoryview(value).cast("B")
        place(data)
        return {"bytes": data.nbytes}
    if isinstance(value, list):
        return [_plain(part, place) for part in value]
    if isinstance(value, tuple):
        return {"tuple": [_plain(part, place) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[_plain(key, place), _plain(part, place)] for key, part in value.items()]}
    raise TypeError(f"a {type(value).__name__} cannot be sent")


class _Buffers:
    """The bytes behind a message's text, in the order in which they were placed."""

    def __init__(self, source: socket.socket, left: int, until: float | None):
        self.source, self.left, self.until = source, left, until

    def value(self, plain: Any) -> Any:
        """What `_plain` was made from."""
        if isinstance(plain, list):
            return [self.value(part) for part in plain]
        if not isinstance(plain, dict):
            return plain
        ((kind, parts),) = plain.items()
        if kind == "tuple":
            return tuple(self.value(part) for part in parts)
        if kind == "dict":
            return {self.value(key): self.value(part) for key, part in parts}
        if kind == "bytes":
            self._take(parts)
            return _exactly(self.source, parts, self.until)
        if kind == "array":
            return self.array(*parts)
        raise BrokenMessage(f"the message holds a {kind!r}")

    def array(self, dtype: str, shape: list[int]) -> np.ndarray:
        if not NUMBERS.fullmatch(dtype) or not all(isinstance(side, int) and side >= 0 for side in shape):
            raise BrokenMessage("the message holds an array that is none")
        self._take(math.prod(shape) * np.dtype(dtype).itemsize)
        array = np.empty(shape, dtype)
        rest = array.reshape(-1).data.cast("B") if array.size else memoryview(b"")
        while rest.nbytes:
            _wait(self.source, self.until)
            count = self.source.recv_into(rest)
            if not count:
                raise EOFError
            rest = rest[count:]
        array.setflags(write=False)
        return array

    def _take(self, count: int) -> None:
        """Nothing is allocated that the message does not bring."""
        self.left -= count
        if count < 0 or self.left < 0:
            raise BrokenMessage("a part of the message lies outside of it")


def _exactly(source: socket.socket, count: int, until: float | None) -> bytes:
    parts, left = [], count
    while left:
        _wait(source, until)
        part = source.recv(left, socket.MSG_WAITALL) if until is None else source.recv(min(left, PIECE))
        if not part:
            raise EOFError
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _wait(source: socket.socket, until: float | None) -> None:
    if until is not None:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        source.settimeout(left)
