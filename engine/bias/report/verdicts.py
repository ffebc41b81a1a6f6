"""When a verdict may be given: first how good the pictures are, then what the test says of each finding.

A verdict is given only where the generated pictures deserve it:
- a classifier of its own finds the value that was asked for in at least `LEAST_EFFECTIVENESS` of them (lower end of the
  95 % interval, each value of the attribute for itself);
- the finding that was asked about is still in them, see `findings_stay`; where the generator does not know that
  finding, all that it knows;
- the null intervention, which generates a picture under the patient's own value, flips at most `MOST_NULL_FLIPS` of the
  tested model's decisions (finding by finding).

Then a dependence is told where the calibrated test finds it, which needs no trust in how the pictures were made, or
where the pictures themselves show it beyond what generated pictures resolve, see `resolved`. "No sign of it" is told
where the same intervals, of the mean change and of the decisions that flip, lie within the margin of an equivalence
test; where neither holds nothing can be told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from engine.bias.interventions import Interventions
from engine.bias.report.family import Question
from engine.bias.report.reasons import Reason, Verdict, Why
from engine.bias.report.records import LEVEL, FindingReport
from engine.bias.statistics.dependence import detectable_among
from engine.bias.statistics.summary import SMALLEST_OVERLAP, holm_corrected
from engine.metrics.measure import Measure
from engine.metrics.subjects import Variant

LEAST_EFFECTIVENESS, MOST_AUC_CHANGE, MOST_NULL_FLIPS = 0.80, 0.05, 0.10
# Mean changes, or shares of decisions, that generated pictures tell from traces of how they were made; see
# `phantom_study`
RESOLVED = 0.05
NOT_CONFIRMED = Reason(
    Why.NOT_CONFIRMED,
    "The answer changes with the pictures, but the test cannot separate this from traces of how they were made.",
)
TOO_FEW = Reason(Why.TOO_FEW, "The answer changes with the pictures, but there are too few for the test to find it.")


def of_findings(quality: Sequence[Measure]) -> list[Measure]:
    """The rows that say by how much the AUC of a finding changes from the originals to the generated pictures."""
    return [row for row in quality if row.metric == "effect" and row.variant == Variant.AUC]


def findings_stay(row: Measure) -> bool | None:
    """Whether a finding is as well seen in the generated pictures as in the originals.

    A change of its AUC may be `MOST_AUC_CHANGE` either way. True where the whole 95 % interval lies within that; False
    where all of it lies beyond, or its value beyond twice as much. None where the interval reaches over the limit: the
    sample is too small to say, which bars no verdict and is said beside it. Without an interval the value stands for
    it.
    """
    low, high = row.interval or (row.value, row.value)
    if low >= -MOST_AUC_CHANGE and high <= MOST_AUC_CHANGE:
        return True
    if low > MOST_AUC_CHANGE or high < -MOST_AUC_CHANGE or abs(row.value) > 2 * MOST_AUC_CHANGE:
        return False
    return None


def shifts(quality: Sequence[Measure], finding: str) -> list[Measure]:
    """The rows that say by how much the fixed classifier's probability of `finding` moves from the originals to the
    generated pictures, on average, for each value that they were made under.
    """
    wanted = ("effect", Variant.PROBABILITY, finding)
    return [row for row in quality if (row.metric, row.variant, row.finding) == wanted]


def resolved(quality: Sequence[Measure], finding: str) -> float | None:
    """Above which mean change, or share of decisions, generated pictures speak for themselves: `RESOLVED`, or the
    largest of the `shifts`, in which what making a picture leaves in it that looks like more or less of `finding` is
    seen. None where these were not measured.
    """
    rows = shifts(quality, finding)
    return max((RESOLVED, *(abs(row.value) for row in rows))) if rows else None


def doubts(quality: Sequence[Measure], tested_findings: Sequence[str]) -> list[str]:
    """Sentences for the untested findings that fade in the pictures, and for those of which too little is known.

    Args:
        tested_findings: the tested model's findings; what fades of them is the reason of their verdicts.
    """
    rows, said = of_findings(quality), []
    faded = [row for row in rows if findings_stay(row) is False and row.finding not in tested_findings]
    if faded:
        said.append(
            "The counterfactuals do not keep every finding: "
            f"{', '.join(f'{row.subject} moves by {row.value:+.2f}' for row in faded)}, where {MOST_AUC_CHANGE} is "
            "allowed. A model that uses one of these as a sign of another finding would seem to depend on the "
            "attribute."
        )
    unknown = [
        f"{row.subject} moves by {row.value:+.2f} ({row.low:+.2f} to {row.high:+.2f})"
        for row in rows
        if findings_stay(row) is None
    ]
    if unknown:
        said.append(
            f"How far the findings stay in the pictures made is not known well enough: {', '.join(unknown)}, where "
            f"{MOST_AUC_CHANGE} is allowed."
        )
    return said


def measured_quality(interventions: Interventions, collection: str, attribute: str) -> Sequence[Measure]:
    """How good its pictures of this collection are; nothing where another collection's were measured."""
    return interventions.quality.get(attribute, ()) if interventions.collection in (None, collection) else ()


def poor(
    interventions: Interventions, collection: str, attribute: str, values: Sequence[str], finding: str
) -> Reason | None:
    """Why these pictures of `collection` can carry no verdict about `finding`; None where they can."""
    if interventions.exact:
        return None
    if interventions.collection not in (None, collection):
        return Reason(Why.QUALITY_UNKNOWN, f"The quality of its pictures of {collection} was not measured.")
    measures = measured_quality(interventions, collection, attribute)
    for value in values:
        row = next(
            (m for m in measures if (m.metric, m.attribute, m.attribute_value) == ("effectiveness", attribute, value)),
            None,
        )
        if row is None:
            words = f"Whether pictures made under {attribute} {value} show it was not measured."
            return Reason(Why.QUALITY_UNKNOWN, words)
        low = row.value if row.low is None else row.low
        if low < LEAST_EFFECTIVENESS:
            return Reason(
                Why.NOT_EFFECTIVE,
                f"Too few of the pictures made under {attribute} {value} show it: {row.value:.2f}, and it might be "
                f"{low:.2f}, where {LEAST_EFFECTIVENESS:.2f} is needed.",
            )
    rows = of_findings(measures)
    for row in [row for row in rows if row.finding == finding] or rows:
        if findings_stay(row) is False:
            return Reason(
                Why.FINDINGS_FADE,
                f"The counterfactuals do not keep the findings: {row.subject} moves by {row.value:+.2f}, where "
                f"{MOST_AUC_CHANGE} is allowed.",
            )
    return None


def verdicts(found: Sequence[FindingReport], exact: bool, asked_before: Sequence[Question] = ()) -> list[FindingReport]:
    """The same with p values corrected for the whole family, and each with its verdict or the reason why there is none.

    Args:
        found: of one attribute or of several that are asked about together.
        exact: whether the pictures are true counterfactuals.
        asked_before: what was asked of the same checkpoint on the same collection before, in whatever report.
    """
    return [
        _judged(result, exact)
        for result in corrected(found, [p for question in asked_before for p in question.p_values])
    ]


def corrected(found: Sequence[FindingReport], beside: Sequence[float]) -> list[FindingReport]:
    """The same with Holm's correction over all their hypotheses and those `beside` them."""
    after = iter(holm_corrected([*(p for result in found for p in result.p_values), *beside]))
    m, every = sum(len(result.p_values) for result in found) + len(beside), []
    for result in found:
        p = [next(after) for _ in result.p_values]
        if result.test:
            seen = (
                None
                if result.test.detectable is None
                else detectable_among(result.test.detectable, result.test.together, m)
            )
            result = replace(
                result,
                test=replace(result.test, corrected_p=p[0], detectable=seen, together=m),
                shown_corrected_p=p[1] if len(p) > 1 else None,
            )
        every.append(result)
    return every


def _judged(result: FindingReport, exact: bool) -> FindingReport:
    if result.poor or result.test is None:
        return replace(result, verdict=Verdict.CANNOT_TELL, reason=result.poor or result.reason)
    shaken = result.null_flips.value
    if shaken > MOST_NULL_FLIPS:
        reason = Reason(
            Why.NULL_FLIPS,
            f"Even with nothing changed {100 * shaken:.0f} of 100 decisions change, where {100 * MOST_NULL_FLIPS:.0f} "
            "are allowed.",
        )
        return replace(result, verdict=Verdict.CANNOT_TELL, reason=reason)
    by_test, by_pictures = result.test.corrected_p, result.shown_corrected_p
    if by_test is None:
        raise ValueError(f"the p value of {result.finding} is not corrected for its family yet")
    if by_test <= LEVEL or (by_pictures is not None and by_pictures <= LEVEL):
        return replace(result, verdict=Verdict.DEPENDS, reason=None)
    reason = _silence(result, exact)
    return replace(result, verdict=Verdict.CANNOT_TELL if reason else Verdict.NO_SIGN, reason=reason)


def _silence(result: FindingReport, exact: bool) -> Reason | None:
    """Why nothing that was found does not mean nothing there; None where it does."""
    test = result.test
    if test is not None and test.overlap < SMALLEST_OVERLAP:
        words = f"The rest of the picture nearly determines {test.attribute} (overlap {test.overlap:.2f})."
        return Reason(Why.LITTLE_OVERLAP, words)
    if result.within_margin:
        return None
    if result.moves() and result.size >= result.equivalence.margin:
        return TOO_FEW if exact else NOT_CONFIRMED
    return unbounded([result])


def unbounded(findings: Sequence[FindingReport]) -> Reason:
    """Why nothing is told of these findings, of which one margin is asked: how large their changes may be after all."""
    ends = sorted({min(100, math.ceil(100 * (result.largest_possible_change or 1.0) - 1e-9)) for result in findings})
    range_of_changes = " to ".join(map(str, dict.fromkeys((ends[0], ends[-1]))))
    return Reason(
        Why.NOT_BOUNDED,
        f"The change may be as large as {range_of_changes} of 100; changes of up to "
        f"{100 * findings[0].equivalence.margin:g} of 100 are called too small to matter.",
    )
