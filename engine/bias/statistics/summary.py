"""Is a model counterfactually invariant to an attribute (CIT-LR)?

One record a finding and attribute, with all that a verdict needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from engine.bias.statistics.dependence import dependence, detectable_among
from engine.bias.statistics.regressions import LEARNERS
from engine.metrics.measure import Measure, NotMeasurable
from engine.metrics.subjects import HOLM

FEWEST = 20  # cases (patients, where they are known) of a group; below, neither g nor its tail is to be trusted
SMALLEST_OVERLAP = 0.1
VARIANCE = "E Var(g | Z)"  # how a table names `InvarianceResult.effect`
T_TEST = "the paper's paired t-test, not calibrated"
DETECTABLE = "detectable at 80 % power"
GENERATOR = "the model on generated counterfactuals"


class GroupTooSmall(NotMeasurable):
    """A value of the attribute has too few cases; str() names it and says how many it has."""


@dataclass(frozen=True)
class InvarianceResult:
    """What was found about one finding and one attribute.

    Attributes:
        finding, attribute: names.
        groups: cases of every value of the attribute.
        learner: where g came from, one of `LEARNERS` or `GENERATOR`.
        effect: E Var(g | Z) in [0, 0.25], the variance of a case's expected prediction over the values of its
            attribute, as far as g and the numbers of Z tell where it lies; 0 for an invariant model. With two values
            alike likely and labels that Z and A settle, it is a quarter of the share of cases whose label flips.
        low, high: its 95 % interval, never of width 0; None where the predictions never differ.
        p_value: of the calibrated two-sided test. log10_p: the same, where p_value is too small to be held.
        corrected_p: after Holm's correction (`holm`); None before. together: how many tests it was corrected for.
        t_statistic, t_p_value: the paper's paired t-test of Yhat g against Yhat h, two-sided, for comparison only.
        detectable: the smallest effect that the test finds at 0.05 (after `holm` at 0.05 / `together`) in 80 % of such
            samples if the model leans on the attribute the way that g says; one that leans in a way that g does not see
            needs a larger one. None where g sees no difference.
        overlap: E Var(A | Z) / Var(A) in [0, 1]: 1 where Z says nothing about A, 0 where it gives A away and nothing
            can be tested.
        remarks: sentences that a reader must see.
    """

    finding: str
    attribute: str
    groups: Mapping[str, int]
    learner: str
    effect: float
    low: float | None
    high: float | None
    p_value: float
    log10_p: float
    t_statistic: float
    t_p_value: float
    detectable: float | None
    overlap: float
    corrected_p: float | None = None
    together: int = 1
    remarks: Sequence[str] = ()

    @property
    def n(self) -> int:
        """How many cases."""
        return sum(self.groups.values())

    def measures(self) -> list[Measure]:
        """The numbers as measures: effect, p values, detectable effect."""

        def row(metric: str, variant: str, value: float, *interval: float | None, **more) -> Measure:
            low, high = interval or (None, None)
            return Measure(
                metric, self.finding, value, low, high, self.n, attribute=self.attribute, variant=variant, **more
            )

        said = " ".join(self.remarks)
        rows = [row("effect", VARIANCE, self.effect, self.low, self.high, chance=0.0, remark=said)]
        if self.detectable is not None:
            rows.append(row("effect", DETECTABLE, self.detectable))
        rows += [row("p_value", "", self.p_value), row("p_value", T_TEST, self.t_p_value)]
        if self.corrected_p is not None:
            rows.append(row("p_value", HOLM, self.corrected_p))
        return rows

    def rows(self) -> list[dict]:
        """`measures` as records that are ready for JSON."""
        return [measure.row() for measure in self.measures()]


def invariance_test(
    predictions: np.ndarray,
    attribute: np.ndarray,
    representation: np.ndarray,
    *,
    counterfactuals: Mapping[object, np.ndarray] | None = None,
    patients: np.ndarray | None = None,
    learner: str = "ridge",
    trees: bool = False,
    finding: str = "finding",
    name: str = "attribute",
    seed: int = 0,
) -> InvarianceResult:
    """Tests whether predictions depend on an attribute once the representation is known.

    Args:
        predictions: (n,) labels or probabilities in [0, 1] on the pictures as they are.
        attribute: (n,) two or more values of any kind.
        representation: (n, ...) Z, meant to be independent of the attribute; what is left of it is modelled by e(a |
            z).
        counterfactuals: for every value of the attribute the predictions (n,) on pictures generated from Z under that
            value. They must be functions of Z alone (and of noise), not of the factual picture, or the test loses its
            size.
        patients: (n,) whom each picture belongs to; None when all are independent.
        learner: one of `LEARNERS`, for g and h where there are no counterfactuals. trees: see `dependence`.
        finding, name: what the predictions are of, and what the attribute is called.
        seed: of the folds and the learner.

    Raises:
        GroupTooSmall: a value has fewer than `FEWEST` cases, or patients.
        NotMeasurable: the attribute has one value only.
        ValueError: shapes, ranges or names that do not fit.
    """
    predictions, attribute, z = _checked(predictions, attribute, representation, learner)
    n = len(predictions)
    names, codes = np.unique(attribute, return_inverse=True)
    groups = _groups(names, codes, patients, name)
    if len(names) < 2:
        raise NotMeasurable(f"{name} is {names[0]} for all {n} cases; there is nothing to compare")
    remarks = []
    chosen = None if counterfactuals is None else _stacked(counterfactuals, names, n)
    found = dependence(
        predictions, codes, z, counterfactuals=chosen, patients=patients, learner=learner, trees=trees, seed=seed
    )
    if found.overlap < SMALLEST_OVERLAP:
        remarks.append(
            f"The representation nearly determines {name} (overlap {found.overlap:.2f}). Little can be tested."
        )
    if np.ptp(predictions) == 0:
        remarks.append(f"The model says {predictions[0]:g} for every case: it is invariant, and of no use.")
    return InvarianceResult(
        finding=finding,
        attribute=name,
        groups=groups,
        learner=learner if counterfactuals is None else GENERATOR,
        p_value=10**found.log10_p,
        remarks=tuple(remarks),
        **asdict(found),
    )


def holm(results: Sequence[InvarianceResult]) -> list[InvarianceResult]:
    """The same results with p values, and what would have been detected, corrected for their number (Holm 1979)."""
    found, m = [], len(results)
    for result, p in zip(results, holm_corrected([result.p_value for result in results]), strict=True):
        seen = None if result.detectable is None else detectable_among(result.detectable, result.together, m)
        found.append(replace(result, corrected_p=p, detectable=seen, together=m))
    return found


def holm_corrected(p_values: Sequence[float]) -> list[float]:
    """Each p value times the number of those not smaller, never below that of a smaller one, at most 1 (Holm 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(raised, 1)
    return corrected.tolist()


def _checked(predictions, attribute, representation, learner) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    predictions, attribute = np.asarray(predictions, dtype=np.float64), np.asarray(attribute)
    z = np.asarray(representation, dtype=np.float64)
    n = len(predictions)
    if predictions.shape != (n,) or attribute.shape != (n,) or len(z) != n or z.ndim < 2:
        raise ValueError(
            "predictions and attribute must have shape (n,) and representation (n, k), "
            f"got {predictions.shape}, {attribute.shape} and {z.shape}"
        )
    if not (np.isfinite(predictions).all() and (predictions >= 0).all() and (predictions <= 1).all()):
        raise ValueError("predictions must be labels 0 or 1, or probabilities")
    if not z.size:
        raise ValueError(f"the representation must hold at least one number for each case, got shape {z.shape}")
    if not np.isfinite(z).all():
        raise ValueError("the representation must be finite")
    if unknown := sum(value is None or value != value for value in attribute.tolist()):
        raise ValueError(f"the attribute of {unknown} of {n} cases is not known (NaN or None); leave these cases out")
    if learner not in LEARNERS:
        raise ValueError(f"no learner is called {learner!r}; there are {', '.join(LEARNERS)}.")
    return predictions, attribute, z.reshape(n, -1)


def _groups(names: np.ndarray, codes: np.ndarray, patients: np.ndarray | None, name: str) -> dict[str, int]:
    """Cases of each value; refuses a value with too few of them, or of patients."""
    who, unit = (np.arange(len(codes)), "cases") if patients is None else (np.asarray(patients), "patients")
    if who.shape != codes.shape:
        raise ValueError(f"patients must have shape {codes.shape}, got {who.shape}")
    for code, value in enumerate(names):
        count = len(np.unique(who[codes == code]))
        if count < FEWEST:
            mend = "leave it out or gather more" if len(names) > 2 else "gather more"
            who = unit.removesuffix("s") if count == 1 else unit
            raise GroupTooSmall(
                f"{name.replace('_', ' ')} {value} has {count} {who}, fewer than the {FEWEST} that the test needs; "
                f"{mend}."
            )
    return {str(value): int(count) for value, count in zip(names, np.bincount(codes), strict=True)}


def _stacked(counterfactuals: Mapping[object, np.ndarray], names: np.ndarray, n: int) -> np.ndarray:
    """(n, m) in the order of `names`."""
    missing = [str(value) for value in names if value not in counterfactuals]
    if missing:
        raise ValueError(f"counterfactuals are missing for {', '.join(missing)}")
    g = np.stack([np.asarray(counterfactuals[value], dtype=np.float64) for value in names], 1)
    if g.shape != (n, len(names)) or not (np.isfinite(g).all() and (g >= 0).all() and (g <= 1).all()):
        raise ValueError(f"counterfactuals must be {n} labels or probabilities for each value")
    return g
