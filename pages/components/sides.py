"""What is said above a scan whose sides contradict each other: in the file, in the picture, or in what readers saw."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from engine.laterality.chest import ChestCheck, chest_check
from engine.laterality.stated import MARKER, STATEMENTS, SeenMarker, confirmed, contradictions
from engine.review.database import UnusableStore
from engine.review.measurements import ScanFacts
from engine.review.records import Annotation
from engine.scan import Scan
from pages.components import common, desk, open_scans
from pages.components.shelf import OpenScan

KEPT = 500  # films whose answer is kept
COMPARE = "Compare with the side marker."
SETTLED = (  # stands where the suspicion stood, so that nothing moves
    "The side marker was seen where it belongs. Heart and lungs lie as in a mirrored film all the same, as with the "
    "heart on the right or one white lung."
)
_mirrored: OrderedDict[str, bool] = OrderedDict()  # by sha256: whether a film looks as mirrored films do
_lock = threading.Lock()


def say(opened: OpenScan) -> None:
    """A line on each contradiction; nothing is turned. Drawn pictures have no side that could be wrong."""
    for words in sentences(opened):
        common.line(words, "warn")


def sentences(opened: OpenScan) -> list[str]:
    """What there is to say of the sides of a single picture; none of volumes and drawn pictures."""
    if opened.drawn_by or opened.slices > 1:
        return []
    entry = open_scans.scans().get(opened.id)
    source = None if entry is None else entry.source
    stated = {} if source is None else {name: source.first.header.get(name, ()) for name in STATEMENTS}
    seen = seen_markers(_drawn(opened), opened.scan.pixels.shape[1])
    found = [f"{sentence} {COMPARE}" for sentence in contradictions(opened.scan, stated, seen)]
    check = chest_check()
    if not found and check is not None and _looks_mirrored(check, opened.scan):
        found.append(SETTLED if confirmed(opened.scan, seen) else f"{suspicion(check)} {COMPARE}")
    return found


def suspicion(check: ChestCheck) -> str:
    """What is said of a film that looks mirrored, with how often that is wrong."""
    wrong, fewest, most = (round(1000 * (1 - share)) for share in (check.specificity[index] for index in (0, 2, 1)))
    return (
        "Heart and lungs lie as in a mirrored film; so they do with the heart on the right or one white lung. Of 1000 "
        f"films that are not mirrored, {wrong} ({fewest} to {most}) are said to look so."
    )


def seen_markers(annotations: Sequence[Annotation], width: int) -> list[SeenMarker]:
    """The side markers that readers drew boxes around, see `MARKER`."""
    return [
        SeenMarker(MARKER[one.label], sum(column for _, column in one.points) / len(one.points) / width)
        for one in annotations
        if one.label in MARKER and one.points
    ]


def _drawn(opened: OpenScan) -> Sequence[Annotation]:
    try:
        return desk.desk(opened.scan.sha256, lambda: ScanFacts.of(opened.scan)).drawn
    except UnusableStore:
        return ()


def _looks_mirrored(check: ChestCheck, scan: Scan) -> bool:
    if not check.may_warn:
        return False
    with _lock:
        known = _mirrored.get(scan.sha256)
    if known is None:
        known = check.looks_mirrored(scan)
        with _lock:
            _mirrored[scan.sha256] = known
            while len(_mirrored) > KEPT:
                _mirrored.popitem(last=False)
    return known
