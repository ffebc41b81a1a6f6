"""The synthetic study of CIT-LR (6.2): does the test keep its size, find what leans on the attribute, and follow the
true ECA?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from engine.bias.statistics.comparisons import COMPARISONS
from engine.bias.statistics.dependence import LEVEL, dependence
from engine.bias.statistics.fairness import log_p_of_equal_means
from engine.bias.studies.classifiers import TYPES, Classifier, expected_counterfactual_accuracy, trained
from engine.datasets.invariance_scm import KINDS, Cases, StructuralModel
from engine.datasets.invariance_scm import LEANS as SHAPES
from engine.metrics.intervals import DRAWS, resamples, share_interval
from engine.metrics.measure import Measure

LEANS = 0.95  # classifiers with an ECA up to here ought to be found
NEARLY = 0.90  # and those above this are the hard ones among them
CIT, REGRESSION, T_TEST = "CIT-LR, calibrated", "CIT-LR, calibrated, g from Z alone", "the paper's paired t-test"
PARITY, OPPORTUNITY = "demographic parity", "equality of opportunity"
TESTS = (CIT, REGRESSION, T_TEST, PARITY, OPPORTUNITY, *COMPARISONS)
OPPOSITE = "opposite"  # an attribute that leans on the finding against what it does to the answers


@dataclass(frozen=True)
class Preset:
    """Sizes of the study.

    Attributes:
        strengths: of the attribute's part in X; 0 must be among them.
        seeds: realisations of every structural model; each trains all ten types of classifier at every strength.
        train, generator, test: cases that a classifier, the learned mechanism and a test see.
        noise: draws of the learned mechanism's noise over which the predictions are averaged.
        null_draws, confounded_draws: further fresh samples on which every classifier of strength 0 is tested, the
            latter with an attribute that leans on Z, so many for every shape that it may lean on.
    """

    strengths: Sequence[float] = (0.0, 0.05, 0.15, 0.4, 1.0)
    seeds: int = 2
    train: int = 600
    generator: int = 12_000
    test: int = 2000
    noise: int = 8
    null_draws: int = 5
    confounded_draws: int = 2


PRESETS: Mapping[str, Preset] = {
    "demo": Preset(),
    "paper": Preset(
        seeds=10, train=800, generator=800, test=200, noise=8
    ),  # 1,000 cases of which 200 are tested, 100 classifiers
}
NOTE = (
    "The paper prints no figures for its Fig. 2. Spearman is of the ranks of p with ECA: +1 if p falls wherever the "
    "answers of more patients would change. ECA is of true counterfactuals: the same mechanisms, the same noise. g is "
    "the classifier on X drawn from Z by a mechanism learned from other cases (a linear regression for each value of "
    "the attribute, which is the right form here), and 'g from Z alone' a ridge regression of the answers, as is the "
    "paper's t-test, whose g and h are cross-fitted too. Intervals allow for classifiers of one structural model "
    "being tested on the same cases. Where the attribute leans on a product, a threshold or the finding itself, "
    "attribute and answers share more than straight lines; 'the other way' is an attribute that goes along with the "
    "finding against what it does to the answers. GCM and PCM regress by kernels, the likelihood ratio is of logistic "
    "regressions."
)


@dataclass(frozen=True)
class Outcome:
    """One classifier on one sample.

    Attributes:
        kind, strength, seed: of the structural model. world: a number shared by all that are tested on the same cases.
        classifier: one of `TYPES`. confounded: what of Z the attribute leans on, one of `SHAPES` or `OPPOSITE`; "" for
            nothing.
        eca: expected counterfactual accuracy on these cases. constant: whether the answer is always the same.
        log10_p: of each test that was run.
    """

    kind: str
    strength: float
    seed: int
    world: int
    classifier: str
    confounded: str
    eca: float
    constant: bool
    log10_p: Mapping[str, float]


class LearnedMechanism:
    """X from (A, Z) as learned from samples: a ridge regression of X on Z for each value of the attribute, and the
    residuals.

    Stands in for the latent diffusion model of the paper's Algorithm 1; it sees no counterfactual.
    """

    def __init__(self, cases: Cases, ridge: float = 1e-3):
        self.coefficients, residuals = [], []
        for a in range(cases.under.shape[1]):
            chosen = cases.attribute == a
            features = with_constant(cases.representation[chosen])
            gram = features.T @ features + ridge * np.eye(features.shape[1])
            coefficients = np.linalg.solve(gram, features.T @ cases.x[chosen])
            self.coefficients.append(coefficients)
            residuals.append(cases.x[chosen] - features @ coefficients)
        self.residuals = np.concatenate(residuals)

    def answers(self, classifier: Classifier, z: np.ndarray, draws: int, seed: int) -> np.ndarray:
        """(n, m) mean label of X drawn from (a, Z) `draws` times, for every value a with the same noise."""
        features = with_constant(z)
        noise = self.residuals[
            np.random.default_rng(seed).integers(len(self.residuals), size=(draws, len(z)))
        ]  # (draws, n, k)
        every = [(features @ coefficients + noise).reshape(draws * len(z), -1) for coefficients in self.coefficients]
        labels = classifier.predict(np.concatenate(every))
        return labels.reshape(len(every), draws, len(z)).mean(1).T


def with_constant(z: np.ndarray) -> np.ndarray:
    """(n, k) to (n, k + 1), with a first column of ones."""
    return np.concatenate([np.ones((len(z), 1)), z], axis=1)


def study(preset: Preset, progress: Callable[[int, int], None] | None = None) -> tuple[list[Measure], list[str]]:
    """Rows and remarks of `reproduce invariance-scm`.

    Args:
        progress: called with (done, all) after each trained classifier.
    """
    everything, total = [], len(KINDS) * len(preset.strengths) * preset.seeds * len(TYPES)
    for done, tested in enumerate(run(preset), 1):
        everything += tested
        if progress:
            progress(done, total)
    return measured(everything)


def run(preset: Preset) -> Iterator[list[Outcome]]:
    """Trains and tests one classifier after another; what was found about each."""
    worlds = [(kind, strength, seed) for kind in KINDS for strength in preset.strengths for seed in range(preset.seeds)]
    for number, (kind, strength, seed) in enumerate(worlds):
        model = StructuralModel(kind, strength, seed)
        leaning = {shape: StructuralModel(kind, strength, seed, confounding=1.0, leans=shape) for shape in SHAPES}
        own = 10_000 * (number + 1)  # seeds of this world's samples
        training = model.draw(preset.train, own)
        mechanism = LearnedMechanism(model.draw(preset.generator, own + 1))
        shared = model.draw(preset.test, own + 2)
        for t, name in enumerate(TYPES):
            classifier = trained(name, training.x, training.finding, seed)
            tested = [_tested(model, seed, own, name, classifier, mechanism, shared, preset.noise, every=True)]
            if strength:
                moved = np.diff([classifier.predict(shared.under[:, v]).mean() for v in (0, 1)])[0]
                against = StructuralModel(
                    kind, strength, seed, confounding=-2.0 if moved >= 0 else 2.0, leans="finding"
                )
                sources = [(OPPOSITE, against)]
            else:
                sources = [("", model)] * preset.null_draws + [
                    case for case in leaning.items() for _ in range(preset.confounded_draws)
                ]
            for extra, (leans, source) in enumerate(sources):
                sample = own + 3 + 100 * t + extra
                fresh = source.draw(preset.test, sample)
                tested.append(_tested(source, seed, sample, name, classifier, mechanism, fresh, preset.noise, leans))
            yield tested


def _tested(
    model: StructuralModel,
    seed: int,
    world: int,
    name: str,
    classifier: Classifier,
    mechanism: LearnedMechanism,
    cases: Cases,
    noise: int,
    leans: str = "",
    every: bool = False,
) -> Outcome:
    """One classifier on one sample; by `every` test on the sample that all of a world share, by other papers' where the
    attribute leans.
    """
    labels = classifier.predict(cases.x).astype(np.float64)
    counterfactuals = mechanism.answers(classifier, cases.representation, noise, world)
    sample = labels, cases.attribute, cases.representation
    found = {CIT: dependence(*sample, counterfactuals=counterfactuals).log10_p}
    found[PARITY] = log_p_of_equal_means(labels, cases.attribute) / np.log(10)
    sick = cases.finding == 1
    found[OPPORTUNITY] = log_p_of_equal_means(labels[sick], cases.attribute[sick]) / np.log(10)
    if every:
        alone = dependence(*sample)
        found[REGRESSION], found[T_TEST] = alone.log10_p, np.log10(max(alone.t_p_value, 1e-300))
    if every or leans:
        found |= {test: np.log10(max(ask(*sample), 1e-300)) for test, ask in COMPARISONS.items()}
    eca = expected_counterfactual_accuracy(classifier, cases.under, cases.attribute)
    constant = bool(np.ptp(labels) == 0)
    return Outcome(model.kind, model.strength, seed, world, name, leans, eca, constant, found)


def measured(everything: Sequence[Outcome]) -> tuple[list[Measure], list[str]]:
    """The study's numbers and remarks from all that was tested."""
    null = [case for case in everything if case.strength == 0 and not case.confounded]
    drawn = [
        case for case in everything if not case.confounded and REGRESSION in case.log10_p
    ]  # one a classifier, all strengths
    rows = [rejected("type_1_error", test, null, test) for test in TESTS]
    for shape in SHAPES:
        leaning = [case for case in everything if case.confounded == shape]
        on = "Z" if shape == "line" else f"a {shape} of Z" if shape != "finding" else "the finding"
        rows += [
            rejected("type_1_error", test, leaning, f"{test}; attribute leans on {on}")
            for test in (CIT, PARITY, *COMPARISONS)
            if leaning
        ]
    against = [case for case in everything if case.confounded == OPPOSITE and case.eca <= LEANS]
    rows += [
        rejected("power", test, against, f"{test}; attribute leans on the finding the other way; ECA up to {LEANS}")
        for test in (CIT, PARITY, *COMPARISONS)
        if against
    ]
    biased = [case for case in drawn if case.eca <= LEANS]
    rows += [rejected("power", test, biased, f"{test}; ECA up to {LEANS}") for test in TESTS if biased]
    hard = [case for case in biased if case.eca > NEARLY]
    rows += [rejected("power", CIT, hard, f"{CIT}; ECA above {NEARLY:.2f}, up to {LEANS}")] if hard else []
    kinds = [kind for kind in KINDS if any(case.kind == kind for case in drawn)]
    for kind in kinds:
        chosen = [case for case in biased if case.kind == kind]
        rows += [rejected("power", CIT, chosen, f"{CIT}; {kind}; ECA up to {LEANS}")] if chosen else []
    rows += [rank_correlation(test, drawn, test) for test in TESTS]
    rows += [rank_correlation(CIT, [case for case in drawn if case.kind == kind], f"{CIT}; {kind}") for kind in kinds]
    ahead = [row for row in rows if row.metric == "spearman" and row.variant in (CIT, PARITY, OPPORTUNITY)]
    own = [row.interval for row in ahead if row.variant == CIT]
    others = [row.interval for row in ahead if row.variant != CIT]
    apart = None not in (*own, *others) and min(ends[0] for ends in own if ends) > max(
        ends[1] for ends in others if ends
    )
    constant = sum(case.constant for case in drawn)
    remarks = [
        f"{len(drawn)} classifiers, {len(drawn) // max(len(kinds), 1)} for each structural model, {len(biased)} with "
        f"an ECA up to {LEANS}; {len(null)} tests of an invariant one.",
        f"The interval of {CIT}'s Spearman lies {'above' if apart else 'not clear of'} those of {PARITY} and "
        f"{OPPORTUNITY}.",
    ]
    if constant:
        remarks.append(f"{constant} classifiers give every case the same answer (p = 1).")
    return rows, remarks


def rejected(metric: str, test: str, cases: Sequence[Outcome], variant: str) -> Measure:
    """The share of `cases` on which `test` has p at or below 0.05; chance is that of a test that says nothing. n counts
    tests.
    """
    ran = [case for case in cases if test in case.log10_p]
    hits = np.array([case.log10_p[test] <= np.log10(LEVEL) for case in ran])
    low, high = share_interval(hits, np.array([case.world for case in ran]))
    return Measure(metric, "", hits.mean(), low, high, len(hits), chance=LEVEL, variant=variant)


def rank_correlation(test: str, cases: Sequence[Outcome], variant: str) -> Measure:
    """Spearman of p with ECA; its interval resamples whole worlds. n counts classifiers."""
    p = np.array([case.log10_p[test] for case in cases])
    eca = np.array([case.eca for case in cases])
    again = []
    for weights in resamples(np.array([case.world for case in cases]), len(cases), DRAWS):
        for counts in weights.astype(int):
            again.append(spearman(np.repeat(p, counts), np.repeat(eca, counts)))
    low, high = np.nanpercentile(again, [2.5, 97.5])
    return Measure("spearman", "", spearman(p, eca), low, high, len(cases), chance=0.0, variant=variant)


def spearman(p: np.ndarray, eca: np.ndarray) -> float:
    """NaN where one of them never varies."""
    if np.ptp(p) == 0 or np.ptp(eca) == 0:
        return float("nan")
    return float(np.corrcoef(stats.rankdata(p), stats.rankdata(eca))[0, 1])
