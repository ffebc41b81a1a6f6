"""An earlier scan of the same patient among those that are open, beside the one on show."""

from __future__ import annotations

from engine.scan import frame
from engine.scan.side_by_side import placed_on
from engine.scan.source import days_before, is_prior, same_patient, when
from pages.components import open_scans
from pages.components.shelf import Entry, OpenScan
from server import sessions
from viewer import PriorView


def priors_of(opened: OpenScan) -> list[Entry]:
    """The earlier scans of the same patient, kind and part of the body that are open: first those of the same view, of
    them the latest. None where no file names the patient.
    """
    entries = open_scans.scans()
    own = entries.get(opened.id)
    if own is None or own.source is None:
        return []
    earlier = [
        entry
        for entry in entries.values()
        if entry is not own
        and entry.packed is not None
        and entry.small is not None
        and (entry.small.slices > 1) == (opened.slices > 1)
        and entry.small.scan.kind == opened.scan.kind
        and _text(entry.small.scan.tags, "BodyPartExamined") == _text(opened.scan.tags, "BodyPartExamined")
        and is_prior(entry.source, own.source)
    ]
    view = opened.scan.tags.get("ViewPosition", "")
    return sorted(
        earlier,
        key=lambda entry: (entry.small.scan.tags.get("ViewPosition", "") == view, when(entry.source)),
        reverse=True,
    )


def prior_of(opened: OpenScan) -> Entry | None:
    """The first of `priors_of` a single picture; None where there is none, and of a volume."""
    return None if opened.slices > 1 else next(iter(priors_of(opened)), None)


def of_patient(opened: OpenScan, entry: Entry) -> bool | None:
    """Whether another open scan is of the same patient; None where nothing says so."""
    own = open_scans.scans().get(opened.id)
    return None if own is None else same_patient(own.source, entry.source)


def relation(opened: OpenScan, entry: Entry) -> str:
    """How another open scan stands to the one on show, in a few words. A date would say something of a person; the time
    between two scans does not.
    """
    same = of_patient(opened, entry)
    if not same:
        return "patient not known" if same is None else "another patient"
    days = days_before(entry.source, open_scans.scans()[opened.id].source)
    if days is None:
        return "same patient, date not known"
    if days == 0:
        return "same patient, same day"
    return f"same patient, {_span(abs(days))} {'earlier' if days > 0 else 'later'}"


def caution(opened: OpenScan, entry: Entry) -> str:
    """What has to be said before another scan is read as the prior of the one on show; "" for a prior."""
    same = of_patient(opened, entry)
    if same is None:
        return "Nothing says that these are of one patient."
    if not same:
        return "These are of two patients: the files name another one for each."
    if is_prior(entry.source, open_scans.scans()[opened.id].source):
        return ""
    return "These are of one patient, but nothing says that the one chosen as the prior is the earlier."


def _span(days: int) -> str:
    for unit, length in (("year", 365.25), ("month", 30.44), ("week", 7.0)):
        if days >= 2 * length:
            return f"{round(days / length)} {unit}s"
    return "1 day" if days == 1 else f"{days} days"


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
