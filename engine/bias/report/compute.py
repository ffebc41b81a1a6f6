"""The bias report: would a model's answer change if only one attribute of the patient, or of the picture, were another?

Whether the pictures deserve a verdict, and which one the numbers give, is said in `verdicts`.
The test needs g(a, Z), the model's answer on pictures that depend on Z alone. Exact counterfactuals share all that is
not the attribute, and a model that ignores it answers alike on all of them, so their answers are taken as they are. A
generator's still know which value was the patient's own; of their answers only what Z foretells is taken.
Sizes compare two generated pictures of one patient, and what the generator leaves in pictures under each value, as the
null interventions show it, is subtracted from the answers first (`equivalence`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np

from engine.bias.interventions import Counterfactuals, Interventions, Progress
from engine.bias.report.family import Question
from engine.bias.report.family import shown as shown_by
from engine.bias.report.reasons import NOT_JUDGED, Reason, Verdict, Why
from engine.bias.report.records import Affected, BiasReport, FindingReport
from engine.bias.report.verdicts import RESOLVED, doubts, measured_quality, poor, resolved, verdicts
from engine.bias.statistics.equivalence import MARGIN, mean_change, subtract_traces
from engine.bias.statistics.fairness import associations
from engine.bias.statistics.regressions import as_known_from
from engine.bias.statistics.summary import FEWEST, InvarianceResult, invariance_test
from engine.datasets.collection import Collection
from engine.metrics.composition import composition
from engine.metrics.intervals import DRAWS, bootstrap, cluster_index, share_interval
from engine.metrics.measure import Measure, NotMeasurable, between
from engine.metrics.subjects import CHANGE, FLIPS, NULL_CHANGE, NULL_FLIPS, Variant
from engine.shortcuts import MAP_ROWS

MOST_AFFECTED = 4  # patients that are shown for each finding
CHUNK = 32  # pictures between two steps of progress
PARTS = 1000  # of the progress of several attributes together


class AskedModel(Protocol):
    """What a report asks of a model; `engine.registry.Model` has it."""

    @property
    def findings(self) -> Sequence[str]: ...

    @property
    def thresholds(self) -> np.ndarray: ...

    @property
    def checkpoint(self) -> Any: ...

    def predict_proba(self, scans: Any, /) -> np.ndarray: ...


def bias_report(
    model: AskedModel,
    collection: Collection,
    indices: np.ndarray,
    attribute: str,
    interventions: Interventions,
    progress: Progress | None = None,
    seed: int = 0,
    margin: float = MARGIN,
    split: str = "all",
) -> BiasReport:
    """Tests every finding of `model` on the pictures at `indices`, as a family of its own.

    Args:
        model: anything with findings, thresholds, predict_proba and checkpoint; with `preprocessing`, it is shown films
            of that size.
        progress: called with (done, all) steps.
        margin: below which a mean change of the probability, or a share of decisions, is too small to matter.
        split: the part of the collection that the pictures are from, for the report.

    Raises:
        ValueError: an attribute that the interventions cannot change, or that is known of no picture here.
    """
    return judged(
        [measured_report(model, collection, indices, attribute, interventions, progress, seed, margin, split)]
    )[0]


def measured_report(
    model: AskedModel,
    collection: Collection,
    indices: np.ndarray,
    attribute: str,
    interventions: Interventions,
    progress: Progress | None = None,
    seed: int = 0,
    margin: float = MARGIN,
    split: str = "all",
) -> BiasReport:
    """`bias_report` before any p value is corrected and any verdict given, which `judged` does: all that takes long."""
    values, indices = interventions.values_of(attribute), np.asarray(indices)
    given = len(indices)
    if attribute not in collection.attributes:
        raise ValueError(
            f"{collection.name} does not tell the {attribute} of its pictures here; choose another attribute."
        )
    indices = indices[np.isin(collection.attributes[attribute][indices], values)]
    if not len(indices):
        raise ValueError(f"no picture of {collection.name} here has a known {attribute} out of {', '.join(values)}.")
    remarks = (
        [f"{given - len(indices)} pictures without a known {attribute} were left out."] if len(indices) < given else []
    )
    n, steps = len(indices), len(indices) * (2 + len(values))
    step = progress or (lambda done, every: None)
    made = interventions.counterfactuals(
        collection, indices, attribute, lambda done, _: step(done, steps), seed, size_for(model)
    )
    null = made.picked(made.pictures, own=True)
    believed, done = {}, n
    for value in values:
        believed[value] = _probabilities_of(model, made.pictures[value], lambda k, done=done: step(done + k, steps))
        done += n
    own = made.picked(believed, own=True)
    original = (
        own
        if np.array_equal(null, made.original)
        else _probabilities_of(model, made.original, lambda k: step(done + k, steps))
    )
    step(steps, steps)
    patients = collection.patients[indices]
    span = float(np.ptp(made.original)) or 1.0
    answers = _Answers(
        made, indices, patients, original, np.stack([believed[v] for v in values], 1), own, interventions.exact
    )
    truth = _truth(model, collection, indices)
    quality = measured_quality(interventions, collection.name, attribute)
    why = [poor(interventions, collection.name, attribute, values, finding) for finding in model.findings]
    limits = [RESOLVED if interventions.exact else resolved(quality, finding) for finding in model.findings]
    measured = [_measured(model, c, answers, truth[c], seed, margin) for c in range(len(model.findings))]
    return BiasReport(
        checkpoint=model.checkpoint.name,
        checkpoint_sha256=model.checkpoint.sha256,
        checkpoint_identity=model.checkpoint.identity,
        collection=collection.name,
        data=collection.description,
        split=split,
        seed=seed,
        date=datetime.now(UTC).date().isoformat(),
        attribute=attribute,
        values=values,
        groups={value: int((made.factual == value).sum()) for value in values},
        n=n,
        patients=len(np.unique(patients)),
        generator=interventions.name,
        exact=interventions.exact,
        quality=tuple(quality),
        composition=replace(
            composition(made.original, null, span, groups=patients), attribute=attribute, variant=Variant.LEFT_ALONE
        ),
        findings=tuple(
            replace(result, poor=reason, limit=limit)
            for result, reason, limit in zip(measured, why, limits, strict=True)
        ),
        factual=made.factual,
        remarks=(*remarks, *doubts(quality, model.findings)),
        maps=tuple(row for row in model.checkpoint.metrics.rows if row.metric == MAP_ROWS.get(attribute)),
    )


def bias_reports(
    model: AskedModel,
    collection: Collection,
    indices: np.ndarray,
    attributes: Sequence[str],
    interventions: Interventions,
    progress: Progress | None = None,
    seed: int = 0,
    margin: float = MARGIN,
    split: str = "all",
) -> list[BiasReport]:
    """`bias_report` of several attributes, which are one family."""
    reports = []
    for place, attribute in enumerate(attributes):

        def within(done: int, every: int, place: int = place) -> None:
            if progress:
                progress(round(PARTS * (place + done / every) / len(attributes)), PARTS)

        within_attribute = within if progress else None
        reports.append(
            measured_report(model, collection, indices, attribute, interventions, within_attribute, seed, margin, split)
        )
    return judged(reports)


def judged(reports: Sequence[BiasReport], asked_before: Sequence[Question] = ()) -> list[BiasReport]:
    """Reports of one checkpoint on one collection, each finding with its verdict, p values corrected for all of them
    together.

    Args:
        asked_before: what else was asked of this checkpoint on this collection: the `question` of its reports.

    Raises:
        ValueError: reports of several checkpoints or collections, which are several families.
    """
    if len({(report.checkpoint_identity, report.collection) for report in reports}) > 1:
        raise ValueError("a family holds reports of one checkpoint on one collection")
    family, after = (*asked_before, *(report.question for report in reports)), []
    for k, report in enumerate(reports):
        others = [*asked_before, *(other.question for j, other in enumerate(reports) if j != k)]
        after.append(replace(report, findings=tuple(verdicts(report.findings, report.exact, others)), family=family))
    return after


def size_for(model: AskedModel) -> int | None:
    """Side in pixels of the films that `model` looks at; None where it does not say so, and takes whatever
    it is shown.
    """
    preprocessing = getattr(model, "preprocessing", None)
    return None if preprocessing is None else preprocessing.size


@dataclass(frozen=True)
class _Answers:
    """What the model said of n pictures: original, own (n, C), under every value (n, m, C)."""

    made: Counterfactuals
    indices: np.ndarray
    patients: np.ndarray
    original: np.ndarray
    under: np.ndarray
    own: np.ndarray
    exact: bool


def _probabilities_of(model: AskedModel, pictures: np.ndarray, step: Callable[[int], None]) -> np.ndarray:
    """(n, C) in chunks, so that something moves while it takes long."""
    found = []
    for start in range(0, len(pictures), CHUNK):
        found.append(model.predict_proba(pictures[start : start + CHUNK]))
        step(min(start + CHUNK, len(pictures)))
    return np.concatenate(found).astype(np.float64)


def _truth(model: AskedModel, collection: Collection, indices: np.ndarray) -> list[np.ndarray | None]:
    """(n,) labels of each of the model's findings, NaN where unknown; None for one that the collection is
    not labelled for.
    """
    known = list(collection.findings)
    return [
        collection.labels[indices, known.index(finding)] if finding in known else None for finding in model.findings
    ]


def _measured(
    model: AskedModel, c: int, answers: _Answers, truth: np.ndarray | None, seed: int, margin: float
) -> FindingReport:
    """Everything about finding `c` but the verdict."""
    made, patients, n = answers.made, answers.patients, len(answers.indices)
    finding, threshold = model.findings[c], float(model.thresholds[c])
    shown, null, original = answers.under[:, :, c], answers.own[:, c], answers.original[:, c]
    codes = np.array([made.values.index(str(value)) for value in made.factual])
    rows = np.arange(n)
    subtracted = subtract_traces(shown, original, codes, made.values, patients)
    under = subtracted.answers
    own, means = under[rows, codes], under.mean(0)
    a, b = (0, 1) if len(means) == 2 else sorted((int(means.argmin()), int(means.argmax())))
    pairs = math.comb(len(means), 2)  # out of which this one is picked
    stays = (under > threshold) == (own > threshold)[:, None]  # (n, m)
    flipped = 1 - (stays.sum(1) - 1) / (stays.shape[1] - 1)  # (n,) share of the other values that flip the decision
    away = np.abs(under - own[:, None])
    away[rows, codes] = -1
    strongest = away.argmax(1)
    null_moved, null_flipped = np.abs(null - original), (null > threshold) != (original > threshold)
    about = {"attribute": made.attribute}
    test, reason = _tested(finding, answers, original, np.clip(under, 0, 1), seed)
    pair = about | {"attribute_value": between(made.values[a], made.values[b])}
    moved = subtracted.change(a, b)
    change, equivalence = mean_change(finding, moved, patients, margin, pairs, variant=CHANGE, **pair)
    with_traces = shown[:, b] - shown[:, a]
    return FindingReport(
        finding=finding,
        threshold=threshold,
        verdict=Verdict.CANNOT_TELL,
        reason=reason or NOT_JUDGED,
        test=test,
        associations=associations(original, threshold, made.factual, truth, patients),
        pair=(made.values[a], made.values[b]),
        change=change,
        flips=_share(finding, flipped, patients, seed, variant=FLIPS, **about),
        eca=replace(_share(finding, 1 - flipped, patients, seed, **about), metric="eca"),
        null_change=_mean(finding, null_moved, patients, seed, variant=NULL_CHANGE, **about),
        null_flips=_share(finding, null_flipped.astype(float), patients, seed, variant=NULL_FLIPS, **about),
        under=under[:, [a, b]],
        affected=tuple(
            Affected(
                index=int(answers.indices[row]),
                factual=str(made.factual[row]),
                other=made.values[strongest[row]],
                original=made.original[row],
                counterfactual=made.pictures[made.values[strongest[row]]][row],
                before=float(original[row]),
                after=float(shown[row, strongest[row]]),
                null=float(null[row]),
                flips=bool(not stays[row, strongest[row]]),
            )
            for row in np.argsort(-away.max(1), kind="stable")[:MOST_AFFECTED]
        ),
        poor=None,
        limit=None,
        shown=shown_by(moved, flipped, patients, pairs),
        traces=subtracted.traces,
        unsubtracted=mean_change(
            finding, with_traces, patients, margin, pairs, variant=Variant.CHANGE_WITH_TRACES, **pair
        )[0],
        equivalence=equivalence,
    )


def _tested(
    finding: str, answers: _Answers, original: np.ndarray, under: np.ndarray, seed: int
) -> tuple[InvarianceResult | None, Reason | None]:
    """The calibrated test with the generated pictures as its g; without one, the reason why."""
    made, patients = answers.made, answers.patients
    units, count = cluster_index(patients, len(under))
    few = count < FEWEST  # the test will say so
    g = under if answers.exact or few else as_known_from(made.representation, under, units, seed)
    try:
        test = invariance_test(
            original,
            made.factual,
            made.representation,
            counterfactuals=dict(zip(made.values, g.T, strict=True)),
            patients=patients,
            trees=not answers.exact,
            finding=finding,
            name=made.attribute,
            seed=seed,
        )
    except NotMeasurable as reason:
        return None, Reason(Why.NOT_TESTABLE, sentence(str(reason)))
    if answers.exact:
        test = replace(test, detectable=None)  # any change at all is seen
    return test, None


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return text[0].upper() + text[1:].rstrip(".") + "."


def _mean(finding: str, values: np.ndarray, patients: np.ndarray, seed: int, **about: Any) -> Measure:
    """Mean of (n,) with patients resampled."""
    low, high = bootstrap(lambda weights: weights @ values / weights.sum(1), len(values), patients, DRAWS, seed)
    return Measure("effect", finding, values.mean(), low, high, len(values), chance=0.0, **about)


def _share(finding: str, values: np.ndarray, patients: np.ndarray, seed: int, **about: Any) -> Measure:
    """Mean of (n,) shares in [0, 1]: Wilson's interval of plain hits, else patients resampled."""
    if not np.isin(values, (0, 1)).all():
        return _mean(finding, values, patients, seed, **about)
    low, high = share_interval(values > 0, patients)
    return Measure("effect", finding, values.mean(), low, high, len(values), **about)
