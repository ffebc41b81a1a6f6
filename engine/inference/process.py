"""The inference process itself: takes calls from its line, one at a time, until whoever started it is gone."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import traceback
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import numpy as np

from engine.inference.messages import dumped, loads
from engine.memory import give_back

PIXELS = 128_000_000  # bytes of scans that are kept for the next call
IDLE = 10.0  # seconds without a call after which they are let go


class CalledOff(BaseException):
    """Ends a function that nobody wants any more, at one of its steps."""


class _Line:
    """Calls, and the pixels that they need."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._pixels: OrderedDict[str, np.ndarray] = OrderedDict()

    def serve(self) -> None:
        idle = False
        while True:
            if not idle and not self._connection.poll(IDLE):
                self._pixels.clear()
                give_back()
                idle = True
            kind, *said = self._connection.recv()
            if kind == "call":
                idle = False
                self._call(*said)

    def _call(self, number: int, request: bytes) -> None:
        def progress(done: int, every: int) -> None:
            self._connection.send(("step", number, done, every))
            while True:
                kind, *said = self._connection.recv()
                if kind == "call":
                    self._call(*said)
                elif kind == "call off":
                    raise CalledOff
                else:
                    return  # go on

        try:
            function, arguments = loads(request, lambda sha256, shape: self._pixels_of(number, sha256, shape))
            with _gradients_as_at_the_start():
                answer = ("returned", number, dumped(function(progress, *arguments))[0])
        except (Exception, CalledOff) as error:
            words = "".join(traceback.format_exception(error))
            answer = ("raised", number, _pickled(error), words)
        self._connection.send(answer)

    def _pixels_of(self, number: int, sha256: str, shape: tuple[int, ...]) -> np.ndarray:
        if sha256 not in self._pixels:
            self._connection.send(("scan", number, sha256))
            self._pixels[sha256] = np.frombuffer(self._connection.recv_bytes(), np.float32).reshape(shape)
        self._pixels.move_to_end(sha256)
        while len(self._pixels) > 1 and sum(pixels.nbytes for pixels in self._pixels.values()) > PIXELS:
            self._pixels.popitem(last=False)
        return self._pixels[sha256]


@contextmanager
def _gradients_as_at_the_start() -> Iterator[None]:
    """A call that is taken at a step of another must not inherit that one's `inference_mode` or `no_grad`."""
    import torch

    with torch.inference_mode(False), torch.enable_grad():
        yield


def _pickled(error: BaseException) -> bytes | None:
    try:
        return pickle.dumps(error)
    except Exception:  # its words go anyway
        return None


def serve(fd: int) -> None:
    """Answers calls on this socket until nobody is at its other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; whoever started this hears it too
    from engine.inference import tasks

    tasks.warm()
    gc.freeze()
    try:
        _Line(Connection(fd)).serve()
    except (EOFError, OSError):  # the other end is gone
        os._exit(0)
