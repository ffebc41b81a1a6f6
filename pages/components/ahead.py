"""Explains in the background what a reader will turn to next: one scan at a time, every reader's in turn, nobody's
before a scan on show.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence

from engine.queue import Job, Progress, Queue
from pages.components import shelf
from pages.components.shelf import SHELVES, Entry, OpenScan, Shelf
from server import sessions

LOOK = 0.25  # seconds between two looks at a job
log = logging.getLogger(__name__)

Work = tuple[str, Hashable, Callable[[Progress], object]]  # the checkpoint's identity, the job's key, its work
Plan = tuple[Queue, Hashable, deque[Entry], Callable[[OpenScan], Work | None], Callable[[Entry, Work, Job], None]]
_plans: OrderedDict[str, Plan] = OrderedDict()  # by session; whoever was served goes to the end
_changed = threading.Condition()
_thread: list[threading.Thread] = []


def asker(of: Shelf) -> Hashable:
    """In whose name answers are asked for that are kept as long as the reader's scans are, also while no
    page is open.
    """
    return "shelf", of.token


def plan(
    queue: Queue,
    entries: Sequence[Entry],
    work_for: Callable[[OpenScan], Work | None],
    ended: Callable[[Entry, Work, Job], None],
) -> None:
    """Takes the place of what this session had planned.

    Args:
        entries: in the order in which they are to be explained; those that are being read are waited for.
        work_for: called outside the page's run with an entry's scan; None where nothing explains it.
        ended: told of an entry whose job ended, with an answer or an error.
    """
    with _changed:
        _plans[sessions.current()] = (queue, asker(shelf.mine()), deque(entries), work_for, ended)
        if not _thread:
            SHELVES.told_when_one_goes.append(lambda gone: queue.leave(asker(gone)))
            _thread.append(threading.Thread(target=_serve, name="ahead", daemon=True))
            _thread[0].start()
        _changed.notify()


@sessions.when_one_leaves
def forget(session: str) -> None:
    """Nothing more is computed ahead for this session."""
    with _changed:
        _plans.pop(session, None)


def _serve() -> None:
    while True:
        with _changed:
            while not _plans:
                _changed.wait()
            session, plan_ = next(iter(_plans.items()))
            todo = plan_[2]
            _plans.move_to_end(session)
            entry = todo.popleft() if todo else None
            if not todo:
                del _plans[session]
        if entry is None or entry.reason or entry.state in ("explained", "held back") or entry.same_as:
            continue
        if not entry.done.wait(LOOK):
            todo.append(entry)  # it may be long; others first
            with _changed:
                _plans.setdefault(session, plan_)
            continue
        try:
            _explain(session, entry, plan_)
        except Exception:  # whatever it is, the next scan has its turn
            log.exception("a scan could not be explained ahead")


def _explain(session: str, entry: Entry, plan_: Plan) -> None:
    queue, name, _, work_for, ended = plan_
    if entry.packed is None or not sessions.present(session):
        return
    work = work_for(entry.opened())
    if work is None:
        return
    identity, key, do = work
    entry.wanted = identity
    if identity in entry.explained_with:
        return
    job = queue.ask(
        key, do, asker=name, long=True, background=True
    )  # those of scans on show go before it and between its steps
    while not job.wait(LOOK):
        if not sessions.present(session):
            return queue.withdraw(name, key)
    ended(entry, work, job)
