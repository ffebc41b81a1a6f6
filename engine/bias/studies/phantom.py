"""The bias report against the truth: small classifiers that depend on an attribute more or less, and films whose true
counterfactuals are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, product
from types import SimpleNamespace

import cv2
import numpy as np

from engine.bias.interventions import Counterfactuals, Interventions, StructuralInterventions, open_interventions
from engine.bias.report.compute import bias_report
from engine.bias.report.reasons import Verdict
from engine.bias.report.records import LEVEL, RELEVANT, FindingReport
from engine.bias.report.verdicts import RESOLVED
from engine.bias.statistics.comparisons import COMPARISONS
from engine.bias.studies.classifiers import Classifier, trained
from engine.checkpoints.metrics import Metrics
from engine.datasets.phantom.collection import Marker, Phantom
from engine.metrics.intervals import bootstrap, mean_interval, share_interval
from engine.metrics.measure import Measure

CIT = "CIT-LR, calibrated"
FINDING = "Cardiomegaly"
POOLED = 16  # cells a side that a classifier sees of a film
ATTRIBUTES = ("sex", "view_position", "marker")
TYPES = ("logistic regression", "random forest", "MLP (16, 4)", "linear SVC")
BLIND = "blind to the marker's corner"
TRAIN_SEED, TEST_SEED = 11, 12  # of the patients
CORRELATED = Marker(
    finding=FINDING, share_of_positives=0.8, share_of_negatives=0.2
)  # goes along with the finding in the films that are tested
MARKER = Marker(
    finding=FINDING, share_of_negatives=0.5
)  # on half of the films, whatever is on them: training sets make the correlation


@dataclass(frozen=True)
class Preset:
    """Sizes of the study.

    Attributes:
        correlations: between attribute and finding in what a classifier is trained on, 0 to 0.9.
        pool: patients from whom training sets are drawn. train: films a classifier. test: patients that are shown
            otherwise.
        size: side of the films in pixels.
    """

    correlations: Sequence[float] = (0.0, 0.3, 0.6, 0.9)
    pool: int = 1500
    train: int = 300
    test: int = 250
    size: int = 64


PRESETS: Mapping[str, Preset] = {"demo": Preset(), "paper": Preset(pool=6000, train=1200, test=1000, size=128)}
NOTE = (
    f"A classifier is trained on {POOLED} x {POOLED} grey values of films stretched between their percentiles, as "
    "every model here sees them: a generator changes such films, so that a whole film's exposure is nothing that it "
    "could change. The truth is what the phantom's own structural model shows of the same patients: how many "
    "decisions flip, and by how much the probability moves on average. 'Depends' is right where either is "
    f"{100 * RELEVANT:.0f} of 100 or more, 'no sign of it' where both are under {100 * RESOLVED:.0f} of 100, and "
    f"between the two either is right; the last row draws one line at {100 * RELEVANT:.0f} of 100 instead. 'Cannot "
    "tell' is never right. With structural interventions the estimate is the truth, and only the verdicts can be "
    "wrong. Classifiers of one attribute and correlation share what they are trained on and are resampled together; "
    "all of them are tested on the same films, of whose choice the intervals say nothing. The paper has no such "
    "table: its counterfactuals cannot be checked. The last rows are of films on which the marker goes along with the "
    "finding, 8 of 10 with it and 2 of 10 without: size and power of our test and of three that look at no generated "
    "picture."
)


@dataclass(frozen=True, eq=False)
class Pooled:
    """A small classifier as the bias report asks it; `seen` (POOLED, POOLED) bool is the part of the film
    that it is shown.
    """

    classifier: Classifier
    seen: np.ndarray
    name: str
    findings: tuple[str, ...] = (FINDING,)

    @property
    def thresholds(self) -> np.ndarray:
        return np.array([0.5], np.float32)

    @property
    def checkpoint(self) -> SimpleNamespace:
        return SimpleNamespace(name=self.name, sha256="", identity=self.name, metrics=Metrics())

    def predict_proba(self, pictures: np.ndarray) -> np.ndarray:
        """(n, 1): probabilities, or labels of a classifier that has none."""
        x = stretched(pooled(pictures)[:, self.seen.ravel()])
        graded = getattr(self.classifier, "predict_proba", None)
        said = self.classifier.predict(x) if graded is None else graded(x)[:, 1]
        return np.asarray(said, np.float32)[:, None]


class Remembered(Interventions):
    """Interventions that make the pictures of one collection once, for all classifiers that are tested on it."""

    def __init__(self, inner: Interventions):
        self.inner, self._made = inner, {}
        self.name, self.attributes, self.size, self.quality = inner.name, inner.attributes, inner.size, inner.quality
        self.exact, self.collection = inner.exact, inner.collection

    def counterfactuals(self, collection, indices, attribute, progress=None, seed=0, size=None) -> Counterfactuals:
        key = attribute, seed, size, np.asarray(indices).tobytes()
        if key not in self._made:
            self._made = {
                key: self.inner.counterfactuals(collection, indices, attribute, progress, seed, size)
            }  # the attribute before is done with
        return self._made[key]


@dataclass(frozen=True)
class Outcome:
    """One classifier, as reported and in truth.

    Attributes:
        attribute, kind, correlation: what it was trained to lean on, what it is, how much.
        eca, true_eca: expected counterfactual accuracy by the interventions and by the structural model.
        says: whether the report says that it depends (by more than a trace); None for no verdict.
        size: in truth, the larger of mean change and share of decisions that flip.
        blamed: whether the report says that it depends, however slightly; None for no verdict.
        invariant: whether no true counterfactual moves its answer at all.
        confounded: whether the attribute goes along with the finding in the films that it was tested on.
        p: of our test and of other papers', uncorrected; where `confounded` alone.
    """

    attribute: str
    kind: str
    correlation: float
    eca: float
    true_eca: float
    says: bool | None
    blamed: bool | None
    size: float
    invariant: bool
    confounded: bool = False
    p: Mapping[str, float] = field(default_factory=dict)

    @property
    def depends(self) -> bool:
        """Whether it does so by more than a trace."""
        return self.size >= RELEVANT

    @property
    def right(self) -> bool:
        """Whether the verdict is right, as `NOTE` says."""
        return self.says is not None and (self.depends if self.says else self.size < RESOLVED)


def pooled(pictures: np.ndarray) -> np.ndarray:
    """(n, H, W) grey levels to (n, POOLED * POOLED)."""
    return np.stack(
        [cv2.resize(picture, (POOLED, POOLED), interpolation=cv2.INTER_AREA).ravel() for picture in pictures]
    )


def stretched(cells: np.ndarray) -> np.ndarray:
    """(n, k) grey levels between their own 1st and 99th percentile, clipped to [0, 1]: what a classifier is
    shown of a film.
    """
    low, high = np.percentile(cells, (1, 99), axis=1)[..., None]
    return np.clip((cells - low) / np.maximum(high - low, 1e-6), 0, 1)


def study(
    preset: Preset,
    progress: Callable[[int, int], None] | None = None,
    generator: str | None = None,
    device: str = "auto",
) -> tuple[list[Measure], list[str]]:
    """Rows and remarks of `reproduce invariance-phantom`.

    Args:
        progress: called with (done, all) after each classifier.
        generator: a checkpoint, or "structural"; None takes the structural model, which is exact.
        device: of the generator: auto, cpu or cuda.
    """
    films = Phantom(preset.test, seed=TEST_SEED, size=preset.size, marker=MARKER)
    interventions = open_interventions(films, generator, device)
    attributes = [name for name in ATTRIBUTES if name in interventions.attributes]
    with_marker = "marker" in attributes
    kinds = (len(attributes) + with_marker + 2 * with_marker) * len(TYPES)
    runs = [run(preset, films, interventions, attributes)]
    if with_marker:
        leaning = Phantom(preset.test, seed=TEST_SEED, size=preset.size, marker=CORRELATED)
        runs.append(run(preset, leaning, open_interventions(leaning, generator, device), ["marker"], confounded=True))
    outcomes = []
    for outcome in chain(*runs):
        outcomes.append(outcome)
        if progress:
            progress(len(outcomes), kinds * len(preset.correlations))
    rows, remarks = measured([outcome for outcome in outcomes if not outcome.confounded], interventions)
    return rows + rejections([outcome for outcome in outcomes if outcome.confounded]), remarks


def run(
    preset: Preset, films: Phantom, interventions: Interventions, attributes: Sequence[str], confounded: bool = False
) -> Iterator[Outcome]:
    """Trains and tests one classifier after another; where the films are `confounded`, by other papers'
    tests as well.
    """
    patients = Phantom(preset.pool, seed=TRAIN_SEED, size=preset.size, marker=MARKER)
    x = np.concatenate(
        [
            pooled(patients.pictures(block))
            for block in np.array_split(np.arange(preset.pool), max(1, preset.pool // 100))
        ]
    )
    finding = patients.labels[:, patients.findings.index(FINDING)].astype(int)
    everyone, indices = np.ones((POOLED, POOLED), bool), np.arange(len(films))
    corner = (
        cv2.dilate(cv2.resize(MARKER.ink(256), (POOLED, POOLED), interpolation=cv2.INTER_AREA), np.ones((3, 3))) > 0
    )
    made, true = Remembered(interventions), Remembered(StructuralInterventions(films))
    for attribute in attributes:
        values = interventions.values_of(attribute)
        own = (
            np.where(patients.marked, "present", "absent") if attribute == "marker" else patients.attributes[attribute]
        )
        seen = {"": everyone} | ({f", {BLIND}": ~corner} if attribute == "marker" else {})
        shown = {words: stretched(x[:, cells.ravel()]) for words, cells in seen.items()}
        for correlation in preset.correlations:
            chosen = correlated(own == values[1], finding, correlation, preset.train, seed=round(100 * correlation))
            for words, kind in product(seen, TYPES):
                classifier = trained(kind, shown[words][chosen], finding[chosen], seed=0)
                model = Pooled(classifier, seen[words], f"{kind}{words}, {attribute}, {correlation}")
                (said,) = bias_report(model, films, indices, attribute, made).findings
                (truth,) = (
                    (said,) if interventions.exact else bias_report(model, films, indices, attribute, true).findings
                )
                outcome = outcome_of(attribute, f"{kind}{words}", correlation, said, truth)
                if confounded and said.test is not None:
                    shown_as = made.counterfactuals(films, indices, attribute)
                    sample = (
                        model.predict_proba(shown_as.original)[:, 0].astype(np.float64),
                        (shown_as.factual == values[1]).astype(int),
                        shown_as.representation,
                    )
                    p = {CIT: said.test.p_value} | {name: ask(*sample) for name, ask in COMPARISONS.items()}
                    outcome = replace(outcome, p=p)
                yield replace(outcome, confounded=confounded)


def correlated(has: np.ndarray, finding: np.ndarray, correlation: float, count: int, seed: int) -> np.ndarray:
    """Indices of `count` patients, half of them with the finding, in whom attribute and finding have this correlation.

    Args:
        has: (n,) bool; finding: (n,) 0 or 1. Where a cell holds too few patients, some come twice.
    """
    random, chosen = np.random.default_rng(seed), []
    for y in (0, 1):
        for a in (0, 1):
            cell = np.flatnonzero((finding == y) & (has == bool(a)))
            wanted = round(count / 4 * (1 + correlation if a == y else 1 - correlation))
            chosen.append(random.choice(cell, wanted, replace=wanted > len(cell)))
    return np.concatenate(chosen)


def outcome_of(attribute: str, kind: str, correlation: float, said: FindingReport, truth: FindingReport) -> Outcome:
    """What the report says beside what holds."""
    return Outcome(
        attribute=attribute,
        kind=kind,
        correlation=correlation,
        eca=said.eca.value,
        true_eca=truth.eca.value,
        says=None if said.verdict == Verdict.CANNOT_TELL else said.verdict == Verdict.DEPENDS and not said.slight,
        blamed=None if said.verdict == Verdict.CANNOT_TELL else said.verdict == Verdict.DEPENDS,
        size=truth.size,
        invariant=bool(np.array_equal(*truth.under.T)),
    )


def measured(outcomes: Sequence[Outcome], interventions: Interventions) -> tuple[list[Measure], list[str]]:
    """The study's numbers and remarks."""
    named = {"all attributes": outcomes}
    named |= {
        name: [outcome for outcome in outcomes if outcome.attribute == name]
        for name in dict.fromkeys(outcome.attribute for outcome in outcomes)
    }
    rows = []
    for subject, chosen in named.items():
        errors = np.abs([outcome.eca - outcome.true_eca for outcome in chosen])
        low, high = mean_interval(errors, together(chosen), within=(0.0, 1.0))
        row = Measure("eca_error", "", errors.mean(), low, high, len(errors))
        rows.append(replace(row, variant=f"{subject}: mean |estimated - true|"))
        depends, trace = (
            np.array([outcome.depends for outcome in chosen]),
            np.array([outcome.size < RESOLVED for outcome in chosen]),
        )
        rows.append(
            _share_right(f"{subject}: verdicts right", [outcome.right for outcome in chosen], depends, trace, chosen)
        )
    invariant = [outcome for outcome in outcomes if outcome.invariant and outcome.blamed is not None]
    if invariant:
        blamed = np.array([outcome.blamed for outcome in invariant])
        low, high = share_interval(blamed, together(invariant))
        rows.append(
            Measure(
                "type_1_error",
                "",
                blamed.mean(),
                low,
                high,
                len(blamed),
                variant="invariant classifiers with a verdict, called dependent",
            )
        )
    ranks = np.array([[outcome.eca, outcome.true_eca] for outcome in outcomes])
    if np.ptp(ranks, axis=0).all():

        def spearman(weights: np.ndarray) -> np.ndarray:
            return np.array([_rank_correlation(np.repeat(ranks, row.astype(int), axis=0)) for row in weights])

        low, high = bootstrap(spearman, len(ranks), together(outcomes))
        rows.append(
            Measure(
                "spearman",
                "",
                _rank_correlation(ranks),
                low,
                high,
                len(ranks),
                chance=0.0,
                variant="estimated with true ECA",
            )
        )
    rows += [row for name in named for row in interventions.quality.get(name, ())]
    depends = np.array([outcome.depends for outcome in outcomes])
    rows.append(
        _share_right(
            "verdicts right, one line",
            [outcome.says == outcome.depends for outcome in outcomes],
            depends,
            ~depends,
            outcomes,
        )
    )
    undecided, leaning = sum(outcome.says is None for outcome in outcomes), sum(outcome.depends for outcome in outcomes)
    remarks = [
        f"{len(outcomes)} classifiers, {leaning} of which truly depend on the attribute; true ECA "
        f"{ranks[:, 1].min():.2f} to {ranks[:, 1].max():.2f}. Pictures otherwise from: "
        f"{interventions.name}{' (exact)' if interventions.exact else ''}.",
    ]
    return rows, remarks + ([f"No verdict was given for {undecided} of them."] if undecided else [])


def rejections(outcomes: Sequence[Outcome]) -> list[Measure]:
    """Size and power of every test on films in which the marker goes along with the finding."""
    rows = []
    for metric, words, chosen in (
        ("type_1_error", "invariant classifiers", [outcome for outcome in outcomes if outcome.invariant and outcome.p]),
        ("power", "classifiers that depend", [outcome for outcome in outcomes if outcome.depends and outcome.p]),
    ):
        for test in (CIT, *COMPARISONS) if chosen else ():
            hits = np.array([outcome.p[test] <= LEVEL for outcome in chosen])
            low, high = share_interval(hits, together(chosen))
            rows.append(
                Measure(
                    metric,
                    "",
                    float(hits.mean()),
                    low,
                    high,
                    len(hits),
                    chance=LEVEL,
                    variant=f"{test}; {words}, marker along with the finding in the films tested",
                )
            )
    return rows


def together(outcomes: Sequence[Outcome]) -> np.ndarray:
    """(n,) str: one word for all that were trained on the same films."""
    return np.array([f"{outcome.attribute} {outcome.correlation}" for outcome in outcomes])


def _share_right(
    variant: str, right: Sequence[bool], yes: np.ndarray, no: np.ndarray, outcomes: Sequence[Outcome]
) -> Measure:
    """The share of verdicts that are right; its chance is how often the same verdict for all would be, of whom `yes`
    may be called dependent and `no` may not be.
    """
    low, high = share_interval(np.array(right), together(outcomes))
    return Measure(
        "accuracy",
        "",
        float(np.mean(right)),
        low,
        high,
        len(right),
        chance=float(max(yes.mean(), no.mean())),
        variant=variant,
    )


def _rank_correlation(pairs: np.ndarray) -> float:
    """Spearman's of (n, 2); NaN where one of them never varies."""
    from scipy.stats import rankdata

    return (
        float(np.corrcoef(rankdata(pairs[:, 0]), rankdata(pairs[:, 1]))[0, 1])
        if np.ptp(pairs, axis=0).all()
        else float("nan")
    )
