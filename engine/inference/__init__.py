"""Models answer in a process of their own, so that whoever asks for them keeps a processor and stays responsive.

`Inference` is that process, seen from outside: it is started at first use and again after it has died, runs one
function of `engine.inference.tasks` at a time, is told a scan's pixels once, and can be called off between two steps.
The process and this one are one program and trust each other; what comes from elsewhere (somebody else's model) runs in
`engine.worker`.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from engine.checkpoints.format import Checkpoint
from engine.explanation import ClassCentres, Explanation
from engine.inference import tasks
from engine.inference.messages import dumped, loads
from engine.look import AttributeEffect, Look
from engine.scan import Scan
from engine.similar.describe import Description

Progress = Callable[[int, int], None]
SERVE = "import sys; sys.path[:] = {path!r}; from engine.inference.process import serve; serve({fd})"


class Lost(RuntimeError):
    """The process ended while it was at work; the next call starts it again."""

    def __init__(self):
        super().__init__(
            "The process in which models answer ended before it was done; the machine may be short of memory. Try "
            "again."
        )


class Inference:
    """The process, and the line to it.

    `call` is for one thread; a call's `progress` may make another call, which is answered first.
    """

    def __init__(self):
        self._line: Connection | None = None
        self._process: subprocess.Popen | None = None
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()  # of starting and ending it
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """Of the process, None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> None:
        """Starts the process, if there is none, without waiting for what it imports; the first call then waits less."""
        with self._lock:
            if self._line is not None:
                return
            ours, theirs = socket.socketpair()
            path = [part or os.getcwd() for part in sys.path]
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", SERVE.format(path=path, fd=theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env=_threads() | os.environ,
                )
            self._line = Connection(ours.detach())

    def close(self) -> None:
        """Ends the process; a later call starts another."""
        with self._lock:
            if self._line is None or self._process is None:
                return
            self._line.close()
            self._line = None
            self._process.kill()
            self._process.wait()

    def call(self, function: Callable, *arguments: Any, progress: Progress | None = None) -> Any:
        """What ``function(progress, *arguments)`` returns there.

        Args:
            function: of a module that can be imported there.
            progress: called here with (done, all) after every step, which the work waits for; what it raises ends the
                work and is raised.

        Raises:
            Lost: the process ended. Otherwise whatever the function raised.
        """
        self.start()
        line, number = self._line, next(self._numbers)
        if line is None:  # another thread has closed it at this moment
            raise Lost
        request, scans = dumped((function, arguments))
        try:
            line.send(("call", number, request))
            return self._answer(line, number, scans, progress or (lambda done, every: None))
        except (EOFError, OSError) as error:  # of the line: what the function raised comes as an answer
            with self._lock:
                died = self._line is line
            if died:
                self.close()
            raise Lost from error

    def _answer(self, line: Connection, number: int, scans: Mapping[str, Scan], progress: Progress) -> Any:
        def received() -> tuple:
            kind, whose, *said = line.recv()
            if whose != number:  # an answer must never reach another question
                raise EOFError(f"the answer to call {whose} came while call {number} was waited for")
            return kind, *said

        while True:
            kind, *said = received()
            if kind == "step":
                try:
                    progress(*said)
                except BaseException:
                    line.send(("call off", number))
                    while received()[0] not in ("returned", "raised"):
                        pass
                    raise
                line.send(("go on", number))
            elif kind == "scan":
                line.send_bytes(scans[said[0]].pixels.data.cast("B"))
            elif kind == "returned":
                return loads(said[0])
            else:
                raise _error(*said)


def _threads() -> dict[str, str]:
    """One processor is left to the interface.

    Threads that wait do so asleep: where others want the processors too, threads that wait for each other awake took
    fifteen times as long as a single one.
    """
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": str(max(1, processors - 1))}


def _error(pickled: bytes | None, words: str) -> BaseException:
    """What the function raised, with the traceback from there as a note."""
    try:
        error = pickle.loads(pickled) if pickled else RuntimeError(words.strip().splitlines()[-1])
    except Exception:  # an error that is pickled but cannot be made again: its words are there
        error = RuntimeError(words.strip().splitlines()[-1])
    if isinstance(error, OSError):  # would be taken for the line's
        error = RuntimeError(str(error))
    error.add_note(words)
    return error


@dataclass(frozen=True)
class RemoteModel:
    """The model of a checkpoint in that process: its methods are those of `engine.registry.Model`."""

    inference: Inference
    checkpoint: Checkpoint
    device: str

    def explain(
        self, scan: Scan, findings: Sequence[str] | None = None, progress: Progress | None = None, space: str = ""
    ) -> list[Explanation]:
        """As `Model.explain`, but every record has left its large pictures behind (`Explanation.without_pictures`).

        Args:
            space: one of `Model.spaces`, in which counterfactuals are sought; "" for that of the training.
        """
        return self.inference.call(
            tasks.explain, self.checkpoint, self.device, scan, findings, space, progress=progress
        )

    def predict_counterfactual(self, scan: Scan, amounts: Mapping[str, float]) -> dict[str, float]:
        return self.inference.call(tasks.predict_counterfactual, self.checkpoint, self.device, scan, dict(amounts))

    def described(self, scan: Scan, layer: str) -> Description:
        """As `engine.similar.describe.describe`."""
        return self.inference.call(tasks.described, self.checkpoint, self.device, scan, layer)

    def look(self, scan: Scan, symbols: Sequence[str] = ("",)) -> list[Look]:
        """As `Model.look`, once for each value of the symbol."""
        return self.inference.call(tasks.look, self.checkpoint, self.device, scan, list(symbols))

    def diagnosis(self, values: Mapping[str, float]) -> tuple[float, list[AttributeEffect]]:
        """As `Model.predict_from_attributes` and `Model.attribute_effects`."""
        return self.inference.call(tasks.diagnosis, self.checkpoint, self.device, dict(values))

    def centres(self) -> list[ClassCentres]:
        return self.inference.call(tasks.centres, self.checkpoint, self.device)
