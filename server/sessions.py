"""Which sessions have a page open, and who is told when one has left.

A session has left when its socket is closed. Its state is kept for half a minute, in which the same page may come back
after its connection broke; then it is closed for good, as Streamlit itself would do only when the next one leaves. What
is large stands in `belongings`, which are dropped at once and can be had again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from engine.memory import give_back

EVERY = 1.0  # seconds between two looks
MAY_COME_BACK = 30.0  # seconds
log = logging.getLogger(__name__)

_lock = threading.Lock()
_known: dict[str, str] = {}  # name of a session to Streamlit's own
_left: dict[str, float] = {}  # name of a session to when it was seen to be gone
_told_when_one_leaves: list[Callable[[str], None]] = []
_at_every_look: list[Callable[[], None]] = []
_belongings: dict[str, dict[str, Any]] = {}


def current() -> str:
    """A name for this session, that is not Streamlit's own: with that, files could be sent into it."""
    return st.session_state.setdefault("session", uuid.uuid4().hex)


def enter() -> None:
    """To be called at the start of every run of a session's script."""
    context = get_script_run_ctx()
    if context is not None:
        name = current()
        with _lock:
            _known[name] = context.session_id
            _left.pop(name, None)


def belongings() -> dict[str, Any]:
    """What this session holds in memory, by name, until it leaves. A page that comes back finds nothing in it."""
    with _lock:
        return _belongings.setdefault(current(), {})


def present(name: str) -> bool:
    """Whether this session has a page open.

    Outside a server (in a test without one) every session that has entered has.
    """
    with _lock:
        own = _known.get(name)
    return own is not None and (not runtime.exists() or runtime.get_instance().is_active_session(own))


def when_one_leaves(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Has `tell` called with a session's name within about a second of its page being closed; it must be quick.

    It may be called again for the same session, when its page came back and left again.
    """
    _told_when_one_leaves.append(tell)
    return tell


def at_every_look(do: Callable[[], None]) -> Callable[[], None]:
    """Has `do` called about once a second, while the server runs; it must be quick."""
    _at_every_look.append(do)
    return do


def look() -> list[str]:
    """Tells of every session that has left since the last look; those, by Streamlit's own names, that will not come
    back any more.
    """
    now = time.monotonic()
    for name in list(_known):
        with _lock:
            was_here = name not in _left
        if present(name):
            with _lock:
                _left.pop(name, None)
        elif was_here:
            with _lock:
                _left[name] = now
                _belongings.pop(name, None)
            _call(_told_when_one_leaves, name)
    with _lock:
        over = [name for name, since in _left.items() if now - since > MAY_COME_BACK]
        closing = [_known.pop(name) for name in over]
        for name in over:
            del _left[name]
    _call(_at_every_look)
    return closing


def _call(listeners: list[Callable], *words: str) -> None:
    for listener in list(listeners):
        try:
            listener(*words)
        except Exception:  # one that fails must not keep the others from hearing
            log.exception("a listener to sessions failed")


async def watch() -> None:
    """Looks once a second, for as long as the server runs."""
    while True:
        await asyncio.sleep(EVERY)
        over = await asyncio.to_thread(look)
        for name in over:  # on the loop's own thread, as Streamlit wants it
            if runtime.exists() and not runtime.get_instance().is_active_session(name):
                runtime.get_instance().close_session(name)
        if over:
            await asyncio.to_thread(give_back)
