"""The measures by which the field judges an explanation, over any explainer: each beside what a random map scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from engine.attribution.explainer import RANDOM, Explained, Explainer, RandomMap
from engine.datasets.collection import Collection
from engine.metrics import counterfactual
from engine.metrics.composition import composition
from engine.metrics.deletion import deletion, insertion
from engine.metrics.disease_sensitivity import disease_sensitivity
from engine.metrics.hit_rate import hit_rate
from engine.metrics.max_sensitivity import max_sensitivity
from engine.metrics.means import mean_over
from engine.metrics.measure import Measure, NotMeasurable, collected
from engine.metrics.randomisation import parameter_randomisation, random_logit
from engine.metrics.recovery import recovery, restraint
from engine.metrics.road import road
from engine.metrics.same_patient import same_patient
from engine.metrics.sparseness import sparseness
from engine.metrics.ssim import masked_ssim
from engine.metrics.subjects import MEAN_OVER_FINDINGS

GROUPS: Mapping[str, Sequence[str]] = {
    "faithfulness": ("deletion", "insertion", "road"),
    "localisation": ("hit_rate", "disease_sensitivity"),
    "robustness": ("max_sensitivity", "sparseness"),
    "sanity": ("parameter_randomisation", "random_logit"),
    "counterfactual": (
        "flip_rate",
        "minimality",
        "reversibility",
        "composition",
        "amplification",
        "ssim",
        "same_patient",
    ),
    "truth": ("recovery", "restraint"),
}
MOST = 32  # pictures a finding
ROUNDS = (1, 10)  # after which composition is measured


def chosen(asked: Iterable[str]) -> list[str]:
    """Names of metrics out of names and groups, each once, in the order of `GROUPS`.

    Raises:
        ValueError: neither a metric that is measured here nor a group.
    """
    known, wanted = [name for group in GROUPS.values() for name in group], set()
    for name in asked:
        if name not in GROUPS and name not in known:
            groups = "; ".join(f"{group} ({', '.join(names)})" for group, names in GROUPS.items())
            raise ValueError(f"no metric or group is called {name!r}; there are {groups}.")
        wanted.update(GROUPS.get(name, (name,)))
    return [name for name in known if name in wanted]


@dataclass
class Case:
    """One explainer and one finding on one collection; pictures and maps are made when they are first asked for.

    Attributes:
        with_finding, without: indices of pictures by label, at most `most` each.
        gallery: indices of all pictures that may be compared with.
    """

    explainer: Explainer
    collection: Collection
    c: int
    with_finding: np.ndarray
    without: np.ndarray
    gallery: np.ndarray
    seed: int
    variant: str = ""

    @property
    def finding(self) -> str:
        return self.explainer.findings[self.c]

    @cached_property
    def groups(self) -> np.ndarray:
        return self.collection.patients[self.with_finding]

    @cached_property
    def pictures(self) -> np.ndarray:
        side = self.explainer.side
        if not len(self.with_finding):
            return np.empty((0, side, side), np.float32)
        return self.explainer.pictures(self.collection, self.with_finding)

    @cached_property
    def explained(self) -> Explained:
        return self.explainer.explain(self.pictures, self.c)

    @property
    def maps(self) -> np.ndarray:
        return self.explained.maps

    @property
    def changed(self) -> np.ndarray:
        """The pictures without the finding, as the explainer makes them.

        Raises:
            NotMeasurable: it makes none.
        """
        if not self.explainer.counterfactuals:
            raise NotMeasurable(f"{self.explainer.name} makes no counterfactuals")
        if self.explained.counterfactuals is None:
            raise NotMeasurable(f"{self.explainer.name} made no counterfactual of {self.finding}")
        return self.explained.counterfactuals

    @cached_property
    def before(self) -> np.ndarray:
        """(n, C) probabilities of the pictures."""
        return self.explainer.predict(self.pictures)

    @cached_property
    def after(self) -> np.ndarray:
        """(n, C) probabilities of their counterfactuals."""
        return self.explainer.predict(self.changed)

    @cached_property
    def truth(self) -> np.ndarray:
        """The true counterfactuals.

        Raises:
            NotMeasurable: nobody knows them.
        """
        if not self.collection.has_counterfactuals:
            raise NotMeasurable(f"{self.collection.name} knows no true counterfactuals")
        return self.explainer.truth(self.collection, self.with_finding, self.finding)

    def predict(self, pictures: np.ndarray) -> np.ndarray:
        """Probabilities (m,) of the finding alone."""
        return self.explainer.predict(pictures)[:, self.c]

    @property
    def about(self) -> dict:
        return {"finding": self.finding, "groups": self.groups, "variant": self.variant}


def _named(row: Measure, case: Case) -> Measure:
    """A row of a measure that has no variant of its own, under the case's."""
    return replace(row, variant=", ".join(filter(None, (row.variant, case.variant))))


def _localised(measure: Callable[..., Measure]) -> Callable[[Case], list[Measure]]:
    def measured(case: Case) -> list[Measure]:
        sides = [case.collection.regions(int(i), case.finding, case.explainer.side) for i in case.with_finding]
        pairs = [(m, [r for r in regions if r.any()]) for m, regions in zip(case.maps, sides)]
        return [_named(measure(pairs, case.finding, case.groups), case)]

    return measured


def _random_logit(case: Case) -> list[Measure]:
    if len(case.explainer.findings) < 2:
        raise NotMeasurable(f"{case.explainer.name} knows one finding only, so there is no other map to compare with")
    other = (case.c + 1 + case.seed % (len(case.explainer.findings) - 1)) % len(case.explainer.findings)
    return [random_logit(case.maps, case.explainer.explain(case.pictures, other).maps, **case.about)]


def _parameter_randomisation(case: Case) -> list[Measure]:
    ignorant = case.explainer.randomised(case.seed)
    return [parameter_randomisation(case.maps, ignorant.explain(case.pictures, case.c).maps, **case.about)]


def _composition(case: Case) -> list[Measure]:
    _ = case.changed  # says that there are none
    if not len(case.without):
        raise NotMeasurable(f"{case.finding}: no picture without it, so there is nothing to be left alone")
    original = case.explainer.pictures(case.collection, case.without)
    rows, picture = [], original
    for done in range(1, max(ROUNDS) + 1):
        changed = case.explainer.explain(picture, case.c).counterfactuals
        assert changed is not None, "it makes counterfactuals"
        picture = changed
        if done in ROUNDS:
            words = f"after {done} round{'s' if done > 1 else ''}"
            groups, span = case.collection.patients[case.without], case.explainer.span
            rows.append(_named(composition(original, picture, span, case.finding, groups, variant=words), case))
    return rows


def _reversibility(case: Case) -> list[Measure]:
    back = case.explainer.explain(case.changed, case.c, present=True).counterfactuals
    assert back is not None, "it makes counterfactuals"
    return [counterfactual.reversibility(case.pictures, back, case.explainer.span, **case.about)]


def _amplification(case: Case) -> list[Measure]:
    others = [c for c in range(len(case.explainer.findings)) if c != case.c]
    return [counterfactual.amplification(case.before[:, others], case.after[:, others], **case.about)]


def _same_patient(case: Case) -> list[Measure]:
    used = {*case.with_finding.tolist()}
    rest = np.array([i for i in case.gallery.tolist() if i not in used], int)
    if not np.isin(case.collection.patients[rest], case.groups).any():
        raise NotMeasurable(f"{case.finding}: no patient has a second film to be known again by")
    films, owners = case.explainer.pictures(case.collection, rest), case.collection.patients[rest]
    return [same_patient(case.changed, case.groups, films, owners, case.finding, case.pictures, variant=case.variant)]


def _near_the_truth(measure: Callable[..., Measure]) -> Callable[[Case], list[Measure]]:
    return lambda case: [_named(measure(case.pictures, case.changed, case.truth, case.finding, case.groups), case)]


def _ssim(case: Case) -> list[Measure]:
    whole = np.zeros(case.pictures.shape, bool)
    row = masked_ssim(case.pictures, case.changed, whole, case.explainer.span, case.finding, case.groups)
    return [_named(row, case)]


MEASURES: Mapping[str, Callable[[Case], list[Measure]]] = {
    "deletion": lambda case: [deletion(case.pictures, case.maps, case.predict, **case.about)],
    "insertion": lambda case: [insertion(case.pictures, case.maps, case.predict, **case.about)],
    "road": lambda case: [road(case.pictures, case.maps, case.predict, **case.about)],
    "hit_rate": _localised(hit_rate),
    "disease_sensitivity": _localised(disease_sensitivity),
    "max_sensitivity": lambda case: [
        max_sensitivity(
            case.pictures, lambda x: case.explainer.explain(x, case.c).maps, case.explainer.span, **case.about
        )
    ],
    "sparseness": lambda case: [sparseness(case.maps, **case.about)],
    "parameter_randomisation": _parameter_randomisation,
    "random_logit": _random_logit,
    "flip_rate": lambda case: [
        counterfactual.flip_rate(
            case.before[:, case.c], case.after[:, case.c], float(case.explainer.thresholds[case.c]), **case.about
        )
    ],
    "minimality": lambda case: [
        counterfactual.minimality(case.pictures, case.changed, case.explainer.span, **case.about)
    ],
    "reversibility": _reversibility,
    "composition": _composition,
    "amplification": _amplification,
    "ssim": _ssim,
    "same_patient": _same_patient,
    "recovery": _near_the_truth(recovery),
    "restraint": _near_the_truth(restraint),
}


def measured(
    explainer: Explainer,
    collection: Collection,
    indices: np.ndarray,
    names: Sequence[str],
    most: int = MOST,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Measure], list[str]]:
    """Rows of the metrics in `names`, finding by finding, those of a random map among them, and their means.

    The rows of the random map have the variant `RANDOM`, and stand as `chance` in those of the explainer. Maps are
    measured on up to `most` pictures with a finding, composition on as many without it.

    Args:
        collection: its findings are those of the explainer, in the same order.
        indices: of the pictures that may be used.
        progress: called with (done, all) after each metric and finding.

    Returns:
        rows, and a remark for each that could not be had.
    """
    rows, remarks, done, total = [], [], 0, 2 * len(names) * len(explainer.findings)
    for c in range(len(explainer.findings)):
        labels = collection.labels[indices, c]
        positive, negative = (_some(indices[labels == label], most, seed + c) for label in (1, 0))
        case = Case(explainer, collection, c, positive, negative, indices, seed)
        at_random = case
        for whose in ("", RANDOM):
            if whose:
                at_random = replace(case, explainer=RandomMap(explainer, _change(case), seed), variant=whose)
            for name in names:
                found, measure, reasons = collected()
                measure(MEASURES[name], at_random if whose else case)
                rows += found
                remarks += [] if whose else reasons
                done += 1
                if progress:
                    progress(done, total)
    rows = _beside_chance(rows)
    for variant in dict.fromkeys(row.variant for row in rows):
        for name in names:
            rows += mean_over(rows, name, variant, ", ".join(filter(None, (MEAN_OVER_FINDINGS, variant))))
    return rows, list(dict.fromkeys(remarks))


def _some(indices: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most so many of the indices, the same ones for every explainer."""
    return np.sort(np.random.default_rng(seed).permutation(indices)[:most])


def _change(case: Case) -> float:
    """The mean |change| of the explainer's counterfactuals; 1 % of the range where it made none."""
    try:
        moved = float(np.abs(case.changed - case.pictures).mean()) if len(case.pictures) else 0.0
    except NotMeasurable:
        moved = 0.0
    return moved or 0.01 * case.explainer.span


def _beside_chance(rows: Sequence[Measure]) -> list[Measure]:
    """Each row with the random map's value as `chance`, where it was measured and the measure knows no chance."""
    at_random = {row.about: row.value for row in rows if RANDOM in row.variant}

    def its(row: Measure) -> tuple:
        return replace(row, variant=", ".join(filter(None, (row.variant, RANDOM)))).about

    return [
        replace(row, chance=at_random[its(row)])
        if RANDOM not in row.variant and row.chance is None and its(row) in at_random
        else row
        for row in rows
    ]
