"""A marker that goes along with a finding: whether the model's map lies on it, and whether its answer changes with it,
always together.

A map that is free of the marker is no proof that the answer is: the classifier may take from a faint trace, or from
elsewhere in the picture, what its strongest places do not show.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.metrics.measure import Measure, between
from engine.metrics.subjects import CHANGE, FLIPS, MEAN_MOVE

MARKER, PAIR = "marker", ("absent", "present")  # the attribute, and its values in the order of the change
SYMBOL = "symbol"  # the attribute of pictures that all carry one, in one form or the other
MAP_ROWS = {MARKER: "confounder_sensitivity", SYMBOL: "cam_precision"}  # attribute: the measure of a map beside it
SMALL_MOVE = 0.02  # of decisions, and of the probability: less is no dependence worth a warning
NO_PROOF = "A map without the marker does not prove that the answer does not depend on it."
NO_PROOF_SYMBOL = "A map inside the marked region does not prove that the answer does not depend on the symbol."


def both_numbers(rows: Sequence[Measure], findings: Sequence[str] | None = None) -> list[str]:
    """One sentence for each finding whose map was held against a marker: what of the marker it covers, and how far the
    answer moves.

    Args:
        rows: of a card, an evaluation or a bias report, or of several of them, the ones that count first.
        findings: those that are asked about; None for all.
    """
    said = _of_symbols(rows, findings)
    for row in rows:
        if row.metric != "confounder_sensitivity" or (findings is not None and row.finding not in findings):
            continue
        change = _row(rows, row.finding, CHANGE, between(*PAIR))
        map_is = (
            f"the strongest tenth of the map (class centre) covers {100 * row.value:.0f} % of the marker (confounder "
            f"sensitivity {row.value:.3f})"
        )
        said.append(f"Marker and {row.finding.lower()}: {map_is}, and {_moved(row.finding, change, rows)}.")
        if change is not None and row.value < (row.chance or 0.0) and _moves(change):
            said[-1] += f" {NO_PROOF}"
    return said


def _of_symbols(rows: Sequence[Measure], findings: Sequence[str] | None) -> list[str]:
    """The same of a symbol that every picture carries in one form or the other: how much of where the classifier looks
    is what experts marked, and how far the symbol alone moves the answer.
    """
    said = []
    for row in rows:
        if row.metric != "cam_precision" or row.variant or (findings is not None and row.finding not in findings):
            continue
        flips = _row(rows, row.finding, FLIPS, attribute=SYMBOL)
        moved = _row(rows, row.finding, MEAN_MOVE, attribute=SYMBOL)
        if flips is None and moved is None:
            continue
        map_is = (
            f"{100 * row.value:.0f} % of where the classifier looks lies in the marked region (CAM precision "
            f"{row.value:.3f})"
        )
        parts = []
        if moved is not None:
            parts.append(f"the probability moves by {100 * moved.value:.1f} points{_interval(moved)} on average")
        if flips is not None:
            parts.append(f"{100 * flips.value:.1f} of 100 decisions flip{_interval(flips)}")
        said.append(
            f"Symbol and {row.finding.lower()}: {map_is}, and {' and '.join(parts)} when the symbol alone changes."
        )
        moves = [share.value for share in (flips, moved) if share is not None]
        if row.value > 0.5 and max(moves) > SMALL_MOVE:
            said[-1] += f" {NO_PROOF_SYMBOL}"
    return said


def _moved(finding: str, change: Measure | None, rows: Sequence[Measure]) -> str:
    if change is None:
        return "how far the answer moves with the marker was not measured"
    flips = _row(rows, finding, FLIPS)
    flipped = "" if flips is None else f" and {100 * flips.value:.1f} of 100 decisions flip{_interval(flips)}"
    return (
        f"the probability moves by {100 * change.value:+.1f} points{_interval(change)}{flipped} when the marker alone "
        "is burned in"
    )


def _interval(row: Measure) -> str:
    return "" if row.low is None or row.high is None else f" ({100 * row.low:.1f} to {100 * row.high:.1f})"


def _moves(change: Measure) -> bool:
    """Whether the interval leaves zero out."""
    return change.low is not None and change.high is not None and (change.low > 0 or change.high < 0)


def _row(
    rows: Sequence[Measure], finding: str, variant: str, value: str = "", attribute: str = MARKER
) -> Measure | None:
    wanted = ("effect", finding, attribute, value, variant, "")
    return next((row for row in rows if row.about == wanted), None)
