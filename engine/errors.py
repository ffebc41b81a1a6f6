"""How a command ends when it does not get to its end: in one sentence to the user, and nothing here needs
more than Python.
"""

from __future__ import annotations


class UsageError(ValueError):
    """Something the user asked for that cannot be done; the message is for the user."""


class Stopped(Exception):
    """A run that was asked to stop by SIGINT or SIGTERM and has saved itself; the message says how to go on.

    No KeyboardInterrupt, which the command line's parser keeps to itself.
    """


USER_ERRORS = (
    ValueError,
    OSError,
)  # every refusal of the engine (a scan, a checkpoint, a collection, a setting) is a ValueError
