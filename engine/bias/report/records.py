"""BiasReport: what was found about one model and one attribute, finding by finding, with everything a
verdict rests on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.bias.report.family import Question, Shown, hypotheses
from engine.bias.report.reasons import Degree, Reason, Verdict
from engine.bias.statistics.equivalence import MARGIN, Equivalence, Trace
from engine.bias.statistics.fairness import Associations
from engine.bias.statistics.summary import InvarianceResult
from engine.metrics.measure import Measure
from engine.metrics.subjects import Variant

RELEVANT = 0.01  # a mean change of the probability, or a share of decisions, below which a dependence is called slight
LEVEL = 0.05  # of the test, after Holm's correction over the findings, and the attributes that are asked about together


@dataclass(frozen=True, eq=False)
class Affected:
    """One patient, as photographed and otherwise.

    Attributes:
        index: of the picture in the collection; nothing here says whose it is.
        factual, other: the patient's own value of the attribute, and the one that changes the answer most.
        original, counterfactual: (size, size) float32 in the collection's units.
        before, after: the model's probability on the two; null: on the null intervention.
        flips: whether the decision under `other` differs from that under the null intervention.
    """

    index: int
    factual: str
    other: str
    original: np.ndarray
    counterfactual: np.ndarray
    before: float
    after: float
    null: float
    flips: bool

    def difference(self, values: Sequence[str]) -> np.ndarray:
        """(size, size) what changes, in one direction for all patients: the second of two `values` less the first; with
        more values, the other less the patient's own.
        """
        backwards = len(values) == 2 and self.factual == values[1]
        return (self.original - self.counterfactual) if backwards else (self.counterfactual - self.original)


def difference_scale(shown: Sequence[Affected]) -> float:
    """Where one scale for the differences of these patients ends, in the collection's units: beyond it lie 0.5 % of
    one's pixels.
    """
    return (
        max(
            (float(np.quantile(np.abs(result.counterfactual - result.original), 0.995)) for result in shown),
            default=0.0,
        )
        or 1.0
    )


@dataclass(frozen=True, eq=False)
class FindingReport:
    """What was found about one finding.

    Attributes:
        finding, threshold: its name and operating point.
        verdict: whether it depends; reason: why there is none, else None.
        test: None where it could not be done.
        associations: demographic parity, equality of opportunity and equalised odds of the answers on the pictures as
            they are.
        pair: the two values between which `change` is measured, the first to the second.
        change: mean signed change of the probability from one to the other, patients resampled; with more than two
            values `pair` is the one that differs most, and the interval is widened (Bonferroni) for having picked it.
        flips: share of patients whose decision another value flips (all others alike likely). eca: the share that stays
            (Eq. 8).
        null_change: mean |change| of the probability by the null intervention. null_flips: the share of decisions it
            flips.
        under: (n, 2) the probability under the first and the second value of `pair`.
        affected: those whose answer changes most.
        poor: why the pictures carry no verdict about this finding, else None.
        limit: the change above which the pictures speak for themselves; None where they do not. shown: what they say.
        shown_corrected_p: of the hypothesis that no change exceeds the limit, corrected for the family; None without a
            limit, or before.
        traces: what the generator leaves in pictures under each value, in the order of the values; `change`, `flips`
            and `under` are without them. unsubtracted: the change before they were subtracted.
        equivalence: the tests of `change` against the margin below which a change is too small to matter.
    """

    finding: str
    threshold: float
    verdict: Verdict
    reason: Reason | None
    test: InvarianceResult | None
    associations: Associations
    pair: tuple[str, str]
    change: Measure
    flips: Measure
    eca: Measure
    null_change: Measure
    null_flips: Measure
    under: np.ndarray
    affected: tuple[Affected, ...]
    poor: Reason | None
    limit: float | None
    shown: Shown
    shown_corrected_p: float | None = None
    traces: tuple[Trace, ...] = ()
    unsubtracted: Measure | None = None
    equivalence: Equivalence = Equivalence(MARGIN, 1.0, 1.0)

    def __post_init__(self):
        object.__setattr__(self, "verdict", Verdict(self.verdict))
        if self.verdict != Verdict.CANNOT_TELL and self.test is None:
            raise ValueError(f"a verdict rests on a test, got {str(self.verdict)!r} without one")
        if (self.reason is not None) != (self.verdict == Verdict.CANNOT_TELL):
            raise ValueError(
                "a reason stands where nothing can be told, and only there; "
                f"got {self.reason!r} for {str(self.verdict)!r}"
            )

    @property
    def p_values(self) -> tuple[float, ...]:
        """Of the hypotheses that can lead to an accusation, not corrected: the test's, and that of what the
        pictures show.
        """
        if self.test is None:
            return ()
        return (
            (self.test.p_value,)
            if self.limit is None
            else (self.test.p_value, self.shown.p_value(max(self.limit, self.equivalence.margin)))
        )

    @property
    def slight(self) -> bool:
        """Whether what was found is too small to matter: under `RELEVANT`, both on average and in decisions."""
        return self.verdict == Verdict.DEPENDS and abs(self.change.value) < RELEVANT and self.flips.value < RELEVANT

    @property
    def by_pictures(self) -> bool:
        """Whether the pictures alone say that it depends, and the test, which does not rest on how they were made, does
        not confirm it.
        """
        corrected_p = None if self.test is None else self.test.corrected_p
        return self.verdict == Verdict.DEPENDS and corrected_p is not None and corrected_p > LEVEL

    @property
    def size(self) -> float:
        """How much moves: the larger of mean change and share of flips."""
        return max(abs(self.change.value), self.flips.value)

    def moves(self, beyond: float = 0.0) -> bool:
        """Whether the whole interval of the mean change lies further than `beyond` from zero, on one side of it."""
        ends = self.change.interval
        return ends is not None and (ends[0] > beyond or ends[1] < -beyond)

    @property
    def largest_possible_change(self) -> float | None:
        """The furthest end of the intervals of `change` and `flips`: how large a change may be after all; None where
        one is missing.
        """
        change, flips = self.change.interval, self.flips.interval
        return None if change is None or flips is None else max(*map(abs, change), abs(flips[1]))

    @property
    def within_margin(self) -> bool:
        """Whether both intervals lie within the margin: shown to be too small to matter, which says nothing of whether
        it is 0.
        """
        return self.largest_possible_change is not None and self.largest_possible_change <= self.equivalence.margin

    @property
    def small(self) -> bool:
        """Whether what was found is smaller than the margin: a dependence, and one that a large one must not be
        mentioned in a breath with.
        """
        return self.verdict == Verdict.DEPENDS and self.size < self.equivalence.margin

    @property
    def how(self) -> Degree | None:
        """What must be said with "depends": barely (under `RELEVANT`), a little (under the margin), by the pictures,
        or nothing.
        """
        if self.slight:
            return Degree.BARELY
        return Degree.A_LITTLE if self.small else Degree.BY_THE_PICTURES if self.by_pictures else None

    @property
    def detectable(self) -> float | None:
        """The root mean square change of the probability from which on the test finds it in 80 % of such samples, in
        [0, 1].

        None for exact counterfactuals: there any change at all is seen.
        """
        if self.test is None or self.test.detectable is None:
            return None
        share = np.array(list(self.test.groups.values())) / self.test.n
        spread = self.test.overlap * float((share * (1 - share)).sum()) / 2  # E e (1 - e) for two values
        return float(min(1.0, np.sqrt(self.test.detectable / max(spread, 1e-9))))

    def record(self) -> dict[str, object]:
        """The verdict and what it rests on but the numbers, ready for JSON; `threshold` is the operating point, a
        probability.
        """
        return {
            "finding": self.finding,
            "threshold": self.threshold,
            "verdict": self.verdict,
            "slight": self.slight,
            "small": self.small,
            "size": self.size,
            "margin": self.equivalence.margin,
            "within_margin": self.within_margin,
            "reason": self.reason.words if self.reason else "",
            "why": self.reason.why if self.reason else "",
            "from": self.pair[0],
            "to": self.pair[1],
            "missing_gaps": dict(self.associations.missing),
            "remarks": list(self.test.remarks) if self.test else [],
        }

    def measures(self) -> list[Measure]:
        """Every number, the verdict and its reason beside the first."""
        how = f" ({self.how})" if self.how else ""
        remark = " ".join(filter(None, (f"{self.verdict}{how}.", self.reason and self.reason.words)))
        rows = [replace(self.change, remark=remark), self.flips, self.eca, self.null_change, self.null_flips]
        change, attribute = self.change, self.change.attribute
        p = Measure("p_value", self.finding, self.equivalence.p_value, None, None, change.n, attribute=attribute)
        pair, margin = change.attribute_value, self.equivalence.margin
        rows.append(replace(p, variant=Variant.EQUIVALENCE, attribute_value=pair, limit=margin))
        if self.shown_corrected_p is not None:
            p = replace(p, limit=margin if self.limit is None else max(self.limit, margin))
            rows.append(replace(p, value=self.p_values[1], variant=Variant.SHOWN))
            rows.append(replace(p, value=self.shown_corrected_p, variant=Variant.SHOWN_HOLM))
        if self.unsubtracted is not None and any(trace.shift for trace in self.traces):
            rows += [self.unsubtracted, *(trace.measure(self.finding, attribute) for trace in self.traces)]
        gaps = self.associations.measures(self.finding, attribute)
        rows += [*(self.test.measures() if self.test else []), *gaps]
        if self.reason is None:
            return rows
        untold = f"{self.verdict}: {self.reason.words}"  # a p value alone would be read as one
        return [replace(row, remark=row.remark or untold) if row.metric == "p_value" else row for row in rows]


@dataclass(frozen=True, eq=False)
class BiasReport:
    """Whether one model depends on one attribute, on one collection.

    Attributes:
        checkpoint, checkpoint_sha256, checkpoint_identity: the tested model's name, of its weights, and of weights and
            configuration.
        collection, attribute, values: what was changed, where.
        data: the collection with its options, in words. split: the part that the pictures are from. seed: of their
            choice, and of what the test and the intervals draw. date: the day, in UTC, as 2026-11-28.
        groups: pictures of every value. n, patients: pictures and patients in all.
        generator: what made the pictures; exact: whether they are true counterfactuals.
        quality: how good the generated pictures are, by its checkpoint. composition: of the null interventions in this
            report.
        findings: what moves most first.
        factual: (n,) each picture's own value.
        remarks: sentences that a reader must see.
        maps: of the model's card, how much of a marker its maps cover; what the answer does with it belongs beside
            that.
        family: everything that was asked of this checkpoint on this collection and corrected together; empty before.
    """

    checkpoint: str
    checkpoint_sha256: str
    checkpoint_identity: str
    collection: str
    data: str
    split: str
    seed: int
    date: str
    attribute: str
    values: tuple[str, ...]
    groups: Mapping[str, int]
    n: int
    patients: int
    generator: str
    exact: bool
    quality: tuple[Measure, ...]
    composition: Measure
    findings: tuple[FindingReport, ...]
    factual: np.ndarray
    remarks: tuple[str, ...] = ()
    maps: tuple[Measure, ...] = ()
    family: tuple[Question, ...] = ()

    def __post_init__(self):
        if not self.findings or any(result.under.shape != (self.n, 2) for result in self.findings):
            raise ValueError(f"every finding must hold {self.n} probabilities under each of two values")
        if sum(self.groups.values()) != self.n or len(self.factual) != self.n:
            raise ValueError(f"the groups must hold {self.n} pictures together, got {dict(self.groups)}")
        object.__setattr__(self, "findings", tuple(sorted(self.findings, key=lambda result: -result.size)))

    @property
    def decided(self) -> list[FindingReport]:
        """The findings with a verdict, what moves most first."""
        return [result for result in self.findings if result.verdict != Verdict.CANNOT_TELL]

    @property
    def question(self) -> Question:
        """What this report asked, for the family of later ones."""
        return Question(
            self.attribute, self.generator, self.n, tuple(p for result in self.findings for p in result.p_values)
        )

    @property
    def overlap(self) -> float | None:
        """E Var(A | Z) / Var(A), the same for all findings; None where no test could be done."""
        return next((result.test.overlap for result in self.findings if result.test), None)

    @property
    def margin(self) -> float:
        return self.findings[0].equivalence.margin

    def record(self) -> dict[str, object]:
        """What was tested, on whom, with which pictures, and every verdict, ready for JSON; the numbers are
        in `measures`.
        """
        return {
            "checkpoint": self.checkpoint,
            "checkpoint_sha256": self.checkpoint_sha256,
            "checkpoint_identity": self.checkpoint_identity,
            "collection": self.collection,
            "data": self.data,
            "split": self.split,
            "seed": self.seed,
            "date": self.date,
            "level": LEVEL,
            "margin": self.margin,
            "overlap": self.overlap,
            "attribute": self.attribute,
            "values": list(self.values),
            "groups": dict(self.groups),
            "n": self.n,
            "patients": self.patients,
            "generator": self.generator,
            "exact": self.exact,
            "remarks": list(self.remarks),
            "family": {
                "hypotheses": hypotheses(self.family),
                "questions": [question.record() for question in self.family],
            },
            "findings": [result.record() for result in self.findings],
        }

    def measures(self) -> list[Measure]:
        """Every number of the report: the pictures first, then finding by finding."""
        return [self.composition, *self.quality, *(row for result in self.findings for row in result.measures())]
