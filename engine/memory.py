"""Memory that is free goes back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import gc


def give_back() -> None:
    """Collects what nobody refers to, and has the C library give back what lies free in its heaps (glibc; elsewhere it
    does so itself).
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
