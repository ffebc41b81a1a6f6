"""Processor time inside of a worker: the kernel ends it when a call has used more than it may."""

from __future__ import annotations

import signal
import time

_processor = _longest = 0.0  # seconds for a part and for all; 0 outside of a worker's call


def start(processor: float, longest: float) -> None:
    """From now on this process may use `processor` seconds, and with extensions `longest`."""
    global _processor, _longest
    _processor, _longest = processor, time.process_time() + longest
    signal.setitimer(signal.ITIMER_PROF, processor)  # SIGPROF, which nothing here handles, ends a process


def stop() -> None:
    """Takes the limit back: what runs from here on is not timed."""
    global _processor
    _processor = 0.0
    signal.setitimer(signal.ITIMER_PROF, 0)


def extend() -> None:
    """Says that a part of the work is done, a frame of a series: the next one has as long as the first; outside of a
    worker nothing happens.
    """
    if _processor:
        signal.setitimer(signal.ITIMER_PROF, min(_processor, max(_longest - time.process_time(), 1e-6)))
