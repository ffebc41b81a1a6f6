"""What stands beside a bias report's answer: who was asked how, what is assumed and what was done to test it, and what
each number is.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.bias.report import wording as answers
from engine.bias.report.family import hypotheses
from engine.bias.report.records import LEVEL, BiasReport, FindingReport
from engine.bias.report.wording import named, of_hundred, short
from engine.bias.statistics.equivalence import Trace
from engine.bias.statistics.fairness import TITLES
from engine.metrics.measure import Measure
from engine.shortcuts import SYMBOL, both_numbers
from engine.tables import number

TEST = (
    "p is a p value. If the answer did not depend on the attribute once everything else that is known of each picture "
    "(Z) is taken into account, a difference as large as the one found would come about by chance with this "
    "probability. A small p speaks for a dependence; a large one proves nothing. Asking several questions makes a "
    "chance find likelier: the corrected p allows for all that were asked together (Holm's correction), and verdicts "
    "rest on it. The test is two-sided and calibrated: counterfactual invariance by randomisation (CIT-LR)."
)
EXACT = (
    "With exact counterfactuals p speaks against no change at all: it says how many patients were asked, not how much "
    "the answer moves."
)
PICKED = (
    "Each finding's change is between the two values that lie furthest apart; its interval is widened for having "
    "picked them."
)
UNTOLD = "A p in brackets is no evidence: nothing can be told of that finding."
DETECTABLE = (
    "Detectable is the typical (root mean square) change in points that the test would have found in 4 of 5 such "
    "samples."
)
GAPS = (
    "Parity, opportunity and odds gaps compare the decisions of groups of different patients, on the pictures as they "
    "are. They cannot separate the attribute from the illness. They are shown because reports of fairness ask for them."
)
SMALL_PRINT = {
    "E Var(g | Z)": "g is the model's expected answer given Z under each value of the attribute. Its variance over "
    "the values, averaged over patients: 0 for a model that ignores the attribute, at most 0.25.",
    "Overlap": "E Var(A | Z) / Var(A): 1 where Z says nothing about the attribute A, 0 where Z determines A and "
    "nothing can be tested.",
    "eca": "Expected counterfactual accuracy: the share of decisions that stay.",
    "Paired t-test": "The test that the paper prints. Its p values are not calibrated, and no verdict rests on them.",
    "... of the mean probability": "The same gap of the groups' mean probabilities, which says nothing about "
    "decisions.",
}


def facts(report: BiasReport) -> list[tuple[str, str]]:
    """(what, how it was here): all that somebody needs who is to repeat the report or to judge it."""
    films = (
        f"{report.n} pictures of {report.patients} patients"
        if report.patients != report.n
        else f"{report.n} patients, one picture each"
    )
    groups = ", ".join(f"{short(report.attribute, value)} {count}" for value, count in report.groups.items())
    same = "the same picture" if report.attribute == SYMBOL else "the same drawing from the same noise"
    exact = f", exact: {same}" if report.exact else ""
    overlap = (
        "not known, since no test could be done"
        if report.overlap is None
        else f"{report.overlap:.2f} (1: Z says nothing about it; 0: Z determines it)"
    )
    return [
        (
            "Model",
            f"{report.checkpoint}; sha256 of its weights {report.checkpoint_sha256[:16]}, of weights and "
            f"configuration {report.checkpoint_identity[:16]}",
        ),
        ("Pictures", f"{report.data}; part {report.split}; {films}: {groups}"),
        ("Counterfactuals by", f"{report.generator}{exact}"),
        ("Date and seed", f"{report.date} (UTC), seed {report.seed}"),
        (
            "Level",
            f"{LEVEL:g} after Holm's correction; intervals cover 95 %, patients taken together; margin "
            f"{100 * report.margin:g} of 100",
        ),
        ("Questions asked", family(report)),
        (f"Overlap of {named(report.attribute)} and Z", overlap),
    ]


def family(report: BiasReport) -> str:
    """What p values were corrected together."""
    attributes = ", ".join(
        f"{named(result.attribute)} ({result.n} pictures, {result.generator})" for result in report.family
    )
    m = hypotheses(report.family)
    counted = "1 p value" if m == 1 else f"{m} p values corrected together"
    return f"{counted}, of all that was asked of this checkpoint on this data set in one session or call: {attributes}"


def assumption(report: BiasReport) -> tuple[str, str]:
    """What the verdicts assume, in one sentence, and what was done to test it."""
    if report.exact and report.attribute == SYMBOL:
        return (
            "These counterfactuals are exact: the other symbol is drawn into the same picture, so nothing has to be "
            "assumed about the pictures.",
            "The result holds for this symbol on these pictures. It does not say what else beside the lesion moves the "
            "answer.",
        )
    if report.exact:
        assumed = (
            "These counterfactuals are exact: the phantom draws the same patient again, with another "
            f"{named(report.attribute)}, so nothing has to be assumed about the pictures."
        )
        return assumed, "The result holds for drawn films. It does not say how the model answers on patients."
    assumed = (
        f"The verdicts assume that what is known of each picture but the {named(report.attribute)} (Z) accounts for "
        "every other difference between the groups (an adjustment set), and that making a picture leaves the same "
        "trace in it under a patient's own value as under another."
    )
    overlap = (
        ""
        if report.overlap is None
        else f" Z and the {named(report.attribute)} overlap by {report.overlap:.2f} (1 is full)."
    )
    return assumed, f"{_traces(report)}{overlap} Whether Z holds everything that matters cannot be tested."


def _traces(report: BiasReport) -> str:
    """How large the generator's traces are, and that they are subtracted."""
    traces = [(result.finding, trace) for result in report.findings for trace in result.traces if trace.low is not None]
    if not traces:
        return "Pictures that were made under each patient's own value left the answers as they were."
    finding, trace = max(traces, key=lambda pair: abs(pair[1].points))
    return (
        "To test it, every picture was also made under the patient's own value: what this moves the answer by is the "
        "trace, which is subtracted and whose uncertainty widens every interval. In pictures made "
        f"{answers.otherwise(report.attribute, trace.value)} it is largest for {finding.lower()}: "
        f"{100 * trace.points:+.1f} points ({trace.shift:+.2f} log-odds, {trace.low:+.2f} to {trace.high:+.2f}). With "
        f"nothing changed {of_hundred(_worst(report))} change all the same."
    )


def _worst(report: BiasReport) -> Measure:
    return max((result.null_flips for result in report.findings), key=lambda share: share.value)


def trace_words(trace: Trace, attribute: str) -> str:
    """A trace in a cell: 'under F +0.05 (0.01 to 0.09)', in log-odds."""
    between = "" if trace.low is None else f" ({trace.low:+.2f} to {trace.high:+.2f})"
    return f"{short(attribute, trace.value)} {trace.shift:+.2f}{between}"


def columns(report: BiasReport, points: bool = True) -> str:
    """What the table's columns are, and when a decision flips; with the operating points, unless they stand
    elsewhere.
    """
    margin = f"{100 * report.margin:g}"
    equal = (
        f"'Beyond -{margin}, +{margin}' are the two one-sided tests of the mean change against the margin: where both "
        f"p are at most 0.025 its 95 % interval lies within {margin} points. 'No sign of it' is said only where the "
        "intervals of the change and of the flips do; it never rests on a large p."
    )
    crossed = (
        f": {', '.join(f'{result.finding.lower()} {number(result.threshold)}' for result in report.findings)}"
        if points
        else ""
    )
    flips = f"A decision changes (flips) where the probability crosses the finding's operating point{crossed}."
    untold = [UNTOLD] if len(report.decided) < len(report.findings) else []
    detectable = [DETECTABLE] if any(result.detectable is not None for result in report.findings) else []
    return " ".join(
        [
            TEST,
            *([EXACT] if report.exact else detectable),
            *untold,
            equal,
            *([PICKED] if len(report.values) > 2 else []),
            flips,
            GAPS,
            *missing(report),
        ]
    )


def missing(report: BiasReport) -> list[str]:
    """Why gaps are not there: one sentence for each reason, with the gaps and the findings that it is the
    reason for.
    """
    reasons: dict[str, dict[str, list[str]]] = {}
    for result in report.findings:
        for name, reason in result.associations.missing.items():
            reasons.setdefault(reason, {}).setdefault(result.finding.lower(), []).append(TITLES[name])
    said = []
    for reason, whose in reasons.items():
        gaps = _and(list(dict.fromkeys(title for titles in whose.values() for title in titles)))
        said.append(f"No {gaps} for {_and(list(whose))}: {reason[0].lower()}{reason[1:]}")
    return said


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def map_and_answer(report: BiasReport) -> list[str]:
    """Where the model's card holds its map against a marker: that number and the answer's together, a
    sentence a finding.
    """
    return both_numbers([*report.maps, *(row for result in report.findings for row in (result.change, result.flips))])


def said_beside(report: BiasReport) -> list[str]:
    """All sentences that a reader must see beside the answer: remarks, and what a map alone does not prove."""
    return [*map_and_answer(report), *report.remarks]


def axis_limit(report: BiasReport) -> float:
    """Where the axis of the intervals ends on both sides, in [0.02, 1]: beyond all of them, and beyond the margin."""
    ends = [
        abs(end)
        for result in report.findings
        for end in (result.change.low, result.change.high, result.change.value)
        if end is not None
    ]
    return min(1.0, max(0.02, report.margin, *ends) * 1.08)


def caption(report: BiasReport, result: FindingReport) -> str:
    """The interval of one finding in words, for those who cannot see the drawing."""
    between = (
        "" if (ends := result.change.interval) is None else f", {answers.points(ends[0])} to {answers.points(ends[1])}"
    )
    start, end = (short(report.attribute, value) for value in result.pair)
    return (
        f"Mean change for {result.finding.lower()}, {start} to {end}: {answers.points(result.change.value)} "
        f"points{between}"
    )
