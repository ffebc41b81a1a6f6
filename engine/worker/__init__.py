"""Work that must not harm this process: a named function runs in a process of its own, with limits, and is killed when
it exceeds them.

A server process has the decoders imported and forks a worker in a few milliseconds (`engine.worker.server`). Values go
to and fro as JSON and raw buffers (`engine.worker.messages`); nothing is ever unpickled. No worker outlives this
process. Linux only.

    call("engine.scan:decoded", data, limits=Limits(processor=2.0), raises=(UnreadableScan,))
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.worker.messages import LARGEST_TEXT, BrokenMessage, TooLarge, receive, send

__all__ = ["Ended", "Exceeded", "Failed", "Limits", "Lost", "Worker", "WorkerError", "call"]

OUT_OF_MEMORY = 75  # exit code of a worker that has no room for its arguments
STARTING = 120.0  # seconds that the server may take to import what it needs
SETTINGS = {
    # a process with threads is not forked safely
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # large pages: a film's copies then cost a fifth
}
SERVE = "import sys; sys.path[:] = {path!r}; from engine.worker.server import serve; serve({fd}, {parent})"


class WorkerError(RuntimeError):
    """A call that came to nothing; the message is one sentence."""


class Exceeded(WorkerError):
    """The call was ended because it used more than it may.

    Attributes:
        limit: "processor", "wall", "memory" or "output".
    """

    def __init__(self, limit: str, limits: Limits):
        self.limit = limit
        super().__init__(
            {
                "processor": f"It was ended after {limits.longest or limits.processor:g} seconds of processor time.",
                "wall": f"It was ended after {limits.wall:g} seconds.",
                "memory": "It asked for more memory than it may have.",
                "output": f"It gave more than {limits.output / 1e6:.0f} million bytes.",
            }[limit]
        )


class Ended(WorkerError):
    """The worker crashed."""


class Lost(WorkerError):
    """There is no worker: it could not be made, was killed from outside (for the want of memory, perhaps), or is gone
    already.
    """

    def __init__(self):
        super().__init__(
            "The worker process could not be started or was lost; the machine may be out of memory or processes."
        )


class Failed(WorkerError):
    """The function raised what was not among the expected errors; its traceback is a note of this one."""


@dataclass(frozen=True)
class Limits:
    """What a call may use.

    Attributes:
        processor: seconds of processor time, of all its threads together; imports do not count.
        longest: seconds of processor time in all, where the work calls `engine.worker.extension.extend` after each of
            its parts; 0 for as many as `processor`.
        wall: seconds on the clock.
        memory: bytes of address space beside what the worker begins with, None for any number.
        output: bytes that it may give back, or write to any one file.
    """

    processor: float = 2.0
    longest: float = 0.0
    wall: float = 120.0
    memory: int | None = 2 << 30
    output: int = 512 << 20


class _Server:
    """The process that forks workers, started at first use and again when it is gone."""

    def __init__(self):
        self.lock = threading.Lock()
        self.process: subprocess.Popen | None = None
        self.control: socket.socket | None = None

    def worker(self, memory: int | None) -> tuple[socket.socket, socket.socket]:
        """The lines to this server about a new worker, and to the worker itself."""
        line, servers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        data, workers = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with servers, workers, self.lock:
            for _ in range(2):
                try:
                    control = self.control
                    if control is None or self.process is None or self.process.poll() is not None:
                        control = self._start()
                    socket.send_fds(
                        control, [json.dumps({"memory": memory}).encode()], [servers.fileno(), workers.fileno()]
                    )
                    return line, data
                except OSError:  # it has just ended, or cannot be made
                    if self.process is not None:
                        self.process.kill()
                        self.process.wait()
        line.close()
        data.close()
        raise Lost

    def _start(self) -> socket.socket:
        """Its end of the line that asks for workers."""
        if self.control is not None:
            self.control.close()
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control = control
        path = [part or os.getcwd() for part in sys.path]
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVE.format(path=path, fd=theirs.fileno(), parent=os.getpid())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | SETTINGS,
            )
        return control

    def stop(self) -> None:
        with self.lock:
            if self.process is not None and self.control is not None:
                self.control.close()  # it ends its workers and itself
                try:
                    self.process.wait(2)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                self.process = None


_server = _Server()
_slots = threading.BoundedSemaphore(
    os.cpu_count() or 1
)  # of `call`: more at once would only take longer, and more memory
_parents: list[_Server] = []  # of the processes that this one was forked from


def _after_fork() -> None:
    global _server, _slots
    _parents.append(_server)
    _server, _slots = _Server(), threading.BoundedSemaphore(os.cpu_count() or 1)


os.register_at_fork(after_in_child=_after_fork)
atexit.register(lambda: _server.stop())


class Worker:
    """A process that answers calls one after the other and may keep what it needs between them; a context manager.

    After an `Exceeded`, `Ended` or `Lost` it is gone; after any other error it answers on. To be used by one thread at
    a time.
    """

    def __init__(self, memory: int | None = Limits.memory):
        """Args:
            memory: see `Limits`.

        Raises:
            Lost: no process could be made.
        """
        self._data: socket.socket | None = None
        self._owner = os.getpid()
        for attempt in range(2):  # a server that dies at this moment takes the request with it
            self._line, self._data = _server.worker(memory)
            try:
                self.pid = self._heard(time.monotonic() + STARTING, Limits(wall=STARTING))
                return
            except Lost:
                if attempt:
                    raise

    @property
    def gone(self) -> bool:
        """Whether it answers no more calls; a forked process has none of its parent's workers."""
        return self._data is None or self._owner != os.getpid()

    def call(
        self, function: str, *arguments: Any, limits: Limits = Limits(), raises: Sequence[type[Exception]] = ()
    ) -> Any:
        """What `function` returns.

        Args:
            function: "package.module:name"; the module is imported in the worker.
            arguments: what `engine.worker.messages.send` takes, as is what the function returns.
            limits: `memory` apart, which is the worker's.
            raises: errors of the function that are raised here as they are, each made of its one message.

        Raises:
            Exceeded: a limit.
            Ended: the worker crashed.
            Lost: it was gone already, or was killed from outside.
            Failed: the function raised another error.
        """
        data = self._data
        if data is None or self.gone:
            raise Lost
        request = {
            "function": function,
            "arguments": arguments,
            "processor": limits.processor,
            "longest": limits.longest or limits.processor,
            "output": limits.output,
        }
        until = time.monotonic() + limits.wall
        try:
            data.settimeout(limits.wall)
            send(data, request)
        except OSError:
            pass  # it has ended, and how is heard now
        except BaseException:  # interrupted, or nothing that could be sent
            self.close()
            raise
        said = self._heard(until, limits)
        if "returned" in said:
            return said["returned"]
        if "raised" in said:
            raise _error(said, raises)
        self.close()
        raise Exceeded(said["exceeded"], limits)

    def _heard(self, until: float, limits: Limits) -> Any:
        """The worker's next message. However this ends but by returning it, the worker is gone afterwards."""
        if self._data is None:
            raise Lost
        try:
            return receive(self._data, limits.output + LARGEST_TEXT, until)
        except TooLarge:
            self.close()
            raise Exceeded("output", limits) from None
        except TimeoutError:
            self.close()
            raise Exceeded("wall", limits) from None
        except (EOFError, OSError):
            how = self._ending()
            self.close()
            if how == -signal.SIGPROF:
                raise Exceeded("processor", limits) from None
            if how == OUT_OF_MEMORY:
                raise Exceeded("memory", limits) from None
            if how in (None, -signal.SIGKILL):
                raise Lost from None
            raise Ended(
                f"The worker process crashed ({signal.Signals(-how).name if how < 0 else f'exit code {how}'})."
            ) from None
        except BrokenMessage as error:
            self.close()
            raise Ended(f"The worker process answered what cannot be read: {error}.") from error
        except BaseException:  # interrupted
            self.close()
            raise

    def _ending(self) -> int | None:
        """The exit code of the worker, which hung up; None when its server is gone too."""
        try:
            self._line.settimeout(STARTING)
            return int(self._line.recv(64))
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Kills the process, whatever it does."""
        if self._data is not None:
            if self._owner == os.getpid():
                for line in (self._line, self._data):
                    try:
                        line.shutdown(socket.SHUT_RDWR)  # forked processes may hold this end too
                    except OSError:
                        pass
            self._line.close()
            self._data.close()
            self._data = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __del__(self):
        if getattr(self, "_data", None) is not None:
            self.close()


def _error(said: dict, raises: Sequence[type[Exception]]) -> Exception:
    known = {f"{kind.__module__}:{kind.__qualname__}": kind for kind in raises}
    kind = next((known[name] for name in said["raised"] if name in known), None)
    if kind is not None:
        return kind(said["says"])
    error = Failed(f"{said['raised'][0].split(':')[-1]} in the worker process: {said['says'] or 'no message'}.")
    error.add_note(said["where"])
    return error


def call(function: str, *arguments: Any, limits: Limits = Limits(), raises: Sequence[type[Exception]] = ()) -> Any:
    """What `function` returns, from a worker that is made for this call; see `Worker.call`.

    Only so many run at once as there are cores.
    """
    with _slots, Worker(limits.memory) as worker:
        return worker.call(function, *arguments, limits=limits, raises=raises)
