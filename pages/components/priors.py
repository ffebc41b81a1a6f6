"""An earlier scan of the same patient among those that are open, beside the one on show."""

from __future__ import annotations

from engine.scan import frame
from engine.scan.side_by_side import placed_on
from engine.scan.source import is_prior, when
from pages.components import open_scans
from pages.components.shelf import Entry, OpenScan
from server import sessions
from viewer import PriorView


def prior_of(opened: OpenScan) -> Entry | None:
    """The latest of the earlier scans of the same patient and kind that are open, first those of the same view; None
    where there is none, where no file names the patient, and of a volume.
    """
    entries = open_scans.scans()
    own = entries.get(opened.id)
    if own is None or own.source is None or opened.slices > 1:
        return None
    earlier = [
        entry
        for entry in entries.values()
        if entry is not own
        and entry.packed is not None
        and entry.small is not None
        and entry.small.slices == 1
        and entry.small.scan.kind == opened.scan.kind
        and _text(entry.small.scan.tags, "BodyPartExamined") == _text(opened.scan.tags, "BodyPartExamined")
        and is_prior(entry.source, own.source)
    ]
    view = opened.scan.tags.get("ViewPosition", "")
    return max(
        earlier,
        key=lambda entry: (entry.small.scan.tags.get("ViewPosition", "") == view, when(entry.source)),
        default=None,
    )


def _text(tags, name: str) -> str:
    return tags.get(name, "").upper()


def prior_view(opened: OpenScan) -> PriorView | None:
    """The prior on the grid of the scan on show, the very same record as long as it is the same pair."""
    entry = prior_of(opened)
    if entry is None:
        return None
    belongings, pair = sessions.belongings(), (opened.scan.sha256, entry.id, entry.title)
    known = belongings.get("prior on show")
    if known is None or known[0] != pair:
        prior = frame(entry.opened().scan, 0)
        placed = placed_on(prior, frame(opened.scan, 0))
        known = belongings["prior on show"] = (
            pair,
            PriorView(placed.pixels, prior.window, f"Prior: {entry.title}", placed.note),
        )
    return known[1]
