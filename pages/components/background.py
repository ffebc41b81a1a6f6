"""Long work that a menu or a dialog asks for: called off when its session leaves, and shown while it runs."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import streamlit as st

from engine.queue import Job, Progress
from pages.components import common
from server import sessions


class Background:
    """One kind of long work.

    Args:
        name: of the kind, unlike that of every other; one is made for each when its module is imported.
    """

    def __init__(self, name: str):
        self.name = name
        sessions.when_one_leaves(lambda session: common.worker().leave((name, session)))

    def ask(self, key: Hashable, work: Callable[[Progress], Any], background: bool = False) -> Job:
        """The worker's job for it, asked for by this session; see `Queue.ask`."""
        asker = (self.name, common.session())
        return common.worker().ask(key, work, asker=asker, long=True, background=background)

    def stop(self, job: Job, wish: str) -> None:
        """This session wants the job no more, nor what stands under `wish` in its state."""
        common.worker().withdraw((self.name, common.session()), job.key)
        st.session_state.pop(wish, None)


@st.fragment(run_every=1.0)
def wait(job: Job, what: str, stop: Callable[[], None] | None = None, key: str = "", left: str = "") -> None:
    """How far a job is; the page runs again when it is done.

    Args:
        what: is happening, as in 'Exporting'.
        stop: gives it up; without it there is no button for that.
        key: of the button. left: what becomes of the work so far, in a few words.
    """
    if job.done:
        st.rerun()
    st.progress(*common.progress_of(job, what))
    if stop and st.button("Stop", type="tertiary", key=key, help=left):
        stop()
        st.rerun()


def counted(count: int) -> str:
    """'1 scan' or '3 scans'."""
    return f"{count} {'scan' if count == 1 else 'scans'}"
