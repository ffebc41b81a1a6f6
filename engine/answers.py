"""Whether a model's answer about a finding means anything: from the answer itself, and the checkpoint's measures."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from engine.explanation import Explanation
from engine.metrics.measure import Measure

INDIFFERENT = 0.05  # of log-odds: less is no answer


class NoAnswer(StrEnum):
    """Why a model's answer about a finding means nothing."""

    INDIFFERENT = "it stands at the operating point, whatever is taken away"
    AUC_HOLDS_CHANCE = "the interval of its AUC on pictures that it was not trained on holds chance"


def rate(rows: Sequence[Measure], metric: str, finding: str) -> Measure | None:
    """The row for `metric` of `finding`, where its interval is known too."""
    wanted = (metric, finding, "", "", "", "")
    return next((row for row in rows if row.about == wanted and row.low is not None), None)


def log_odds(probability: float) -> float:
    """Of a probability, which is kept a millionth away from 0 and 1."""
    p = min(max(float(probability), 1e-6), 1 - 1e-6)
    return float(np.log(p / (1 - p)))


def no_answer(explanation: Explanation, rates: Sequence[Measure]) -> NoAnswer | None:
    """Why this answer means nothing; None where it may mean something."""
    path, threshold = explanation.path, log_odds(explanation.threshold)
    if path is not None:
        moves = log_odds(path.probabilities.max()) - log_odds(path.probabilities.min())
        if max(moves, abs(log_odds(explanation.probability) - threshold)) < INDIFFERENT:
            return NoAnswer.INDIFFERENT
    return NoAnswer.AUC_HOLDS_CHANCE if not_shown_to_know(explanation.finding, rates) else None


def not_shown_to_know(finding: str, rates: Sequence[Measure]) -> Measure | None:
    """The AUC of a finding whose interval holds chance: no answer about it means anything. None where it may."""
    auc = rate(rates, "auc", finding)
    held = auc is not None and auc.low is not None and auc.chance is not None and auc.low <= auc.chance
    return auc if held else None
