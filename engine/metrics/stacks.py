"""Stacks of equally large pictures, checked once at the door and then walked through in blocks that fit the memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from engine.metrics.intervals import Groups

Pictures = np.ndarray | Sequence[np.ndarray]  # (N, H, W), or N of (H, W)
BLOCK = 2**21  # pixels held at once as float64, 16 MiB


def same_stack(**stacks: Pictures) -> list[np.ndarray]:
    """Each stack as (N, H, W), all of one shape and finite.

    Args:
        stacks: by the names that an error message should use; (N, H, W) arrays or lists of (H, W).

    Raises:
        ValueError: shapes differ, a stack is not (N, H, W), or holds what is not finite.
    """
    arrays = {name: np.asarray(stack) for name, stack in stacks.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        said = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"pictures must share one (N, H, W), got {said}")
    for name, array in arrays.items():
        if array.dtype != bool and not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite")
    return list(arrays.values())


def same_masks(**stacks: Pictures) -> None:
    """Refuses, with one sentence, a stack that is not bool."""
    for name, stack in stacks.items():
        if np.asarray(stack).dtype != bool:
            raise ValueError(f"{name} must be bool, got {np.asarray(stack).dtype}")


def blocks(stack: np.ndarray) -> Iterator[slice]:
    """Slices of whole pictures that cover a stack (N, H, W)."""
    step = max(1, BLOCK // max(1, stack[0].size)) if len(stack) else 1
    for start in range(0, len(stack), step):
        yield slice(start, start + step)


def groups_of(groups: Groups, measured: np.ndarray) -> np.ndarray | None:
    """The groups of the pictures that are kept, (N,) bool; None without groups.

    Raises:
        ValueError: not one group a picture.
    """
    if groups is None:
        return None
    if len(groups) != len(measured):
        raise ValueError(f"groups must name one patient a picture, got {len(groups)} for {len(measured)} pictures")
    return np.asarray(groups)[measured]
