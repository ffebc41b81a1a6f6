"""Which checkpoint a scan is explained with: the first that suits it, unless the reader chose another for it or for
scans like it.

A choice is kept in `st.session_state["checkpoint choices"]`, by what it was made for: a scan's kind and the collection
that drew it or, where the file does not say its kind, that picture and whatever the same checkpoint's detector finds
alike. Nothing but the reader's own change of the list writes there, so a run of the script that is cut short leaves no
choice behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from engine.checkpoints.format import Checkpoint
from engine.datasets import draws_its_own
from pages.components import common, detectors
from pages.components.shelf import OpenScan

For = tuple[str, str, str]  # what a choice is made for: a scan's kind, the collection that drew it, and see `_made_for`
Choices = dict[For, str]  # to the checkpoint's identity
Scores = Mapping[str, tuple[float, float]]  # by the checkpoint's identity, (score, limit) of its detector


@dataclass(frozen=True)
class Offers:
    """Checkpoints for a scan.

    Attributes:
        checkpoints: the one that suits it best first.
        alike: identities of those whose detector finds it like their training pictures.
        made_for: what a choice made for this scan holds for, this scan's own first.
    """

    checkpoints: tuple[Checkpoint, ...]
    alike: frozenset[str]
    made_for: tuple[For, ...]


def offered(opened: OpenScan, usable: Sequence[Checkpoint] | None = None, scores: Scores | None = None) -> Offers:
    """Checkpoints for this scan: those that take its kind first, those made for it before those that take any, those
    that find it alike before those that do not, and among them those trained on the like of it.

    Args:
        usable: which there are; outside a page's run that must be said.
        scores: what the detectors say; they are asked when it is not given, for which the scan must have its full size.
    """
    kind, drawn_by = opened.scan.kind, opened.drawn_by
    usable = common.usable() if usable is None else usable
    if drawn_by:
        scores = {}  # who drew it is known
    elif scores is None:
        scores = detectors.scores(opened.scan, usable)
    share = {identity: score / limit for identity, (score, limit) in scores.items() if score <= limit}
    suited = sorted(
        usable,
        key=lambda c: (
            not common.takes(c, kind, opened.slices),
            not common.made_for(c, kind),
            c.identity not in share,
            round(share.get(c.identity, 0.0), 3),
            _strange(c.collection, drawn_by),
            c.name,
        ),
    )
    return Offers(tuple(suited), frozenset(share), _made_for(opened, suited, share))


def _strange(collection: str, drawn_by: str) -> bool:
    """Whether a checkpoint's collection is another than the one that drew the scan or, for a scan that nobody drew, a
    drawn one.
    """
    return collection != drawn_by if drawn_by else draws_its_own(collection)


def _made_for(opened: OpenScan, suited: Sequence[Checkpoint], alike: Mapping[str, float]) -> tuple[For, ...]:
    kind, drawn_by = opened.scan.kind, opened.drawn_by
    if kind != "unknown" or drawn_by:
        return ((kind, drawn_by, ""),)
    this = (kind, "", f"picture {opened.scan.sha256}")
    return (this, (kind, "", f"like {suited[0].collection}")) if suited and suited[0].identity in alike else (this,)


def choices() -> Choices:
    """What this session has chosen so far."""
    return st.session_state.setdefault("checkpoint choices", {})


def standing(offers: Offers, made: Choices | None = None) -> Checkpoint:
    """The checkpoint for this scan: the one that was chosen for it or for scans like it where it is still offered, else
    the first offer. Outside a page's run, `made` says what was chosen.
    """
    made = choices() if made is None else made
    known = {c.identity: c for c in offers.checkpoints}
    chosen = (made[what] for what in offers.made_for if made.get(what) in known)
    return known[next(chosen, offers.checkpoints[0].identity)]


def better(offers: Offers, checkpoint: Checkpoint) -> Checkpoint | None:
    """The first offer, where its detector finds the scan alike and that of `checkpoint` does not."""
    first = offers.checkpoints[0]
    return first if first.identity in offers.alike and checkpoint.identity not in offers.alike else None


def choose(offers: Offers) -> Checkpoint:
    """Shows the list of checkpoints; returns the one to explain this scan with."""
    names = _names(offers.checkpoints)
    now = standing(offers).identity
    # A list of its own for every kind of scan and every set of offers: what the browser still holds of one never
    # answers for another.
    round_ = st.session_state.get("checkpoint round", 0)
    key = f"checkpoint {' '.join(offers.made_for[0])} {abs(hash(tuple(names))) % 10**8} {round_}"
    with st.container(key="checkpoint"):
        st.selectbox(
            "Checkpoint",
            list(names),
            list(names).index(now),
            format_func=lambda identity: names[identity],
            key=key,
            label_visibility="collapsed",
            on_change=_keep,
            args=(offers.made_for, key, now),
        )
    return next(c for c in offers.checkpoints if c.identity == now)


def take(offers: Offers, checkpoint: Checkpoint) -> None:
    """The reader's choice by another way than the list, which is drawn anew."""
    choices().update(dict.fromkeys(offers.made_for, checkpoint.identity))
    st.session_state["checkpoint round"] = st.session_state.get("checkpoint round", 0) + 1


def _keep(made_for: tuple[For, ...], key: str, before: str) -> None:
    """The reader's own change of the list. A browser that only repeats what stood there has chosen nothing."""
    wish = st.session_state.get(key)
    if isinstance(wish, str) and wish != choices().get(made_for[0], before):
        choices().update(dict.fromkeys(made_for, wish))


def _names(offers: Sequence[Checkpoint]) -> dict[str, str]:
    """Identity to the name in the list; two of one name are told apart by where they come from, since the browser
    answers by name.
    """
    names = {c.identity: common.label(c) for c in offers}
    often = Counter(names.values())
    return {
        c.identity: names[c.identity] + (f" ({c.source} {c.identity[:6]})" if often[names[c.identity]] > 1 else "")
        for c in offers
    }
