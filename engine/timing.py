"""Two ways of doing the same, timed against each other within one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

Made = TypeVar("Made")


def in_turn(
    plain: Callable[[], Tensor], ours: Callable[[], Tensor], rounds: int, warm_up: Callable[[], object] | None = None
) -> tuple[float, float, Tensor, Tensor]:
    """Best times in seconds, and results, of both; in turn, so that a busy moment of the machine meets both.

    Args:
        warm_up: called first; one call of each when None.
    """
    for call in (plain, ours) if warm_up is None else (warm_up,):
        call()
    rows = [(timed(plain), timed(ours)) for _ in range(rounds)]
    (_, of_plain), (_, of_ours) = rows[0]
    return min(first[0] for first, _ in rows), min(second[0] for _, second in rows), of_plain, of_ours


def timed(call: Callable[[], Made]) -> tuple[float, Made]:
    """Wall time of one call, in seconds, and what it returned."""
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def row(name: str, ours_s: float, plain_s: float, theirs: Tensor, ours: Tensor) -> dict:
    """A row of `engine bench`; ratio above 1 is faster than plain."""
    difference = float((theirs - ours).abs().max())
    return {"name": name, "ours_s": ours_s, "plain_s": plain_s, "ratio": plain_s / ours_s, "max_difference": difference}
