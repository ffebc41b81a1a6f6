"""A worker process for one folder, zip or volume, whose limits grow with the number of slices."""

from __future__ import annotations

import importlib
from typing import Any

from engine import worker
from engine.scan import bounds
from engine.scan.record import UnreadableScan

FUNCTIONS = "engine.scan.volume_worker"
TOO_MUCH = {  # the limit that was exceeded: what to say
    "processor": "The volume takes more than {seconds:.0f} seconds of processor time; save it again, uncompressed.",
    "wall": "The volume takes too long to decode; save it again, uncompressed.",
    "memory": "The volume asks for more memory than a volume may; send fewer slices.",
    "output": "The volume unfolds into more than can be opened; send fewer slices.",
}


class Decoder:
    """Calls functions of `engine.scan.volume_worker`; a context manager."""

    def __init__(self):
        self._worker: worker.Worker | None = None

    @property
    def alive(self) -> bool:
        """Whether what the last calls have opened is still open."""
        return self._worker is not None and not self._worker.gone

    def call(self, function: str, *arguments: Any, slices: int = 0) -> Any:
        """What the function returns.

        Args:
            slices: how many the call decodes, each a part of its own; 0 where it opens a whole file.

        Raises:
            UnreadableScan: of the function, and for a limit.
            engine.worker.Ended: a decoder crashed. Then, as after a limit, what was open is not any more.
        """
        longest = bounds.PROCESSOR_SECONDS + bounds.SLICE_SECONDS * slices if slices else bounds.VOLUME_SECONDS
        part = bounds.PROCESSOR_SECONDS if slices else bounds.OPENING_SECONDS
        limits = worker.Limits(
            processor=part,
            longest=longest,
            wall=10 * longest,
            memory=bounds.VOLUME_WORKER_BYTES,
            output=bounds.VOLUME_BYTES,
        )
        try:
            if self._worker is None or not self.alive:
                self._worker = worker.Worker(bounds.VOLUME_WORKER_BYTES)
            return self._worker.call(f"{FUNCTIONS}:{function}", *arguments, limits=limits, raises=(UnreadableScan,))
        except worker.Exceeded as error:
            raise UnreadableScan(TOO_MUCH[error.limit].format(seconds=longest if slices else part)) from error
        except worker.Lost as error:
            raise UnreadableScan(
                "The file could not be decoded just now: the machine is short of memory or processes; send it again."
            ) from error

    def close(self) -> None:
        """Ends the process."""
        if self._worker is not None:
            self._worker.close()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_) -> None:
        self.close()


class InProcess:
    """As `Decoder`, but nothing ends it: for workers, and for tests of the decoders themselves."""

    alive = True

    def call(self, function: str, *arguments: Any, slices: int = 0) -> Any:
        """What the function returns."""
        return getattr(importlib.import_module(FUNCTIONS), function)(*arguments)

    def close(self) -> None:
        """Nothing is to be ended."""

    __enter__ = Decoder.__enter__
    __exit__ = Decoder.__exit__
