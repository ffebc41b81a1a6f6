"""One family of hypotheses for each checkpoint and collection: all that was asked of them is corrected together (Holm
1979).

Whoever asks long enough finds something. Two claims can be made of each finding: that the calibrated test finds a
dependence, and that the pictures show a change beyond a limit. Both are hypotheses of the family, and so are those of
every attribute that was asked before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from engine.metrics.intervals import cluster_index, clustered_variance


@dataclass(frozen=True)
class Question:
    """What one report asked of a checkpoint.

    Attributes:
        attribute, generator: what was changed, and what made the pictures. n: on how many.
        p_values: of all its hypotheses, not corrected.
    """

    attribute: str
    generator: str
    n: int
    p_values: tuple[float, ...]

    def record(self) -> dict[str, object]:
        """Ready for JSON."""
        return {"attribute": self.attribute, "generator": self.generator, "n": self.n, "hypotheses": len(self.p_values)}


@dataclass(frozen=True)
class Shown:
    """What the pictures alone say of one finding, as far as a p value needs it.

    Attributes:
        mean, error: of the mean change and its standard error, patients taken together. freedom: its degrees, below 1
            for one patient.
        choices: out of how many pairs of values the change was picked.
        flips: share of decisions that flip. cases: how many independent ones that rests on.
    """

    mean: float
    error: float
    freedom: int
    choices: int
    flips: float
    cases: float

    def p_value(self, limit: float) -> float:
        """Of the hypothesis that neither the mean change nor the share of flips exceeds `limit` (in (0, 1)): Bonferroni
        of the two.
        """
        if self.freedom < 1:
            return 1.0
        if self.error > 0:
            change = sum(
                float(stats.t.sf((abs(self.mean) - sign * limit) / self.error, self.freedom)) for sign in (1, -1)
            )
        else:  # no two patients differ
            change = 1.0 if abs(self.mean) <= limit else limit**self.cases
        cases = int(self.cases)
        flips = float(stats.binom.sf(math.floor(self.flips * cases + 1e-9) - 1, cases, limit))
        return min(1.0, 2 * min(self.choices * change, flips))


def shown(change: np.ndarray, flipped: np.ndarray, patients: np.ndarray | None, choices: int = 1) -> Shown:
    """From each case's change of the probability (n,) in [-1, 1], and share of other values that flip its decision (n,)
    in [0, 1].
    """
    n, mean, share = len(change), float(np.mean(change)), float(np.mean(flipped))
    index, g = cluster_index(patients, n)
    error = math.sqrt(clustered_variance((change - mean) / n, index, g)) if g > 1 else 0.0
    variance = clustered_variance((flipped - share) / n, index, g) if g > 1 else 0.0
    cases = g if variance <= 0 else max(1.0, min(n, share * (1 - share) / variance))
    return Shown(mean, error if np.ptp(change) > 0 else 0.0, g - 1, choices, share, cases)


def hypotheses(questions: Sequence[Question]) -> int:
    """How many are corrected together."""
    return sum(len(question.p_values) for question in questions)
