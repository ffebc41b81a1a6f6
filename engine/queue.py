"""One worker and the queue before it: models answer one at a time, everybody can see their place, and finished answers are kept."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Hashable
from typing import Any

Progress = Callable[[int, int], None]
log = logging.getLogger(__name__)


class Job:
    """One answer that was asked for. Made by `Queue.ask`.

    Attributes:
        key: what was asked.
        progress: (done, all) steps; (0, 0) until the work says something.
        asked, started, ended: seconds of `time.monotonic`; None until it happens.
        error: what the work raised, or None.
    """

    def __init__(self, key: Hashable, work: Callable[[Progress], Any]):
        self.key, self._work = key, work
        self.progress = (0, 0)
        self.asked, self.started, self.ended = time.monotonic(), None, None
        self.error: BaseException | None = None
        self._answer: Any = None
        self._askers: set[Hashable] = set()
        self._done = threading.Event()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    @property
    def waited(self) -> float:
        """Seconds since it was asked for."""
        return (self.ended or time.monotonic()) - self.asked

    def wait(self, seconds: float) -> bool:
        """Blocks for at most `seconds`; whether it is done."""
        return self._done.wait(seconds)

    def answer(self) -> Any:
        """What the work returned.

        Raises:
            RuntimeError: not done yet. Otherwise whatever the work raised.
        """
        if not self.done:
            raise RuntimeError(f"the answer to {self.key!r} is not ready")
        if self.error is not None:
            raise self.error
        return self._answer

    def _run(self) -> None:
        self.started = time.monotonic()
        try:
            self._answer = self._work(self._step)
        except BaseException as error:  # whatever it is, the worker lives on and the asker is told
            self.error = error
            log.info("a job ended with %s", type(error).__name__, exc_info=error)
        self._work = None  # lets go of the scan
        self.ended = time.monotonic()
        self._done.set()

    def _step(self, done: int, every: int) -> None:
        self.progress = (done, every)


class Queue:
    """First come, first served, by one thread. All methods may be called from any thread.

    Args:
        keep: how many finished jobs are kept, those used last; asking for one of them costs nothing.
    """

    def __init__(self, keep: int = 24):
        self._keep = keep
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._kept: OrderedDict[Hashable, Job] = OrderedDict()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def ask(self, key: Hashable, work: Callable[[Progress], Any], asker: Hashable = None) -> Job:
        """The job called `key`: kept, running or waiting already, or new at the end of the queue.

        Args:
            key: says all that the answer depends on; whoever asks for the same key shares one job.
            work: called on the worker with a function that takes (done, all) steps.
            asker: who wants it, for `keep_only`.
        """
        with self._changed:
            job = self._kept.get(key) or self._unfinished(key)
            if key in self._kept:
                self._kept.move_to_end(key)
            elif job is None:
                job = Job(key, work)
                self._waiting.append(job)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._serve, name="worker", daemon=True)
                    self._thread.start()
                self._changed.notify()
            job._askers.add(asker)
            return job

    def position(self, job: Job) -> int:
        """How many jobs are before this one: 0 for one that runs or is done."""
        with self._changed:
            if job not in self._waiting:
                return 0
            return self._waiting.index(job) + (self._running is not None)

    def __len__(self) -> int:
        """Jobs that are not done."""
        with self._changed:
            return len(self._waiting) + (self._running is not None)

    def keep_only(self, asker: Hashable, keys: Collection[Hashable]) -> None:
        """`asker` wants nothing but `keys` any more; a job that nobody wants and that has not begun is dropped."""
        with self._changed:
            for job in list(self._waiting):
                if job.key not in keys and asker in job._askers:
                    job._askers.discard(asker)
                    if not job._askers:
                        self._waiting.remove(job)

    def forget(self, key: Hashable) -> None:
        """The next to ask for `key` gets a new job; does nothing to one that is not done."""
        with self._changed:
            self._kept.pop(key, None)

    def _unfinished(self, key: Hashable) -> Job | None:
        candidates = [*self._waiting] if self._running is None else [self._running, *self._waiting]
        return next((job for job in candidates if job.key == key), None)

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                job = self._running = self._waiting.popleft()
            job._run()
            with self._changed:
                self._running = None
                self._kept[job.key] = job
                while len(self._kept) > self._keep:
                    self._kept.popitem(last=False)
