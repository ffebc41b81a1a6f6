"""Conditional counterfactual causal effects of attributes on a diagnosis (section 4.3 of Liu et al. 2025; Zhao et al.
2023).

For a person with attributes A = a and diagnosis Y = y, CCCE(S) = E(Y_{A_S=1} - Y_{A_S=0} | A = a, Y = y) is the share
of the diagnosis that the attributes in S account for. Under exogeneity and monotonicity it is

    1 - P(Y = 1 | A_S = 0, A_-S = a_-S) / P(Y = 1 | A = a)    of a positive (Y = 1),
    1 - P(Y = 0 | A_S = 1, A_-S = a_-S) / P(Y = 0 | A = a)    of a negative (Y = 0).

The paper prints only the second with y in the place of 0; of a positive it could then never be above 0 under
monotonicity, and the authors' code uses the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import fisher_exact
from sklearn.linear_model import LogisticRegression

LARGEST_SUBSET = 3  # of the paper
SMOOTHING = 2.0  # cases' worth of the logistic regression that every cell holds beside its own


@dataclass(frozen=True)
class DiagnosisTable:
    """P(Y = 1 | A = a) for each of the 2^p vectors of p binary attributes.

    Attributes:
        attributes: the p names.
        cases, positives: (2, ..., 2) counts of the data, an axis an attribute.
        probability: (2, ..., 2), smoothed: (positives + k q) / (cases + k) with q of a logistic regression without
            interactions and k `SMOOTHING`, so that an empty cell says what its neighbours say.
    """

    attributes: tuple[str, ...]
    cases: np.ndarray
    positives: np.ndarray
    probability: np.ndarray

    @classmethod
    def fit(
        cls, attributes: Sequence[str], a: np.ndarray, y: np.ndarray, smoothing: float = SMOOTHING
    ) -> DiagnosisTable:
        """From n people.

        Args:
            a: (n, p) of 0 and 1.
            y: (n,) of 0 and 1, both of which must occur.

        Raises:
            ValueError: shapes, other values, or one diagnosis only.
        """
        a, y = np.asarray(a).astype(int), np.asarray(y).astype(int)
        if a.ndim != 2 or a.shape != (len(y), len(attributes)):
            raise ValueError(f"attributes must have shape ({len(y)}, {len(attributes)}), got {a.shape}.")
        if not (np.isin(a, (0, 1)).all() and np.isin(y, (0, 1)).all()):
            raise ValueError("attributes and diagnoses must be 0 or 1.")
        if len(np.unique(y)) < 2:
            raise ValueError("both diagnoses must occur to learn what tells them apart.")
        shape = (2,) * a.shape[1]
        cases, positives = np.zeros(shape, int), np.zeros(shape, int)
        np.add.at(cases, tuple(a.T), 1)
        np.add.at(positives, tuple(a.T), y)
        cells = np.indices(shape).reshape(len(shape), -1).T  # (2^p, p)
        prior = LogisticRegression(C=1.0, max_iter=1000).fit(a, y).predict_proba(cells)[:, 1].reshape(shape)
        return cls(tuple(attributes), cases, positives, (positives + smoothing * prior) / (cases + smoothing))

    @classmethod
    def of_counts(cls, attributes: Sequence[str], cases: Sequence[int], positives: Sequence[int]) -> DiagnosisTable:
        """From the 2^p numbers of cases and of positives, as `counts` gives them.

        Raises:
            ValueError: another number of them, numbers below 0, more positives than cases, or one diagnosis only.
        """
        shape = (2,) * len(attributes)
        n, k = np.asarray(cases), np.asarray(positives)
        if n.shape != (2 ** len(attributes),) or k.shape != n.shape or n.dtype.kind != "i" or k.dtype.kind != "i":
            raise ValueError(f"{len(attributes)} attributes have {2 ** len(attributes)} whole numbers of cases.")
        if (k < 0).any() or (k > n).any():
            raise ValueError("positives must be 0 or more, and no more than there are cases.")
        cells = np.indices(shape).reshape(len(shape), -1).T
        a = np.repeat(np.concatenate([cells, cells]), np.concatenate([k, n - k]), axis=0)
        return cls.fit(attributes, a, np.repeat([1, 0], [k.sum(), (n - k).sum()]))

    def counts(self) -> dict[str, list[int]]:
        """Cases and positives of all 2^p cells, the last attribute changing fastest; ready for JSON."""
        return {"cases": self.cases.ravel().tolist(), "positives": self.positives.ravel().tolist()}

    def ccce(self, a: Sequence[int], y: int, subset: Sequence[int]) -> float:
        """CCCE(S) of a person with attributes `a` and diagnosis `y`, S given by its places; 0 or below: S accounts for
        nothing.
        """
        otherwise = list(a)
        for place in subset:
            otherwise[place] = 0 if y else 1
        here, there = self.probability[tuple(a)], self.probability[tuple(otherwise)]
        return float(1 - (there / here if y else (1 - there) / (1 - here)))

    def best_subset(self, a: Sequence[int], y: int, largest: int = LARGEST_SUBSET) -> tuple[tuple[int, ...], float]:
        """The subset of at most `largest` attributes with the highest CCCE, the smallest one of those that tie; ()
        where none is above 0.
        """
        ranked = self.ranked(a, y, largest)
        return ranked[0] if ranked and ranked[0][1] > 0 else ((), 0.0)

    def ranked(self, a: Sequence[int], y: int, largest: int = LARGEST_SUBSET) -> list[tuple[tuple[int, ...], float]]:
        """All subsets of at most `largest` attributes with their CCCE, highest first.

        Only attributes that could have been otherwise
        count: those present in a positive, absent in a negative; the others would change nothing and only lengthen the
        list.
        """
        movable = [place for place, value in enumerate(a) if value == int(bool(y))]
        found = [
            (subset, self.ccce(a, y, subset))
            for size in range(1, largest + 1)
            for subset in combinations(movable, size)
        ]
        return sorted(found, key=lambda pair: (-round(pair[1], 9), len(pair[0]), pair[0]))

    def causal_attributes(self, a: np.ndarray, y: np.ndarray, largest: int = LARGEST_SUBSET) -> np.ndarray:
        """r of Eq. 5's alignment of attributes, (n, p) of 0 and 1: 1 for the attributes of each person's
        best subset.
        """
        known: dict[tuple[int, ...], tuple[int, ...]] = {}
        r = np.zeros(np.shape(a), np.float32)
        for row, (values, diagnosis) in enumerate(
            zip(np.asarray(a).astype(int).tolist(), np.asarray(y).astype(int).tolist(), strict=True)
        ):
            key = (*values, diagnosis)
            if key not in known:
                known[key] = self.best_subset(values, diagnosis, largest)[0]
            r[row, list(known[key])] = 1
        return r


@dataclass(frozen=True)
class MonotonicityViolation:
    """An attribute whose presence makes the diagnosis less likely, all other attributes alike, beyond chance.

    Attributes:
        attribute: its name.
        others: the values of the other attributes by name.
        absent, present: P(Y = 1) without and with it, plain shares.
        p_value: one-sided, Holm's correction over all pairs of cells that were compared.
    """

    attribute: str
    others: dict[str, int]
    absent: float
    present: float
    p_value: float


def monotonicity_violations(table: DiagnosisTable, level: float = 0.05) -> tuple[list[MonotonicityViolation], int]:
    """Where the data contradict Y_a <= Y_a' for a <= a', and how many pairs of cells could be compared
    (both with cases).
    """
    compared = []
    for place, name in enumerate(table.attributes):
        cases, positives = np.moveaxis(table.cases, place, 0), np.moveaxis(table.positives, place, 0)
        for cell in np.ndindex(cases.shape[1:]):
            (n0, n1), (k0, k1) = cases[(slice(None), *cell)], positives[(slice(None), *cell)]
            if n0 and n1:
                p = fisher_exact([[k0, n0 - k0], [k1, n1 - k1]], alternative="greater")[1]
                others = dict(zip([a for a in table.attributes if a != name], (int(v) for v in cell), strict=True))
                compared.append((p, name, others, k0 / n0, k1 / n1))
    compared.sort(key=lambda row: row[0])
    found, adjusted = [], 0.0
    for rank, (p, name, others, absent, present) in enumerate(compared):
        adjusted = min(1.0, max(adjusted, p * (len(compared) - rank)))
        if adjusted > level:
            break
        found.append(MonotonicityViolation(name, others, absent, present, adjusted))
    return found, len(compared)


def coverage(table: DiagnosisTable, least: int = 5) -> float:
    """Share of the people who stand in cells with at least `least` cases; what the others' CCCE says rests
    on the regression.
    """
    return float(table.cases[table.cases >= least].sum() / max(table.cases.sum(), 1))
