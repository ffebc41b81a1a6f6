"""One worker and the queue before it: models answer one at a time, everybody can see their place, and finished answers are kept.

A report takes minutes and an explanation seconds. So that nobody waits for somebody else's report, a long job lets short ones go
between its steps; and so that a report asked for by mistake costs nothing more, a job that its askers withdraw ends at its next step.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Hashable
from typing import Any

Progress = Callable[[int, int], None]
log = logging.getLogger(__name__)


class Withdrawn(Exception):
    """Ends the work of a job that nobody wants any more; raised where it says how far it is."""


class Job:
    """One answer that was asked for. Made by `Queue.ask`.

    Attributes:
        key: what was asked.
        long: whether short jobs may go between its steps.
        progress: (done, all) steps; (0, 0) until the work says something.
        asked, started, ended: seconds of `time.monotonic`; None until it happens.
        error: what the work raised, or None.
    """

    def __init__(self, key: Hashable, work: Callable[[Progress], Any], long: bool = False):
        self.key, self._work, self.long = key, work, long
        self.progress = (0, 0)
        self.asked, self.started, self.ended = time.monotonic(), None, None
        self.error: BaseException | None = None
        self._answer: Any = None
        self._askers: set[Hashable] = set()
        self._withdrawn = False
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

    def _run(self, between: Callable[[Job], None]) -> None:
        def step(done: int, every: int) -> None:
            self.progress = (done, every)
            between(self)

        self.started = time.monotonic()
        try:
            self._answer = self._work(step)
        except BaseException as error:  # whatever it is, the worker lives on and the asker is told
            self.error = error
            log.info("a job ended with %s", type(error).__name__, exc_info=error)
        self._work = None  # lets go of the scan
        self.ended = time.monotonic()
        self._done.set()


class Queue:
    """First come, first served, by one thread, but that long jobs let short ones go between. All methods may be called from any thread.

    Args:
        keep: how many finished jobs are kept, those used last; asking for one of them costs nothing.
    """

    def __init__(self, keep: int = 24):
        self._keep = keep
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []  # one, or a long one and the short one that goes between its steps
        self._kept: OrderedDict[Hashable, Job] = OrderedDict()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def ask(self, key: Hashable, work: Callable[[Progress], Any], asker: Hashable = None, long: bool = False) -> Job:
        """The job called `key`: kept, running or waiting already, or new at the end of the queue.

        Args:
            key: says all that the answer depends on; whoever asks for the same key shares one job.
            work: called on the worker with a function that takes (done, all) steps.
            asker: who wants it, for `keep_only` and `withdraw`.
            long: lets short jobs go between its steps.
        """
        with self._changed:
            job = self._kept.get(key) or self._unfinished(key)
            if key in self._kept:
                self._kept.move_to_end(key)
            elif job is None:
                job = Job(key, work, long)
                self._waiting.append(job)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._serve, name="worker", daemon=True)
                    self._thread.start()
                self._changed.notify()
            job._askers.add(asker)
            job._withdrawn = False
            return job

    def position(self, job: Job) -> int:
        """How many jobs are before this one: 0 for one that runs or is done."""
        with self._changed:
            if job not in self._waiting:
                return 0
            before = [*self._running, *itertools.takewhile(lambda other: other is not job, self._waiting)]
            goes_between = not job.long and bool(self._running) and self._running[0].long
            return sum(not (goes_between and other.long) for other in before)

    def __len__(self) -> int:
        """Jobs that are not done."""
        with self._changed:
            return len(self._waiting) + len(self._running)

    def keep_only(self, asker: Hashable, keys: Collection[Hashable]) -> None:
        """`asker` wants nothing but `keys` any more; a job that nobody wants and that has not begun is dropped."""
        with self._changed:
            for job in list(self._waiting):
                if job.key not in keys and asker in job._askers:
                    job._askers.discard(asker)
                    if not job._askers:
                        self._waiting.remove(job)

    def withdraw(self, asker: Hashable, key: Hashable) -> None:
        """`asker` does not want `key` any more; when nobody does, the job is dropped, or ends at its next step if it has begun."""
        with self._changed:
            job = self._unfinished(key)
            if job is not None:
                job._askers.discard(asker)
                job._withdrawn = not job._askers
                if job._withdrawn and job in self._waiting:
                    self._waiting.remove(job)

    def forget(self, key: Hashable) -> None:
        """The next to ask for `key` gets a new job; does nothing to one that is not done."""
        with self._changed:
            self._kept.pop(key, None)

    def _unfinished(self, key: Hashable) -> Job | None:
        return next((job for job in (*self._running, *self._waiting) if job.key == key and job.error is None), None)

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                job = self._waiting.popleft()
                self._running.append(job)
            self._finish(job)

    def _between(self, job: Job) -> None:
        """At every step of a job, on the worker."""
        while True:
            with self._changed:
                if job._withdrawn:
                    job.error = Withdrawn()  # from here on whoever asks for it gets a new one
                    raise job.error
                short = next((other for other in self._waiting if not other.long), None) if job.long else None
                if short is None:
                    return
                self._waiting.remove(short)
                self._running.append(short)
            self._finish(short)

    def _finish(self, job: Job) -> None:
        job._run(self._between)
        with self._changed:
            self._running.remove(job)
            if not isinstance(job.error, Withdrawn):
                self._kept[job.key] = job
            while len(self._kept) > self._keep:
                self._kept.popitem(last=False)
