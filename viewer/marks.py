"""Drawing on a view: the column beside it, what the browser is told, and what it sends back, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from engine.review.measurements import ScanFacts, check_place
from engine.review.records import Annotation, UnusableRecord, now, to_json
from viewer import _import, _text
from viewer.blob import BadState

MOST_MARKS, MOST_RUNS = 2000, 400_000  # of one message
FIELDS = ("id", "kind", "points", "runs", "slice", "axis", "label", "comment")  # those that the browser sets

_MARKS = st.components.v2.component(
    "otherwise_marks", html=_text("marks.html"), css=_text("marks.css"), js=_import("marks.js")
)


@dataclass(frozen=True)
class Drawn:
    """What the browser sent: everything that is drawn on one picture.

    Attributes:
        picture: sha256 of the scan.
        loaded: number of the list that it began from, as it was told.
        base: revision of the case that it was told with that list or since.
        number: of the message; a later one has a higher one.
        marks: of each the FIELDS.
    """

    picture: str
    loaded: int
    base: int
    number: int
    marks: tuple[Mapping[str, Any], ...]

    def annotations(self, standing: Mapping[str, Annotation], reader: str, facts: ScanFacts) -> tuple[Annotation, ...]:
        """As records: whoever drew one first, and when, stays; a new one is by `reader`.

        Raises:
            UnusableRecord: one is not as an annotation must be, or lies beyond the scan.
        """
        made, time = [], now()
        for mark in self.marks:
            before = standing.get(str(mark["id"]))
            values = {name: mark[name] for name in FIELDS}
            try:
                points = tuple(tuple(point) for point in values.pop("points"))
                runs = tuple(tuple(run) for run in values.pop("runs"))
            except TypeError:
                raise UnusableRecord("Points and runs are lists of lists.") from None
            made.append(
                Annotation(
                    **values,
                    points=points,
                    runs=runs,
                    scan_sha256=self.picture,
                    reader=before.reader if before else reader,
                    created=before.created if before else time,
                )
            )
            check_place(made[-1], facts)
        return tuple(made)


def drawing(
    to: str,
    *,
    picture: str,
    facts: ScanFacts,
    annotations: Sequence[Annotation],
    loaded: int,
    revision: int,
    acked: int = 0,
    saved: str = "",
    trouble: str = "",
    locked: str = "",
    labels: Sequence[str] = (),
) -> None:
    """The column beside the view whose key is `to`, on which can be drawn from now on.

    Args:
        picture: sha256 of the scan that the view shows.
        facts: of that scan; lengths are in millimetres where it knows them.
        annotations: what is drawn; taken over when `picture` or `loaded` changes, and otherwise the browser's own stay.
        loaded: number of that list.
        revision: of the case.
        acked: number of the latest message that was saved.
        saved: said once everything is saved, for example "Saved at 12:03:10".
        trouble: said in its place when something could not be saved.
        locked: why nothing may be drawn; empty where it may.
        labels: offered for the label of a mark.
    """
    spacing = facts.spacing_mm
    _MARKS(
        data={
            "to": to,
            "picture": picture,
            "volume": len(facts.shape) == 3,
            "spacing_mm": None if spacing is None else list(spacing),
            "note": " at the detector" if facts.spacing_at == "detector" else "",
            "grey": "HU" if facts.kind == "CT" else "",
            "marks": [to_json(annotation) for annotation in annotations],
            "loaded": int(loaded),
            "revision": int(revision),
            "acked": int(acked),
            "saved": saved,
            "trouble": trouble,
            "locked": locked,
            "labels": list(labels),
        },
        key=_key(to),
        on_drawn_change=lambda: None,
    )


def drawn_on(to: str, picture: str) -> Drawn | None:
    """The latest that the browser sent about this picture; None for anything that it could not have sent."""
    drawn = latest_drawn(to)
    return drawn if drawn is not None and drawn.picture == picture else None


def latest_drawn(to: str) -> Drawn | None:
    """The latest that the browser sent about any picture; None for anything that it could not have sent."""
    mounted = st.session_state.get(_key(to))
    raw = mounted.get("drawn") if isinstance(mounted, Mapping) else None
    try:
        return checked_drawn(raw)
    except BadState:
        return None


def checked_drawn(raw: object) -> Drawn:
    """A message of the browser.

    Raises:
        BadState: it is none. The marks in it are checked by `Drawn.annotations`.
    """
    if not isinstance(raw, Mapping) or set(raw) != {"picture", "loaded", "base", "number", "marks"}:
        raise BadState("expected 'picture', 'loaded', 'base', 'number' and 'marks'")
    numbers = {name: _whole(raw[name]) for name in ("loaded", "base", "number")}
    picture, marks = raw["picture"], raw["marks"]
    if not isinstance(picture, str) or not re.fullmatch("[0-9a-f]{64}", picture):
        raise BadState("a picture is named by 64 hexadecimal digits")
    if not isinstance(marks, Sequence) or isinstance(marks, str) or len(marks) > MOST_MARKS:
        raise BadState(f"expected at most {MOST_MARKS} marks")
    for mark in marks:
        if not isinstance(mark, Mapping) or not set(FIELDS) <= set(mark):
            raise BadState(f"a mark has {', '.join(FIELDS)}")
    if sum(len(mark["runs"]) for mark in marks if isinstance(mark["runs"], Sequence)) > MOST_RUNS:
        raise BadState(f"expected at most {MOST_RUNS} runs of pixels")
    return Drawn(picture, marks=tuple(marks), **numbers)


def _whole(value: object) -> int:
    """A whole number that a browser may have written with a decimal point."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 2**53 or value % 1:
        raise BadState("expected a whole number")
    return int(value)


def _key(to: str) -> str:
    return f"{to}-marks"
