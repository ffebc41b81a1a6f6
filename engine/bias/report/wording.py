"""A bias report in plain words: the question, the answer with its size and interval, how far to trust it,
and the table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.bias.report.reasons import Mark, Reason, Verdict, Why
from engine.bias.report.records import BiasReport, FindingReport
from engine.bias.report.verdicts import (
    LEAST_EFFECTIVENESS,
    MOST_NULL_FLIPS,
    RESOLVED,
    findings_stay,
    of_findings,
    shifts,
    unbounded,
)
from engine.bias.statistics.fairness import TITLES
from engine.metrics.measure import Measure
from engine.metrics.subjects import MEAN

NAMES = {"view_position": "view position", "marker": "marker in the picture", "symbol": "symbol in the picture"}
OTHERWISE = {
    ("sex", "F"): "as a woman's",
    ("sex", "M"): "as a man's",
    ("view_position", "AP"): "taken AP",
    ("view_position", "PA"): "taken PA",
    ("marker", "present"): "with the marker",
    ("marker", "absent"): "without the marker",
}
SHORT = {("sex", "F"): "woman", ("sex", "M"): "man", ("marker", "present"): "marker", ("marker", "absent"): "no marker"}
HEADER = (
    "finding",
    "from, to",
    "mean change, points",
    "95 %",
    "flips of 100",
    "95 %",
    "verdict",
    "p",
    "corrected p",
    "beyond -, +margin",
    "detectable",
    "parity gap",
    "opportunity gap",
    "odds gap",
)
UNCONFIRMED = "The test on the real pictures alone does not confirm it"


def named(attribute: str) -> str:
    """The attribute as a reader knows it."""
    return NAMES.get(attribute, attribute.replace("_", " "))


def question(attribute: str) -> str:
    """What a reader asks of the report."""
    return f"Would the answer change if only the {named(attribute)} changed?"


def otherwise(attribute: str, value: str) -> str:
    """'taken PA', 'with the marker', or 'with race Black' for an attribute without words of its own."""
    return OTHERWISE.get((attribute, value), f"with {named(attribute)} {value}")


def short(attribute: str, value: str) -> str:
    """A value in a word or two, for a panel: 'PA', 'woman', 'no marker'."""
    return SHORT.get((attribute, value), value)


def _seen(report: BiasReport) -> str:
    """What a picture shows of a patient; symbols are drawn into pictures of all kinds."""
    return "patient" if report.attribute == "symbol" else "chest"


def answer(report: BiasReport) -> tuple[str, str]:
    """One sentence or two that answer the question with size and interval, and what else must be said; what moves most
    comes first.
    """
    decided = report.decided
    large = [
        result for result in decided if result.verdict == Verdict.DEPENDS and not (result.small or result.by_pictures)
    ]
    shown = [result for result in decided if result.by_pictures]
    small = [result for result in decided if result.small and not result.slight]
    slight = [result for result in decided if result.slight]
    spared = [result for result in decided if result.verdict == Verdict.NO_SIGN]
    rest, margin = [], f"{100 * report.margin:g}"
    if large:
        first = headline(report, f"Yes{', most' if len(large) > 1 else ','} for {together(large[:1])}", large[0])
        if len(large) > 1:
            rest.append(f"Also for {each(large[1:])}.")
    elif shown:
        first = headline(report, f"Yes, going by the pictures, for {together(shown)}", shown[0])
        rest.append(f"{UNCONFIRMED} (corrected p {_corrected(shown[0])}).")
    elif small:
        first = headline(report, f"A little, for {together(small[:1])}", small[0])
    elif slight:
        first = headline(report, f"Barely, for {together(slight[:1])}", slight[0])
    elif spared:
        first = headline(report, f"No sign of {_sign(spared)}, for {together(spared)}", spared[0])
    else:
        first = "These pictures do not allow an answer."
    if large and shown:
        rest.append(f"Going by the pictures also for {each(shown)}. {UNCONFIRMED}.")
    others = small if large or shown else small[1:]
    if others:
        rest.append(
            f"A little, under {margin} points of probability and under {margin} of 100 decisions, for {each(others)}."
        )
    others = slight if large or shown or small else slight[1:]
    if others:
        rest.append(f"Barely, under one point of probability and under 1 of 100 decisions, for {each(others)}.")
    if spared:
        rest.append(_spared(spared, named_already=not (large or shown or small or slight)))
        if not report.exact:
            rest.append(
                f"Generated pictures cannot show changes under {100 * RESOLVED:.0f} points of probability, or under "
                f"{100 * RESOLVED:.0f} of 100 decisions."
            )
    for reason, for_whom in _undecided_findings(report).items():
        rest.append(
            reason.words
            if len(for_whom) == len(report.findings)
            else f"{_undecided(for_whom, bool(decided))} {reason.words}"
        )
    return first, " ".join(rest)


def _undecided(for_whom: Sequence[FindingReport], others: bool) -> str:
    """Before the reason; that nothing can be told is new only where something could be told of `others`."""
    names = together(for_whom)
    return f"There is no verdict for {names}." if others else f"{names[0].upper()}{names[1:]}:"


def each(findings: Sequence[FindingReport]) -> str:
    """Every finding with its own size: 'edema (3.7 of 100 decisions change, probability +3.5 points) and
    effusion (...)'.
    """
    parts = [
        f"{result.finding.lower()} ({points(result.flips.value)} of 100 decisions change, probability "
        f"{100 * result.change.value:+.1f} points)"
        for result in findings
    ]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _undecided_findings(report: BiasReport) -> dict[Reason, list[FindingReport]]:
    """Reason -> the findings that have no verdict for it; those that would need more pictures stand together."""
    undecided = [(result, result.reason) for result in report.findings if result.reason is not None]
    few = [result for result, reason in undecided if reason.why is Why.NOT_BOUNDED]
    reasons: dict[Reason, list[FindingReport]] = {}
    for result, reason in undecided:
        reasons.setdefault(unbounded(few) if reason.why is Why.NOT_BOUNDED else reason, []).append(result)
    return reasons


def _sign(spared: Sequence[FindingReport]) -> str:
    """What there is no sign of; with an interval beside it that leaves zero out that would be too much to
    say of 'it'.
    """
    return "more than a trace" if any(result.moves() for result in spared) else "it"


def _spared(spared: Sequence[FindingReport], named_already: bool) -> str:
    whom = "" if named_already else f"For {together(spared)} no sign of {_sign(spared)} was found; "
    margin = f"{100 * spared[0].equivalence.margin:g}"
    shown = (
        f"the whole interval lies within {margin} points of probability, and under {margin} of 100 decisions change."
    )
    if not any(result.size for result in spared):
        shown = f"the probabilities did not move at all; {shown}"
    return whom + shown if whom else shown[0].upper() + shown[1:]


def headline(report: BiasReport, verdict: str, result: FindingReport) -> str:
    """The verdict, how many decisions change, and how far the probability moves: two sentences, each of one of them."""
    between = _in_brackets(result.flips)
    whose = "" if verdict.endswith(f"for {together([result])}") else f" for {together([result])}"
    return f"{verdict}: {points(result.flips.value)} of 100 decisions change{whose}{between}. {sized(report, result)}"


def sized(report: BiasReport, result: FindingReport) -> str:
    """How far the probability of one finding moves, with its interval, from the first value of its pair to the second
    as everywhere.
    """
    start, end = result.pair
    value, interval, finding = result.change.value, result.change.interval, result.finding.lower()
    changed = otherwise(report.attribute, end)
    whose = (
        f"{changed[0].upper()}{changed[1:]} instead of {_before(report.attribute, start)}, the same {_seen(report)}'s "
        f"probability of {finding}"
    )
    if interval is not None and (interval[0] > 0 or interval[1] < 0):
        ends = sorted(map(abs, interval))
        moved = (
            f"{'rises' if value > 0 else 'falls'} by {points(abs(value))} points on average ({points(ends[0])} to "
            f"{points(ends[1])})"
        )
    else:
        between = _in_brackets(result.change)
        away = points(float(np.abs(result.under[:, 1] - result.under[:, 0]).mean()))
        moved = f"moves by {away} points, up or down, and on average by {points(value)}{between}"
    return f"{whose} {moved}."


def _before(attribute: str, value: str) -> str:
    """`otherwise` as it stands after 'instead of': 'a woman's', 'without it'."""
    return otherwise(attribute, value).removeprefix("as ").replace(f" the {attribute}", " it")


def of_hundred(share: Measure) -> str:
    """'9 of 100 decisions', with the interval in brackets."""
    return f"{points(share.value)} of 100 decisions{_in_brackets(share)}"


def points(share: float) -> str:
    """0.071 as '7.1': hundredths, with one decimal."""
    return f"{100 * share + 0.0:.1f}".replace("-0.0", "0").removesuffix(".0")


def together(findings: Sequence[FindingReport]) -> str:
    """'edema, effusion and pneumonia'."""
    names = [result.finding.lower() for result in findings]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def trust(report: BiasReport) -> list[tuple[str, str, Mark]]:
    """(what, how much, what that says): whether the counterfactuals deserve trust, before any verdict."""
    if report.exact:
        return [("drawn again from the same noise", "exact", Mark.GOOD), _unchanged(report, MOST_NULL_FLIPS)]
    rows = []
    for measure in report.quality:
        between = "" if measure.low is None else f" ({measure.low:.2f} to {measure.high:.2f})"
        if measure.metric == "effectiveness":
            good = (measure.value if measure.low is None else measure.low) >= LEAST_EFFECTIVENESS
            average = measure.variant == MEAN
            asked_for = "on average" if average else otherwise(report.attribute, measure.attribute_value)
            rows.append(
                (f"look as asked, {asked_for}", f"{measure.value:.2f}{between}", Mark.GOOD if good else Mark.BAD)
            )
    for measure in of_findings(report.quality):
        between = "" if measure.low is None else f" ({measure.low:+.2f} to {measure.high:+.2f})"
        kind = {True: Mark.GOOD, False: Mark.BAD, None: Mark.QUIET}[findings_stay(measure)]
        rows.append((f"{measure.subject} moves by", f"{measure.value:+.2f}{between}", kind))
    moved = [row for result in report.findings for row in shifts(report.quality, result.finding)]
    if moved:
        worst = max(moved, key=lambda row: abs(row.value))
        kind = Mark.GOOD if abs(worst.value) <= RESOLVED else Mark.BAD
        made = (
            f"in pictures made {otherwise(report.attribute, worst.attribute_value)}, a fixed classifier's probability "
            f"of {worst.finding.lower()} moves by"
        )
        rows.append((made, f"{100 * worst.value:+.1f} points", kind))
    rows = rows or [("their quality was not measured", "", Mark.BAD)]
    moved = f"{100 * report.composition.value:.1f} % of the range"
    return [
        *rows,
        _unchanged(report, MOST_NULL_FLIPS),
        ("average change of grey level when nothing is to change", moved, Mark.QUIET),
    ]


def _unchanged(report: BiasReport, most: float) -> tuple[str, str, Mark]:
    worst = max(report.findings, key=lambda result: result.null_flips.value)
    kind = Mark.GOOD if worst.null_flips.value <= most else Mark.BAD
    whose = "" if worst.null_flips.value == 0 else f", {worst.finding.lower()}"
    return "decisions that change when nothing is changed", of_hundred(worst.null_flips) + whose, kind


def table(report: BiasReport) -> list[tuple[str, ...]]:
    """A line for each finding, what moves most first, cells as in `HEADER`."""
    return [_line(report.attribute, result) for result in report.findings]


def _line(attribute: str, result: FindingReport) -> tuple[str, ...]:
    test = result.test
    gaps = [result.associations.decisions.get(name) for name in TITLES]
    return (
        result.finding,
        " to ".join(short(attribute, value) for value in result.pair),
        f"{100 * result.change.value:+.1f}",
        _between(result.change),
        points(result.flips.value),
        _between(result.flips),
        verdict(result),
        "-" if test is None else _marked(result, p_value(test.p_value)),
        "-" if test is None or test.corrected_p is None else _marked(result, p_value(test.corrected_p)),
        _marked(result, one_sided(result)),
        "-" if result.detectable is None else points(result.detectable),
        *("-" if gap is None else f"{gap.gap:.2f}" for gap in gaps),
    )


def _marked(result: FindingReport, p: str) -> str:
    """A p value, in brackets where nothing can be told of the finding: it is then no evidence."""
    return f"({p})" if result.verdict == Verdict.CANNOT_TELL else p


def one_sided(result: FindingReport) -> str:
    """Both one-sided p values: of a change of -margin or less, and of margin or more."""
    return f"{p_value(result.equivalence.p_below)}, {p_value(result.equivalence.p_above)}"


def verdict(result: FindingReport) -> str:
    """The verdict of one finding, with what must be said beside it."""
    return f"{result.verdict}, {result.how}" if result.how else result.verdict


def p_value(p: float) -> str:
    """With two decimals, more of a small one."""
    return "<0.0001" if p < 1e-4 else f"{p:.4f}" if p < 0.01 else f"{p:.2f}"


def _corrected(result: FindingReport) -> str:
    """The corrected p value of the test; "unknown" without one."""
    p = None if result.test is None else result.test.corrected_p
    return "unknown" if p is None else p_value(p)


def _between(measure: Measure) -> str:
    return "-" if (ends := measure.interval) is None else f"{points(ends[0])} to {points(ends[1])}"


def _in_brackets(measure: Measure) -> str:
    """' (2 to 9)', points of 100, or nothing without an interval."""
    return "" if measure.interval is None else f" ({_between(measure)})"
