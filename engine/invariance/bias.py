"""The bias report: would a model's answer change if only one attribute of the patient, or of the picture, were another?

The pictures come first. A verdict is given only where the generated pictures deserve it:
- a classifier of its own finds the value that was asked for in at least `LEAST_EFFECTIVENESS` of them (lower end of the 95 % interval,
  each value of the attribute for itself);
- the findings are still in them: the AUC of a fixed classifier moves by at most `MOST_AUC_CHANGE`;
- the null intervention, which generates a picture under the patient's own value, flips at most `MOST_NULL_FLIPS` of the tested model's
  decisions (finding by finding).
The test needs g(a, Z), the model's answer on pictures that depend on Z alone. Exact counterfactuals share all that is not the attribute,
and a model that ignores it answers alike on all of them, so their answers are taken as they are. A generator's still know which value
was the patient's own; of their answers only what Z foretells is taken.
Sizes compare two generated pictures of one patient, so that what the generator does to every picture takes no part in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.datasets.collection import Collection
from engine.invariance.fairness import equalised_odds, equality_of_opportunity
from engine.invariance.interventions import Alternatives, Interventions, Progress
from engine.invariance.regressions import as_known_from
from engine.invariance.report import CANNOT_TELL, DEPENDS, NO_SIGN, RELEVANT, Affected, BiasReport, FindingReport
from engine.invariance.statistics import FEWEST, SMALLEST_OVERLAP, InvarianceResult, holm, invariance_test
from engine.metrics.composition import composition
from engine.metrics.intervals import bootstrap, cluster_index, share_interval
from engine.metrics.measure import Measure, NotMeasurable
from engine.registry import Model

LEAST_EFFECTIVENESS, MOST_AUC_CHANGE, MOST_NULL_FLIPS = 0.80, 0.05, 0.10
LEVEL = 0.05  # of the test, after Holm's correction over the findings, and the attributes that are asked about together
COARSEST = 0.10  # where only larger changes of the probability would have been found, "no sign of it" would say too much
MOST_AFFECTED = 4  # patients that are shown for each finding
MOVED_BY_THE_PICTURES = "The pictures do move the answer, but the test cannot tell this from traces of how they were made."
MOVED_BUT_NOT_TOLD = "The pictures do move the answer, but the test does not find it in so few."
CHUNK = 32  # pictures between two steps of progress


def bias_report(
    model: Model,
    collection: Collection,
    indices: np.ndarray,
    attribute: str,
    interventions: Interventions,
    progress: Progress | None = None,
    seed: int = 0,
) -> BiasReport:
    """Tests every finding of `model` on the pictures at `indices`.

    Args:
        model: anything with findings, thresholds, believes and checkpoint.
        progress: called with (done, all) steps.

    Raises:
        ValueError: an attribute that the interventions cannot change, or that is known of no picture here.
    """
    values, indices = interventions.values_of(attribute), np.asarray(indices)
    given = len(indices)
    if attribute not in collection.attributes:
        raise ValueError(f"{collection.name} does not tell the {attribute} of its pictures here; choose another attribute.")
    indices = indices[np.isin(collection.attributes[attribute][indices], values)]
    if not len(indices):
        raise ValueError(f"no picture of {collection.name} here has a known {attribute} out of {', '.join(values)}.")
    remarks = [f"{given - len(indices)} pictures without a known {attribute} were left out."] if len(indices) < given else []
    n, steps = len(indices), len(indices) * (2 + len(values))
    step = progress or (lambda done, every: None)
    made = interventions.alternatives(collection, indices, attribute, lambda done, _: step(done, steps), seed)
    null = made.picked(made.pictures, own=True)
    believed, done = {}, n
    for value in values:
        believed[value] = _asked(model, made.pictures[value], lambda k, done=done: step(done + k, steps))
        done += n
    own = made.picked(believed, own=True)
    original = own if np.array_equal(null, made.original) else _asked(model, made.original, lambda k: step(done + k, steps))
    step(steps, steps)
    patients = collection.patients[indices]
    span = float(np.ptp(made.original)) or 1.0
    answers = _Answers(made, indices, patients, original, np.stack([believed[v] for v in values], 1), own, interventions.exact)
    truth = _truth(model, collection, indices)
    measured = [_measured(model, c, answers, truth[c], seed) for c in range(len(model.findings))]
    findings = _verdicts(measured, _poor(interventions, attribute, values), interventions.exact)
    return BiasReport(
        checkpoint=model.checkpoint.name,
        checkpoint_sha256=model.checkpoint.sha256,
        collection=collection.name,
        attribute=attribute,
        values=values,
        groups={value: int((made.factual == value).sum()) for value in values},
        n=n,
        patients=len(np.unique(patients)),
        generator=interventions.name,
        exact=interventions.exact,
        quality=tuple(interventions.quality.get(attribute, ())),
        composition=composition(made.original, null, span, f"pictures left as they are, {attribute}", patients),
        findings=tuple(findings),
        factual=made.factual,
        remarks=tuple(remarks),
    )


def bias_reports(
    model: Model,
    collection: Collection,
    indices: np.ndarray,
    attributes: Sequence[str],
    interventions: Interventions,
    progress: Progress | None = None,
    seed: int = 0,
) -> list[BiasReport]:
    """`bias_report` of several attributes, with p values corrected for the number of findings and attributes together."""
    reports = [bias_report(model, collection, indices, attribute, interventions, progress, seed) for attribute in attributes]
    if len(reports) == 1:
        return reports
    corrected = iter(holm([one.test for report in reports for one in report.findings if one.test]))
    together = []
    for report in reports:
        poor = _poor(interventions, report.attribute, report.values)
        judged = []
        for one in report.findings:
            again = replace(one, test=next(corrected), verdict=CANNOT_TELL, reason="To be judged.") if one.test else one
            judged.append(_judged(again, poor, report.exact) if one.test else one)
        together.append(replace(report, findings=tuple(judged)))
    return together


@dataclass(frozen=True)
class _Answers:
    """What the model said of n pictures: original, own (n, C), under every value (n, m, C)."""

    made: Alternatives
    indices: np.ndarray
    patients: np.ndarray
    original: np.ndarray
    under: np.ndarray
    own: np.ndarray
    exact: bool


def _asked(model: Model, pictures: np.ndarray, step: Callable[[int], None]) -> np.ndarray:
    """(n, C) in chunks, so that something moves while it takes long."""
    found = []
    for start in range(0, len(pictures), CHUNK):
        found.append(model.believes(pictures[start : start + CHUNK]))
        step(min(start + CHUNK, len(pictures)))
    return np.concatenate(found).astype(np.float64)


def _truth(model: Model, collection: Collection, indices: np.ndarray) -> list[np.ndarray | None]:
    """(n,) labels of each of the model's findings, NaN where unknown; None for one that the collection is not labelled for."""
    known = list(collection.findings)
    return [collection.labels[indices, known.index(finding)] if finding in known else None for finding in model.findings]


def _measured(model: Model, c: int, answers: _Answers, truth: np.ndarray | None, seed: int) -> FindingReport:
    """Everything about finding `c` but the verdict."""
    made, patients, n = answers.made, answers.patients, len(answers.indices)
    finding, threshold = model.findings[c], float(model.thresholds[c])
    under, own, original = answers.under[:, :, c], answers.own[:, c], answers.original[:, c]
    codes = np.array([made.values.index(str(value)) for value in made.factual])
    rows = np.arange(n)
    means = under.mean(0)
    a, b = (0, 1) if len(means) == 2 else sorted((int(means.argmin()), int(means.argmax())))
    difference = under[:, b] - under[:, a]
    stays = (under > threshold) == (own > threshold)[:, None]  # (n, m)
    flipped = 1 - (stays.sum(1) - 1) / (stays.shape[1] - 1)  # (n,) share of the other values that flip the decision
    away = np.abs(under - own[:, None])
    away[rows, codes] = -1
    strongest = away.argmax(1)
    after = under[rows, strongest]
    null_moved, null_flipped = np.abs(own - original), (own > threshold) != (original > threshold)
    subject = f"{finding} by {made.attribute}"
    test, reason = _tested(finding, answers, original, under, truth, seed)
    return FindingReport(
        finding=finding,
        threshold=threshold,
        verdict=CANNOT_TELL,
        reason=reason or "not judged yet",
        test=test,
        pair=(made.values[a], made.values[b]),
        change=_mean(f"{subject}: mean change of the probability, {made.values[a]} to {made.values[b]}", difference, patients, seed),
        flips=_share(f"{subject}: decisions that flip", flipped, patients, seed),
        eca=replace(_share(subject, 1 - flipped, patients, seed), metric="eca"),
        null_change=_mean(f"{subject}: mean |change| of the probability when nothing is changed", null_moved, patients, seed),
        null_flips=_share(f"{subject}: decisions that flip when nothing is changed", null_flipped.astype(float), patients, seed),
        before=original,
        after=after,
        affected=tuple(
            Affected(
                index=int(answers.indices[row]),
                factual=str(made.factual[row]),
                other=made.values[strongest[row]],
                original=made.original[row],
                counterfactual=made.pictures[made.values[strongest[row]]][row],
                before=float(original[row]),
                after=float(after[row]),
                null=float(own[row]),
                flips=bool(not stays[row, strongest[row]]),
            )
            for row in np.argsort(-away.max(1), kind="stable")[:MOST_AFFECTED]
        ),
    )


def _tested(
    finding: str, answers: _Answers, original: np.ndarray, under: np.ndarray, truth: np.ndarray | None, seed: int
) -> tuple[InvarianceResult | None, str]:
    """The calibrated test with the generated pictures as its g; without one, the sentence that says why."""
    made, patients = answers.made, answers.patients
    units, count = cluster_index(patients, len(under))
    few = count < FEWEST  # the test will say so
    g = under if answers.exact or few else as_known_from(made.representation, under, units, seed)
    labelled = truth is not None and np.isfinite(truth).all()
    try:
        test = invariance_test(
            original,
            made.factual,
            made.representation,
            alternatives=dict(zip(made.values, g.T, strict=True)),
            truth=truth if labelled else None,
            patients=patients,
            finding=finding,
            name=made.attribute,
            seed=seed,
        )
    except NotMeasurable as reason:
        return None, sentence(str(reason))
    if truth is None or labelled:
        return test, ""
    known = np.isfinite(truth)  # the invariance test needs no truth; the two criteria that do take the pictures that have one
    sample = original[known], made.factual[known], truth[known], patients[known]
    for name, criterion in (("opportunity", equality_of_opportunity), ("odds", equalised_odds)):
        try:
            test = replace(test, **{name: criterion(*sample)})
        except NotMeasurable as reason:
            test = replace(test, remarks=(*test.remarks, sentence(str(reason))))
    return test, ""


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return text[0].upper() + text[1:].rstrip(".") + "."


def _poor(interventions: Interventions, attribute: str, values: Sequence[str]) -> str:
    """Why these pictures can carry no verdict at all, "" where they can."""
    if interventions.exact:
        return ""
    measures = interventions.quality.get(attribute, ())
    for value in values:
        row = next((m for m in measures if m.metric == "effectiveness" and m.subject == f"{attribute} {value}"), None)
        if row is None:
            return f"Nobody measured whether pictures made under {attribute} {value} show it."
        low = row.value if row.low is None else row.low
        if low < LEAST_EFFECTIVENESS:
            return (
                f"Too few of the pictures made under {attribute} {value} show it: {row.value:.2f}, and it might be {low:.2f}, "
                f"where {LEAST_EFFECTIVENESS:.2f} is needed."
            )
    for row in measures:
        if row.metric == "effect" and row.subject.startswith("AUC of") and abs(row.value) > MOST_AUC_CHANGE:
            return f"The pictures made do not keep the findings: {row.subject} moves by {row.value:+.2f}, where {MOST_AUC_CHANGE} is allowed."
    return ""


def _verdicts(found: Sequence[FindingReport], poor: str, exact: bool) -> list[FindingReport]:
    """The same with p values corrected for their number, and each with its verdict or the reason why there is none."""
    corrected = iter(holm([one.test for one in found if one.test]))
    found = [replace(one, test=next(corrected)) if one.test else one for one in found]
    return [_judged(one, poor, exact) for one in found]


def _judged(one: FindingReport, poor: str, exact: bool) -> FindingReport:
    test, shaken = one.test, one.null_flips.value
    if poor or test is None:
        return replace(one, reason=poor or one.reason)
    if shaken > MOST_NULL_FLIPS:
        return replace(
            one, reason=f"Even with nothing changed {100 * shaken:.0f} of 100 decisions flip, where {100 * MOST_NULL_FLIPS:.0f} are allowed."
        )
    if test.corrected_p <= LEVEL:
        return replace(one, verdict=DEPENDS, reason="")
    if test.overlap < SMALLEST_OVERLAP:
        return replace(one, reason=f"The rest of the picture nearly gives {test.attribute} away (overlap {test.overlap:.2f}).")
    if one.detectable is not None and one.detectable > COARSEST:
        return replace(one, reason=f"So few pictures would only show a change of {100 * one.detectable:.0f} points or more.")
    moves = one.change.low is not None and (one.change.low > 0 or one.change.high < 0)
    if moves and one.size >= RELEVANT:  # an interval of its own beside "no sign of it" would contradict it
        return replace(one, reason=MOVED_BUT_NOT_TOLD if exact else MOVED_BY_THE_PICTURES)
    return replace(one, verdict=NO_SIGN, reason="")


def _mean(subject: str, values: np.ndarray, patients: np.ndarray, seed: int) -> Measure:
    """Mean of (n,) with patients resampled."""
    low, high = bootstrap(lambda weights: weights @ values / weights.sum(1), len(values), patients, seed=seed)
    return Measure("effect", subject, values.mean(), low, high, len(values), chance=0.0)


def _share(subject: str, values: np.ndarray, patients: np.ndarray, seed: int) -> Measure:
    """Mean of (n,) shares in [0, 1]: Wilson's interval of plain hits, else patients resampled."""
    if not np.isin(values, (0, 1)).all():
        return _mean(subject, values, patients, seed)
    low, high = share_interval(values > 0, patients)
    return Measure("effect", subject, values.mean(), low, high, len(values))
