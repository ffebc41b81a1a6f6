"""Two ways of doing the same, timed against each other within one run."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor


def in_turn(plain: Callable[[], Tensor], ours: Callable[[], Tensor], rounds: int) -> tuple[float, float, Tensor, Tensor]:
    """Best times in seconds, and results, of both; in turn, so that a busy moment of the machine meets both, after one to warm up each."""
    theirs, found = plain(), ours()
    times = [(timed(plain)[0], timed(ours)[0]) for _ in range(rounds)]
    return (*(min(column) for column in zip(*times)), theirs, found)


def timed(call: Callable[[], object]) -> tuple[float, object]:
    """Wall time of one call, in seconds, and what it returned."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def row(name: str, ours_s: float, plain_s: float, theirs: Tensor, ours: Tensor) -> dict:
    """A row of `engine bench`; ratio above 1 is faster than plain."""
    difference = float((theirs - ours).abs().max())
    return {"name": name, "ours_s": ours_s, "plain_s": plain_s, "ratio": plain_s / ours_s, "max_difference": difference}
