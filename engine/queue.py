"""One worker and the queue before it: models answer one at a time, everybody can see their place, and finished answers
are kept.

A report takes minutes and an explanation seconds. So that nobody waits for somebody else's report, a long job lets
short ones go between its steps, and so that it ends all the same, it and they take turns of the same time. Of several
who wait, everybody has a turn before anybody has two. A job that its askers withdraw ends at its next step.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from typing import Any

from engine.sizes import size_in_bytes

Progress = Callable[[int, int], None]
KEPT_BYTES = 256_000_000  # of finished answers
log = logging.getLogger(__name__)


class Withdrawn(Exception):
    """Ends the work of a job that nobody wants any more; raised where it says how far it is."""


class Job:
    """One answer that was asked for. Made by `Queue.ask`.

    Attributes:
        key: what was asked.
        long: whether short jobs may go between its steps.
        background: whether all others go before it while it waits.
        progress: (done, all) steps; (0, 0) until the work says something.
        submitted_at, started, ended: seconds of `time.monotonic`; None until it happens.
        error: what the work raised, or None.
    """

    def __init__(self, key: Hashable, work: Callable[[Progress], Any], long: bool = False, background: bool = False):
        self.key, self.long, self.background = key, long, background
        self._work: Callable[[Progress], Any] | None = work
        self.progress = (0, 0)
        self.submitted_at = time.monotonic()
        self.started: float | None = None
        self.ended: float | None = None
        self.error: BaseException | None = None
        self._answer: Any = None
        self._size = 0  # bytes of the answer
        self._askers: set[Hashable] = set()
        self._turn = 0
        self._withdrawn = False
        self._owed = 0.0  # of a long job: seconds that short ones took and it has not had since
        self._resumed = 0.0
        self._done = threading.Event()

    @property
    def done(self) -> bool:
        return self._done.is_set()

    @property
    def waited(self) -> float:
        """Seconds since it was asked for."""
        return (self.ended or time.monotonic()) - self.submitted_at

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
            assert self._work is not None, "a job is worked once"
            self._answer = self._work(step)
            self._size = size_in_bytes(self._answer)
        except BaseException as error:  # whatever it is, the worker lives on and the asker is told
            self.error = error
            log.info("a job ended with %s", type(error).__name__, exc_info=error)
            traceback.clear_frames(error.__traceback__)  # they hold the scan
        self._work = None  # lets go of the scan


class Queue:
    """First come, first served, by one thread: one job of everybody before the second of anybody, and long jobs share
    with short ones.

    All methods may be called from any thread.

    Args:
        keep_bytes: of finished answers, those used last; asking for one of them costs nothing. What failed is kept for
            those who asked for it, and tried again for anybody else.
        clock: seconds that only rise; by it long and short jobs take turns.
    """

    def __init__(self, keep_bytes: int = KEPT_BYTES, clock: Callable[[], float] = time.monotonic):
        self._keep_bytes, self._clock = keep_bytes, clock
        self._waiting: list[Job] = []
        self._turn = 0  # of the job that began last
        self._running: list[Job] = []  # one, or a long one and the short one that goes between its steps
        self._finished: OrderedDict[Hashable, Job] = OrderedDict()
        self._failed: dict[Hashable, Job] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def ask(
        self,
        key: Hashable,
        work: Callable[[Progress], Any],
        asker: Hashable = None,
        long: bool = False,
        background: bool = False,
    ) -> Job:
        """The job called `key`: kept, running or waiting already, or new in the queue.

        Args:
            key: says all that the answer depends on; whoever asks for the same key shares one job.
            work: called on the worker with a function that takes (done, all) steps.
            asker: who wants it, for `keep_only`, `withdraw` and `leave`.
            long: lets short jobs go between its steps.
            background: lets all jobs that are not in the background go before it.
        """
        with self._changed:
            job = self._finished.get(key) or self._unfinished(key)
            failed = self._failed.get(key)
            if job is None and failed is not None and asker in failed._askers:
                return failed
            if job is None:
                job = Job(key, work, long, background)
                job._turn = self._turn_of(asker, background)
                self._waiting.append(job)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._serve, name="worker", daemon=True)
                    self._thread.start()
                self._changed.notify_all()
            elif key in self._finished:
                self._finished.move_to_end(key)
            if job.background and not background:
                job.background, job._turn = False, self._turn_of(asker, False)
            job._askers.add(asker)
            job._withdrawn = False
            return job

    def position(self, job: Job) -> int:
        """How many jobs are before this one: 0 for one that runs or is done."""
        with self._changed:
            if job not in self._waiting:
                return 0
            order = self._in_order()
            before = [*self._running, *order[: order.index(job)]]
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
                if job.key not in keys:
                    self._unwanted(job, asker)

    def withdraw(self, asker: Hashable, key: Hashable) -> None:
        """`asker` does not want `key` any more; when nobody does, the job is dropped, or ends at its next step if it
        has begun.
        """
        with self._changed:
            job = self._unfinished(key)
            if job is not None:
                self._unwanted(job, asker)

    def leave(self, asker: Hashable) -> None:
        """`asker` is gone: what only they wanted is withdrawn, and answers that only they had asked for are
        forgotten.
        """
        with self._changed:
            for job in (*self._running, *self._waiting):
                self._unwanted(job, asker)
            for finished in (self._finished, self._failed):
                for key, job in list(finished.items()):
                    job._askers.discard(asker)
                    if not job._askers:
                        del finished[key]

    def forget(self, key: Hashable) -> None:
        """The next to ask for `key` gets a new job; does nothing to one that is not done."""
        with self._changed:
            self._finished.pop(key, None)
            self._failed.pop(key, None)

    def _unwanted(self, job: Job, asker: Hashable) -> None:
        """`asker` does not want this unfinished job; when nobody does, it is dropped, or ends at its next step."""
        if asker in job._askers:
            job._askers.discard(asker)
            job._withdrawn = not job._askers
            if job._withdrawn and job in self._waiting:
                self._waiting.remove(job)

    def _unfinished(self, key: Hashable) -> Job | None:
        return next((job for job in (*self._running, *self._waiting) if job.key == key and job.error is None), None)

    def _in_order(self) -> list[Job]:
        """The waiting jobs as they will be taken: those in the background last, everybody's next one before anybody's
        next but one.
        """
        return sorted(self._waiting, key=lambda job: (job.background, job._turn))  # of equal ones the first to arrive

    def _turn_of(self, asker: Hashable, background: bool) -> int:
        """The turn that a job of `asker` has: the present one, or the one after those that theirs have."""
        theirs = [
            job._turn
            for job in (*self._running, *self._waiting)
            if asker in job._askers and job.background == background
        ]
        return max([self._turn, *(turn + 1 for turn in theirs)])

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                job = self._in_order()[0]
                self._begin(job)
            self._finish(job)
            del job  # or it would live on until the next

    def _begin(self, job: Job) -> None:
        self._waiting.remove(job)
        self._running.append(job)
        self._turn = max(self._turn, job._turn)
        job._resumed = self._clock()

    def _between(self, job: Job) -> None:
        """At every step of a job, on the worker: it ends if nobody wants it, and a long one lets a short one go if that
        one's turn has come.
        """
        with self._changed:
            if job._withdrawn:
                job.error = Withdrawn()  # from here on whoever asks for it gets a new one
                raise job.error
            if not job.long:
                return
            now = self._clock()
            job._owed = max(0.0, job._owed - (now - job._resumed))
            job._resumed = now
            short = next((other for other in self._in_order() if not other.long), None)
            if short is None or job._owed > 0:
                return
            self._begin(short)
        self._finish(short)
        with self._changed:
            now = self._clock()
            job._owed, job._resumed = now - job._resumed, now
            if job._withdrawn:
                job.error = Withdrawn()
                raise job.error

    def _finish(self, job: Job) -> None:
        job._run(self._between)
        with self._changed:
            self._running.remove(job)
            if job.error is None and job._askers:
                self._finished[job.key] = job
            elif job.error is not None and not isinstance(job.error, Withdrawn):
                self._failed[job.key] = job
            while (
                len(self._finished) > 1
                and sum(finished._size for finished in self._finished.values()) > self._keep_bytes
            ):
                self._finished.popitem(last=False)
            job.ended = time.monotonic()
            job._done.set()
