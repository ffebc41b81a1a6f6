"""Which checkpoint a scan is explained with: the first that suits it, unless the reader chose another for scans like it.

A choice is kept in `st.session_state["checkpoint choices"]`, by what it was made for: a scan's kind and the collection that drew it.
Nothing but the reader's own change of the list writes there, so a run of the script that is cut short leaves no choice behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from engine.checkpoints.format import Checkpoint
from engine.datasets import draws_its_own
from pages.components import common
from pages.components.shelf import OpenScan

Choices = dict[tuple[str, str], str]  # (kind, collection that drew the scan or "") to the checkpoint's identity


def offered(opened: OpenScan, usable: Sequence[Checkpoint] | None = None) -> list[Checkpoint]:
    """Checkpoints for this scan: those that take its kind first, those made for it before those that take any, and among them
    those trained on the like of it. Outside a page's run, `usable` says which there are."""
    kind = opened.scan.kind
    return sorted(
        common.usable() if usable is None else usable,
        key=lambda c: (
            not common.takes(c, kind),
            not common.made_for(c, kind),
            _strange(common.trained_on(c), opened.drawn_by),
            c.name,
        ),
    )


def _strange(collection: str, drawn_by: str) -> bool:
    """Whether a checkpoint's collection is another than the one that drew the scan or, for a scan that nobody drew, a drawn one."""
    return collection != drawn_by if drawn_by else draws_its_own(collection)


def choices() -> Choices:
    return st.session_state.setdefault("checkpoint choices", {})


def standing(opened: OpenScan, offers: Sequence[Checkpoint], made: Choices | None = None) -> Checkpoint:
    """The checkpoint for this scan: the one that was chosen for scans like it where it is still offered, else the first offer.
    Outside a page's run, `made` says what was chosen."""
    chosen = (choices() if made is None else made).get(_what(opened))
    return next((c for c in offers if c.identity == chosen), offers[0])


def choose(opened: OpenScan, offers: Sequence[Checkpoint]) -> Checkpoint:
    """Shows the list of checkpoints; returns the one to explain this scan with."""
    names = _names(offers)
    now = standing(opened, offers).identity
    what = _what(opened)
    # A list of its own for every kind of scan and every set of offers: what the browser still holds of one never answers for another.
    key = f"checkpoint {what[0]} {what[1]} {abs(hash(tuple(names))) % 10**8}"
    with st.container(key="checkpoint"):
        st.selectbox(
            "Checkpoint", list(names), list(names).index(now), format_func=lambda identity: names[identity], key=key,
            label_visibility="collapsed", on_change=_keep, args=(what, key, now),
        )  # fmt: skip
    return next(c for c in offers if c.identity == now)


def _what(opened: OpenScan) -> tuple[str, str]:
    return opened.scan.kind, opened.drawn_by


def _keep(what: tuple[str, str], key: str, before: str) -> None:
    """The reader's own change of the list. A browser that only repeats what stood there has chosen nothing."""
    if (wish := st.session_state.get(key)) is not None and wish != choices().get(what, before):
        choices()[what] = wish


def _names(offers: Sequence[Checkpoint]) -> dict[str, str]:
    """Identity to the name in the list; two of one name are told apart by where they come from, since the browser answers by name."""
    names = {c.identity: common.label(c) for c in offers}
    often = Counter(names.values())
    return {
        c.identity: names[c.identity] + (f" ({c.source} {c.identity[:6]})" if often[names[c.identity]] > 1 else "")
        for c in offers
    }
