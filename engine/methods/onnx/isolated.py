"""Somebody else's network in a process of its own: looking through the file, opening it and running it may
take only so much.
"""

from __future__ import annotations

import os
import threading
from dataclasses import asdict

import numpy as np

from engine.methods.onnx.card import Interface
from engine.methods.onnx.network import LONGEST_RUN, Network, UnusableNetwork
from engine.worker import Exceeded, Limits, Lost, Worker, WorkerError

OPENING_SECONDS = 20.0  # of processor time, for looking through a file and opening it,
SECONDS_A_MB = 0.3  # and for each megabyte of it
WORKER_BYTES = 4 << 30  # of address space,
BYTES_A_BYTE = 6  # and for each byte of the file
GRACE = 2.0  # seconds that a network has for stopping by itself
LOST = "The network could not be run just now: the machine is short of memory or processes; try again."


class IsolatedNetwork:
    """A `Network` that cannot harm whoever asks it; the same arguments, answers and errors.

    One thread at a time is served.
    """

    def __init__(self, data: bytes, interface: Interface, device: str = "cpu", threads: int = 0, outputs: int = 0):
        self.interface = interface
        self._arguments = data, asdict(interface), device, threads, outputs
        self._turn = threading.Lock()
        self._worker = self._opened()

    def __call__(self, pictures: np.ndarray, limit: float = LONGEST_RUN) -> np.ndarray:
        """As of `Network`, but `limit` is for the whole call. A process that has died is replaced.

        Args:
            pictures: (n, size, size) in [-0.5, 0.5].
            limit: seconds on the clock.

        Returns:
            (n, C) float32.
        """
        threads = self._arguments[3] or os.cpu_count() or 1
        limits = Limits(processor=(limit + GRACE) * threads, wall=limit + GRACE)
        with self._turn:
            if self._worker.gone:
                self._worker = self._opened()
            try:
                return self._worker.call(
                    "engine.methods.onnx.isolated:answer",
                    np.asarray(pictures),
                    limit,
                    limits=limits,
                    raises=(UnusableNetwork,),
                )
            except Exceeded as error:
                if error.limit in ("processor", "wall"):
                    raise UnusableNetwork(f"The network had not answered after {limit:.0f} s.") from None
                raise UnusableNetwork("The network takes more memory than it may; export a smaller one.") from None
            except WorkerError as error:
                raise _crashed(error) from error

    def _opened(self) -> Worker:
        """A process with the network in it."""
        size, device = len(self._arguments[0]), self._arguments[2]
        memory = (
            None if device == "cuda" else WORKER_BYTES + BYTES_A_BYTE * size
        )  # CUDA reserves more addresses than there is memory
        seconds = OPENING_SECONDS + SECONDS_A_MB * size / 1e6
        try:
            worker = Worker(memory)
            worker.call(
                "engine.methods.onnx.isolated:open_network",
                *self._arguments,
                limits=Limits(seconds, wall=10 * seconds),
                raises=(UnusableNetwork,),
            )
        except Exceeded as error:
            if error.limit in ("processor", "wall"):
                raise UnusableNetwork(
                    f"Opening the file takes more than {seconds:.0f} s of processor time; export it again, as plainly "
                    "as can be."
                ) from None
            raise UnusableNetwork("Opening the file takes more memory than it may; export a smaller network.") from None
        except WorkerError as error:
            raise _crashed(error) from error
        return worker


def _crashed(error: WorkerError) -> UnusableNetwork:
    return UnusableNetwork(
        LOST if isinstance(error, Lost) else "The file makes the program that runs it crash; export the network again."
    )


_network: Network | None = None  # in a worker: the one that it was made for


def open_network(data: bytes, interface: dict, device: str, threads: int, outputs: int) -> None:
    """In a worker: opens the network that `answer` asks."""
    global _network
    _network = Network(data, Interface(**interface), device, threads, outputs)


def answer(pictures: np.ndarray, limit: float) -> np.ndarray:
    """In a worker: what the opened network says."""
    assert _network is not None, "open_network comes first"
    return _network(pictures, limit)
